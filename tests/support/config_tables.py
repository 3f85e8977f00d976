"""The tables of docs/configuration.md and the schema for editors, made of the tables of options.

    python -m tests.support.config_tables

writes both anew.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from loader.dialects.own import KEYS
from loader.jobs.config.keys import DATABASE, DEFAULTS, JOB
from loader.jobs.config.schema import json_schema
from loader.settings import Option

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "configuration.md"
SCHEMA = DOCS / "mdload.schema.json"
_HEAD = "| key | value | default | option | meaning |\n|---|---|---|---|---|\n"
TABLES: Mapping[str, Mapping[str, Option]] = {
    "database": DATABASE,
    "defaults": {name: option for name, option in DEFAULTS.items() if name not in JOB},
    "loads": {name: option for name, option in JOB.items() if option.flag},
    "runs": {name: option for name, option in JOB.items() if not option.flag},
}


def row(option: Option) -> str:
    written = option.default if isinstance(option.default, str) else json.dumps(option.default)
    default = "" if option.default is None else f"`{written}`"
    flag = f"`{option.flag}`" if option.flag else ""
    return f"| `{option.name}` | {option.kind.word} | {default} | {flag} | {option.help} |\n"


def table(options: Mapping[str, Option]) -> str:
    return _HEAD + "".join(map(row, options.values()))


def page(text: str) -> str:
    """`text` with each table behind a mark such as `<!-- options: database -->` made anew."""
    for name, options in TABLES.items():
        mark = f"<!-- options: {name} -->\n\n"
        before, found, after = text.partition(mark)
        assert found, f"{PAGE} has no mark {mark.strip()}"
        text = before + mark + table(options) + "\n" + after.partition("\n\n")[2]
    return text


def schema() -> str:
    return json.dumps(json_schema(KEYS), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    SCHEMA.write_text(schema(), encoding="utf-8")

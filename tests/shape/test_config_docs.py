"""The keys of mdload.toml are written once; the schema for editors and the docs say the same."""

from __future__ import annotations

import json
from collections.abc import Mapping

from loader.dialects.own import KEYS
from loader.jobs.config.keys import DATABASE, DEFAULTS, JOB, Key
from loader.jobs.config.schema import json_schema
from tests.conftest import ROOT


def row(key: Key) -> str:
    written = key.default if isinstance(key.default, str) else json.dumps(key.default)
    default = "" if key.default is None else f"`{written}`"
    option = f"`{key.option}`" if key.option else ""
    return f"| `{key.name}` | {key.kind.word} | {default} | {option} | {key.doc} |"


def missing(page: str, keys: Mapping[str, Key]) -> list[str]:
    return [row(key) for key in keys.values() if row(key) not in page]


def test_the_docs_have_a_row_for_every_key() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8").splitlines()
    text = "\n".join(page)
    lacking = [*missing(text, DATABASE), *missing(text, JOB), *missing(text, DEFAULTS)]
    assert not lacking, "\n".join(["docs/configuration.md lacks", *lacking])
    known = {*DATABASE, *JOB, *DEFAULTS}
    named = {line.split("`")[1] for line in page if line.startswith("| `") and line.count("|") == 6}
    assert named == known


def test_the_schema_for_editors_is_of_these_keys() -> None:
    """Made anew with: mdload config schema > docs/mdload.schema.json"""
    kept = json.loads((ROOT / "docs" / "mdload.schema.json").read_text(encoding="utf-8"))
    assert kept == json.loads(json.dumps(json_schema(KEYS)))

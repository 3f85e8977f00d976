"""Tables in docs/ that repeat what the code says: `python -m tests.support.doc_tables --write`.

A page marks the place of a table with `<!-- table: NAME -->` before it and `<!-- end -->` after it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from loader.check.reasons import REASONS

DOCS: Final = Path(__file__).parents[2] / "docs"
_PLACE: Final = re.compile(r"(<!-- table: (?P<name>[a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def reasons() -> str:
    rows = ["| rule | stage | a row is refused when | set by |", "|---|---|---|---|"]
    for reason in REASONS:
        switches = ", ".join(f"`{name}`" for name in reason.switches)
        cells = f"| `{reason.name}` | {reason.stage} | {reason.description} | {switches}"
        rows.append(f"{cells.rstrip()} |")
    return "\n".join(rows)


TABLES: Final[Mapping[str, Callable[[], str]]] = {"reasons": reasons}


def filled(page: str) -> str:
    """`page` with each table as the code says it now; KeyError for a name that is not known."""
    return _PLACE.sub(lambda found: f"{found[1]}{TABLES[found['name']]()}\n{found[3]}", page)


def pages() -> dict[Path, str]:
    """Every page of docs/ that has a place for a table, with its text."""
    texts = {path: path.read_text(encoding="utf-8") for path in sorted(DOCS.glob("*.md"))}
    return {path: text for path, text in texts.items() if "<!-- table:" in text}


if __name__ == "__main__":
    for path, text in pages().items():
        if filled(text) == text:
            continue
        if "--write" not in sys.argv[1:]:
            sys.exit(f"{path} is out of date: just docs")
        path.write_text(filled(text), encoding="utf-8")
        print(path)

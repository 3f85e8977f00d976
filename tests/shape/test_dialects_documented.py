"""docs/dialects.md has a line for each dialect, true to its declaration."""

from __future__ import annotations

from loader.dialects.dialect import ONLY_ON_REQUEST
from loader.dialects.known import dialects
from tests.conftest import ROOT

LINES = {
    cells[1].strip(" `"): [cell.strip() for cell in cells[2:-1]]
    for line in (ROOT / "docs/dialects.md").read_text().splitlines()
    if len(cells := line.split("|")) == 7
}
DECLARED = {name: dialect for name, dialect in dialects().items() if dialect.shapes}


def test_each_dialect_has_a_line_with_its_files() -> None:
    found = {name: cells[0].split(", ") for name, cells in LINES.items() if name in DECLARED}
    assert found == {
        name: list(dict.fromkeys(kind for shape in dialect.shapes for kind in shape.containers))
        for name, dialect in DECLARED.items()
    }


def test_a_line_says_what_is_known_by_name_only_and_what_a_name_says() -> None:
    for name, dialect in DECLARED.items():
        _, by_name, says, _ = LINES[name]
        if any(shape.name not in (None, ONLY_ON_REQUEST) for shape in dialect.shapes):
            assert by_name, name
        assert bool(says) == bool(dialect.names), name

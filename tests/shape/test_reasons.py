"""The reasons to refuse a row are written once: in loader/check/reasons.py."""

from __future__ import annotations

import re
import subprocess
import sys

from loader.check.reasons import REASONS
from tests.conftest import ROOT
from tests.support.doc_tables import TABLES, filled, pages


def test_the_tables_of_the_docs_are_those_of_the_code() -> None:
    """Written anew by: just docs"""
    found = pages()
    for path, text in found.items():
        assert filled(text) == text, f"{path} is out of date: just docs"
    named = {name for text in found.values() for name in re.findall("<!-- table: (.+) -->", text)}
    assert named == set(TABLES)


def test_no_other_room_writes_the_name_of_a_reason_of_a_file_a_line_or_a_row() -> None:
    names = [reason.name for reason in REASONS if reason.stage != "bar"]
    for path in (ROOT / "loader").rglob("*.py"):
        if path.name != "reasons.py":
            assert not [name for name in names if f'"{name}"' in path.read_text()], path


def test_the_table_costs_no_import() -> None:
    probe = "import sys, loader.check.reasons; print('polars' in sys.modules)"
    out = subprocess.check_output([sys.executable, "-c", probe], text=True, cwd=ROOT)
    assert out == "False\n"

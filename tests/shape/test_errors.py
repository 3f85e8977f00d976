"""Errors carry their place and their fault, so that no room has to parse a sentence."""

from __future__ import annotations

import re

import pytest

from loader.errors import ColumnMismatch, InputError, UnreadableFile, Where
from tests.conftest import ROOT


def test_an_error_at_a_place_says_it_and_carries_it() -> None:
    error = ColumnMismatch.at("a.csv", "no column 'x'", row=7, column="x", hint="name it")
    assert str(error) == "a.csv: no column 'x'"
    assert (error.fault, error.hint) == ("no column 'x'", "name it")
    assert error.where == Where("a.csv", 7, "x")


def test_an_error_of_a_file_has_the_file_as_its_subject() -> None:
    error = UnreadableFile.of("a.csv", "is cut short")
    assert (str(error), error.fault) == ("a.csv is cut short", "is cut short")
    assert error.where == Where("a.csv")


def test_an_error_without_a_place_is_all_fault() -> None:
    error = InputError("nothing there")
    assert (str(error), error.fault, error.where) == ("nothing there", "nothing there", None)


@pytest.mark.parametrize("room", ["bars", "check", "dialects", "read", "load", "client"])
def test_no_room_writes_a_file_into_the_sentence_of_an_input_error(room: str) -> None:
    """`ColumnMismatch.at(where, …)`, not `ColumnMismatch(f"{where}: …")`."""
    kinds = "InputError|UnreadableFile|NotThere|SourceLost|Unfinished|ColumnMismatch|TooManyRejects"
    written = re.compile(rf'\b({kinds})\(\s*f"\{{')
    for path in (ROOT / "loader" / room).rglob("*.py"):
        assert not written.findall(path.read_text(encoding="utf-8")), path

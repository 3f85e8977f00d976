"""Columns' names as every reader gives them: none blank, none twice."""

from __future__ import annotations

from loader.read.batch import unique_names


def test_names_that_are_blank_or_come_twice() -> None:
    names, notes = unique_names(["", " ts ", "", "ts", "ts_2", "open"])
    assert names == ("index", "ts", "column_3", "ts_3", "ts_2", "open")
    assert len(notes) == 3
    assert unique_names(["ts", ""])[0] == ("ts", "column_2")
    assert unique_names(["", "index"])[0] == ("index_2", "index")

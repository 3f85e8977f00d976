"""Months in the names of files, of contracts and of bars."""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl
import pytest

from loader.check.instruments.contracts import month_notes

#: Weekdays do not matter: 1 to 21 March 2024.
MARCH = pl.Series([datetime(2024, 3, 1) + timedelta(days=at) for at in range(21)])


@pytest.mark.parametrize("name", ["CL_202404.csv", "CL-2024-05.csv", "x/y.zip!CL2024.12.csv"])
def test_a_month_after_all_bars(name: str) -> None:
    (note,) = month_notes(f"data/{name}", MARCH, "CL")
    assert "if it is the month of a contract" in note
    month = name.rpartition("!")[2].removeprefix("CL").removesuffix(".csv").lstrip("_-")
    assert note.endswith(f"such as --symbol CL_{month}")


@pytest.mark.parametrize(
    ("name", "symbol"),
    [
        ("CL_202403.csv", "CL"),  # the month of the bars
        ("CL_202402.csv", "CL"),
        ("CL_202404.csv", "CL_202404"),
        ("CL_20240405.csv", "CL"),  # a day
        ("CL_2024-04-05.csv", "CL"),
        ("CL_203104.csv", "CL"),  # no contract is traded for so long
        ("202404/CL.csv", "CL"),  # a folder of downloads
        ("CL_202404.csv", None),
    ],
)
def test_other_names(name: str, symbol: str | None) -> None:
    assert month_notes(name, MARCH, symbol) == ()


def test_no_times() -> None:
    assert month_notes("CL_202404.csv", MARCH.clear(), "CL") == ()

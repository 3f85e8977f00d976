"""Dates with years of two digits, and quarters, months and weeks without a day."""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl
import pytest

from loader.bars.times import plan as timeplan
from loader.bars.times import stamps
from loader.errors import ColumnMismatch


def read(*texts: str, time_format: str | None = None) -> list[str]:
    frame = pl.DataFrame({"ts": list(texts)})
    plan, _ = timeplan.plan(frame, ("ts",), time_format, "x.csv")
    return stamps.read(stamps.cells(frame, plan), plan).shown.dt.to_string("%Y-%m-%d").to_list()


MONTH = [date(2022, 1, 3) + timedelta(days=at) for at in range(25)]
QUARTER = [date(2021, 11, 20) + timedelta(days=at) for at in range(90)]
MONTHS = [date(2010 + at // 12, at % 12 + 1, 1) for at in range(160)]
OLD = [date(1998, 12, 20) + timedelta(days=at) for at in range(40)]


@pytest.mark.parametrize(
    "written", ["%m-%d-%y", "%d-%m-%y", "%y-%m-%d", "%m/%d/%y", "%d/%m/%y", "%d.%m.%y"]
)
@pytest.mark.parametrize("days", [MONTH, QUARTER, OLD, QUARTER[::-1]])
@pytest.mark.parametrize("clock", ["", " 09:30"])
def test_the_only_order_that_fits(written: str, days: list[date], clock: str) -> None:
    texts = [each.strftime(written) + clock for each in days]
    assert read(*texts) == [f"{each}" for each in days]


@pytest.mark.parametrize("written", ["%m-%d-%y", "%d-%m-%y"])
def test_first_days_of_months_may_be_january(written: str) -> None:
    with pytest.raises(ColumnMismatch, match="nothing shows which is the month"):
        read(*(each.strftime(written) for each in MONTHS))
    assert read(*(each.strftime(written) for each in MONTHS), time_format=written) == [
        f"{each}" for each in MONTHS
    ]


@pytest.mark.parametrize(
    ("texts", "formats"),
    [
        (["03-01-22"], "'%m-%d-%y' or '%d-%m-%y'"),
        (["03-01-22", "04-01-22", "05-01-22"], "'%m-%d-%y' or '%d-%m-%y'"),
        (["03/01/22 09:30", "04/01/22 09:31"], "'%m/%d/%y %H:%M' or '%d/%m/%y %H:%M'"),
        (["24.03.01", "25.03.01", "26.03.01"], "'%d.%m.%y' or '%y.%m.%d'"),
    ],
)
def test_a_doubt_is_a_question(texts: list[str], formats: str) -> None:
    with pytest.raises(ColumnMismatch, match="nothing shows which is the month") as raised:
        read(*texts)
    assert formats in str(raised.value.hint)


@pytest.mark.parametrize(
    ("texts", "days"),
    [
        (["2010Q1", "2010Q2", "2010Q4"], ["2010-01-01", "2010-04-01", "2010-10-01"]),
        (["Q3 2010", "Q1 2011"], ["2010-07-01", "2011-01-01"]),
        (["2024-W01", "2024-W10", "2026-W53"], ["2024-01-01", "2024-03-04", "2026-12-28"]),
        (["2024W02", "2024W03"], ["2024-01-08", "2024-01-15"]),
        (["2024-W01-3", "2024-W01-5"], ["2024-01-03", "2024-01-05"]),
        (["2024-03", "2024-04"], ["2024-03-01", "2024-04-01"]),
        (["2024M03", "2024M12"], ["2024-03-01", "2024-12-01"]),
        (["Mar 2024", "April 2024"], ["2024-03-01", "2024-04-01"]),
    ],
)
def test_quarters_weeks_and_months(texts: list[str], days: list[str]) -> None:
    assert read(*texts) == days


def test_a_week_by_its_format() -> None:
    assert read("2024-W01-2", time_format="%G-W%V-%u") == ["2024-01-02"]


@pytest.mark.parametrize(("first", "second"), [("%d/%m/%Y", "%m/%d/%Y"), ("%m-%d-%y", "%d-%m-%y")])
@pytest.mark.parametrize("clock", ["", " 16:00"])
def test_dates_that_a_spreadsheet_has_swapped(first: str, second: str, clock: str) -> None:
    """It reads what it can as the other order, and leaves the rest as text."""
    days = [date(2024, 3, 4) + timedelta(days=at) for at in range(20)]
    mixed = [day.strftime(second if day.day <= 12 else first) + clock for day in days]
    with pytest.raises(ColumnMismatch, match="run one way only if the month stands first in some"):
        read(*mixed)
    with pytest.raises(ColumnMismatch, match="run one way only if"):
        read(*mixed[::-1])
    whole = [day.strftime(first) + clock for day in days]
    for texts in (whole, whole[::-1], [*whole[4:], *whole[:4]], [*whole, *whole]):
        assert sorted(set(read(*texts))) == [f"{day}" for day in days]


@pytest.mark.parametrize(
    ("texts", "days"),
    [
        (["Jan-23", "Feb-23", "Mar-23"], ["2023-01-01", "2023-02-01", "2023-03-01"]),
        (["Dec-98", "Jan-99"], ["1998-12-01", "1999-01-01"]),
        (["01/2023", "12/2023"], ["2023-01-01", "2023-12-01"]),
    ],
)
def test_months_with_short_years(texts: list[str], days: list[str]) -> None:
    assert read(*texts) == days

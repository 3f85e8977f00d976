"""Times that another column contradicts, and nights that stand under the date of a trading day."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any

import polars as pl
import pytest

from loader.check.layout.decide import Layout, decide
from loader.check.normalise import normalise
from loader.errors import ColumnMismatch
from loader.read.batch import Location, RawBatch
from loader.settings import Meaning

#: Mondays to Fridays of two weeks.
DAYS = [date(2024, 3, 4) + timedelta(days=at) for at in (*range(5), *range(7, 12))]


def table(**columns: Any) -> RawBatch:
    height = len(next(iter(columns.values())))
    prices = {name: ["8"] * height for name in ("open", "high", "low", "close")}
    return RawBatch(pl.DataFrame({**columns, **prices}), Location("file.csv", 0, 1))


def layout(raw: RawBatch, **said: Any) -> Layout:
    return decide(raw, Meaning(**{"provider": "demo", "symbol": "X", "timezone": "UTC", **said}))


def dates(raw: RawBatch, **said: Any) -> list[str]:
    return normalise(raw, layout(raw, **said)).bars["ts"].dt.to_string("%Y-%m-%d").to_list()


@pytest.mark.parametrize(
    ("name", "day"), [("timestamp", "date"), ("time", "TradeDate"), ("datetime", "bar_date")]
)
@pytest.mark.parametrize(
    "written",
    ["2024-06-01 10:00:{:02}", "2024-06-01T10:00:{:02}Z", "17172396{:02}", "2024-06-01 10:00:00"],
)
def test_a_time_of_ingestion_before_the_date(name: str, day: str, written: str) -> None:
    raw = table(
        **{name: [written.format(at) for at in range(10)], day: [f"{each}" for each in DAYS]}
    )
    with pytest.raises(ColumnMismatch, match="could both be the time of a bar") as raised:
        layout(raw)
    if "{" in written:
        assert raised.value.hint == f"say which: --column ts={day}, or --column ts={name}"
    assert dates(raw, columns={"ts": day}) == [f"{each}" for each in DAYS]


def test_the_days_are_named_first() -> None:
    raw = table(t=[f"17172396{at:02}" for at in range(10)], day=[f"{each}" for each in DAYS])
    with pytest.raises(ColumnMismatch, match="could both be the time of a bar") as raised:
        layout(raw)
    assert raised.value.hint == "say which: --column ts=day, or --column ts=t"


def test_ingestion_on_the_day_after() -> None:
    raw = table(
        timestamp=[f"{each + timedelta(days=1)}T06:00:00Z" for each in DAYS[:4]],
        date=[f"{each}" for each in DAYS[:4]],
    )
    with pytest.raises(ColumnMismatch, match="such as 2024-03-05 and 2024-03-04"):
        layout(raw, interval="1d")


@pytest.mark.parametrize(
    "others",
    [
        {"timestamp": [f"{each}T21:00:00Z" for each in DAYS], "date": [f"{each}" for each in DAYS]},
        {"timestamp": [f"{each}T21:00:00Z" for each in DAYS], "settlement": ["2024-06-21"] * 10},
        {"": [str(at) for at in range(10)], "date": [f"{each}" for each in DAYS]},
    ],
)  # fmt: skip
def test_columns_that_agree_or_say_something_else(others: dict[str, list[str]]) -> None:
    assert dates(table(**others)) == [f"{each}" for each in DAYS]


def span(day: date, first: str, last: str) -> list[datetime]:
    at, end = (datetime.combine(day, time.fromisoformat(clock)) for clock in (first, last))
    return [at + timedelta(minutes=5 * step) for step in range(int((end - at).seconds / 300) + 1)]


def chinese(night: tuple[tuple[str, str], ...], days: list[date]) -> list[list[datetime]]:
    sessions = (*night, ("09:00", "10:10"), ("10:30", "11:25"), ("13:30", "14:55"))
    return [[at for first, last in sessions for at in span(day, first, last)] for day in days]


LATE = (("21:00", "23:55"), ("00:00", "02:25"))


@pytest.mark.parametrize("night", [LATE, LATE[:1], (("21:00", "22:55"),)])
@pytest.mark.parametrize("days", [DAYS, DAYS[1:3], DAYS[1:2]])
@pytest.mark.parametrize("newest_first", [False, True])
def test_nights_under_the_date_of_the_trading_day(
    night: tuple[tuple[str, str], ...], days: list[date], newest_first: bool
) -> None:
    times = [at for each in chinese(night, days) for at in each]
    raw = table(datetime=[f"{at}" for at in (times[::-1] if newest_first else times)])
    with pytest.raises(ColumnMismatch, match="under one date, 2024-03"):
        layout(raw, timezone="Asia/Shanghai")
    split = table(date=[f"{at:%Y%m%d}" for at in times], time=[f"{at:%H:%M:%S}" for at in times])
    with pytest.raises(ColumnMismatch, match="date of the trading day"):
        layout(split, timezone="Asia/Shanghai")


def test_sorted_nights_on_mondays() -> None:
    times = sorted(at for each in chinese(LATE, DAYS) for at in each)
    with pytest.raises(ColumnMismatch, match="Mondays have times from 00:00 to 02:25"):
        layout(table(datetime=[f"{at}" for at in times]), timezone="Asia/Shanghai")


def test_nights_under_their_own_dates() -> None:
    times = [at for day in DAYS for first, last in (("09:00", "11:25"), ("13:30", "14:55"))
             for at in span(day, first, last)]  # fmt: skip
    nights = [at + timedelta(hours=21) for day in DAYS for at in span(day, "00:00", "05:25")]
    ordered = sorted([*times, *nights])
    layout(table(datetime=[f"{at}" for at in ordered]), timezone="Asia/Shanghai")
    utc = [at - timedelta(hours=8) for at in ordered]
    layout(table(datetime=[f"{at}" for at in utc]))


@pytest.mark.parametrize(
    ("first", "last"), [("00:00", "23:55"), ("04:00", "19:55"), ("01:00", "23:10")]
)
def test_markets_without_a_night_session(first: str, last: str) -> None:
    days = [span(day, first, last) for day in DAYS]
    layout(table(datetime=[f"{at}" for each in days for at in each]))
    layout(table(datetime=[f"{at}" for each in days[::-1] for at in each]))


def sessions(*, by_trading_day: bool) -> RawBatch:
    """Days and evenings of Chinese futures, in the order of their clocks. The price rises by two
    from session to session as they follow each other, and by a little within each."""
    rows = []
    for number, day in enumerate(DAYS):
        night, session = (2 * number, 2 * number + 1) if by_trading_day else (
            2 * number + 1, 2 * number)  # fmt: skip
        for clock, at in ((9, session), (13, session), (21, night), (22, night)):
            price = 500 * 1.02**at
            rows.append((f"{day} {clock:02}:00:00", f"{price:.2f}", f"{price + 0.1:.2f}"))
    ts, opened, closed = map(list, zip(*rows, strict=True))
    prices = {"open": opened, "high": closed, "low": opened, "close": closed}
    return RawBatch(pl.DataFrame({"ts": ts, **prices}), Location("file.csv", 0, 1))


def test_evenings_of_the_trading_day_by_their_prices() -> None:
    with pytest.raises(
        ColumnMismatch, match="prices go on from the day of one date to the evening"
    ):
        layout(sessions(by_trading_day=True), interval="1h", timezone="Asia/Shanghai")
    assert layout(sessions(by_trading_day=False), interval="1h", timezone="Asia/Shanghai")
    flat = sessions(by_trading_day=True)
    same = flat.frame.with_columns(pl.lit("500").alias(n) for n in ("open", "high", "low", "close"))
    assert layout(RawBatch(same, flat.location), interval="1h", timezone="Asia/Shanghai")

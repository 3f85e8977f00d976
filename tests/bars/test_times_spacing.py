"""The interval read off the steps between bars."""

from __future__ import annotations

import itertools
import random
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loader import bars
from loader.bars.times import spacing
from loader.bars.times.spacing import infer


def times(start: datetime, step: timedelta, count: int) -> list[datetime]:
    return [start + step * n for n in range(count)]


def series(moments: list[datetime]) -> pl.Series:
    return pl.Series(moments, dtype=pl.Datetime("us"))


NINE_THIRTY = datetime(2024, 7, 1, 9, 30)


@pytest.mark.parametrize(
    ("interval", "seconds"),
    [(name, s) for name, s in bars.INTERVAL_SECONDS.items() if s <= 7 * 86_400],
)
def test_even_steps(interval: str, seconds: int) -> None:
    found = infer(series(times(NINE_THIRTY, timedelta(seconds=seconds), 50)))
    assert (found.interval, found.evidence) == (interval, "100 % of 49 steps")


def weekdays(count: int) -> list[datetime]:
    days = times(datetime(2024, 1, 1), timedelta(days=1), count * 2)
    return [day for day in days if day.weekday() < 5][:count]


def first_of_months(every: int, count: int) -> list[datetime]:
    return [datetime(2000 + n * every // 12, n * every % 12 + 1, 1) for n in range(count)]


def last_weekdays(count: int) -> list[datetime]:
    ends = [first - timedelta(days=1) for first in first_of_months(1, count + 1)[1:]]
    return [end - timedelta(days=max(0, end.weekday() - 4)) for end in ends]


@pytest.mark.parametrize(
    ("moments", "interval"),
    [
        (weekdays(10), "1d"),
        (weekdays(250), "1d"),
        (first_of_months(1, 24), "1mo"),
        (last_weekdays(24), "1mo"),
        (first_of_months(3, 12), "3mo"),
        (first_of_months(12, 6), "1y"),
        ([datetime(2024, 1, 5) + timedelta(weeks=n, days=-(n % 9 == 4)) for n in range(30)], "1w"),
    ],
)
def test_steps_of_the_calendar(moments: list[datetime], interval: str) -> None:
    assert infer(series(moments)).interval == interval


def test_sessions_leave_gaps() -> None:
    moments = [
        day + timedelta(hours=9.5) + timedelta(hours=n) for day in weekdays(20) for n in range(7)
    ]
    assert infer(series(moments)).interval == "1h"


def test_minutes_without_a_trade_are_gaps() -> None:
    chosen = random.Random(7).sample(range(10_000), 5_000)
    moments = [NINE_THIRTY + timedelta(minutes=n) for n in sorted(chosen)]
    assert infer(series(moments)).interval == "1m"


def test_midnights_of_new_york_in_utc_are_daily() -> None:
    zone = ZoneInfo("America/New_York")
    days = [date(2024, 1, 1) + timedelta(days=n) for n in range(366)]
    utc = [datetime(d.year, d.month, d.day, tzinfo=zone).astimezone(ZoneInfo("UTC")) for d in days]
    assert infer(series([moment.replace(tzinfo=None) for moment in utc])).interval == "1d"


def test_order_and_repeated_rows_do_not_matter() -> None:
    moments = times(NINE_THIRTY, timedelta(minutes=5), 40) * 2
    random.Random(1).shuffle(moments)
    assert infer(series(moments)).interval == "5m"
    assert infer(series(sorted(moments, reverse=True))).interval == "5m"


def test_steps_are_those_of_one_symbol() -> None:
    daily = weekdays(30)
    frame = pl.DataFrame({"t": [d for d in daily for _ in "AB"], "s": ["A", "B"] * 30})
    found = infer(frame["t"].cast(pl.Datetime("us")), [frame["s"]])
    assert (found.interval, found.evidence) == ("1d", "82.8 % of 58 steps")


@pytest.mark.parametrize(
    ("moments", "evidence"),
    [
        ([], "there are too few steps between them to tell: 0"),
        (weekdays(2), "there are too few steps between them to tell: 1"),
        (weekdays(3), "there are too few steps between them to tell: 2"),
        (times(NINE_THIRTY, timedelta(minutes=7), 30), "the usual step between them is 7 minutes"),
        (times(NINE_THIRTY, timedelta(days=10), 30), "the usual step between them is 10 days"),
        (
            [NINE_THIRTY + timedelta(seconds=n * n) for n in range(50)],
            "the steps between them vary",
        ),
        (
            # once a day for most, twice for some: neither daily nor anything else
            [
                d + timedelta(hours=h)
                for d in weekdays(40)
                for h in ((9,) if d.day % 2 else (9, 15))
            ],
            "the steps between them vary",
        ),
    ],
)
def test_too_little_evidence(moments: list[datetime], evidence: str) -> None:
    found = infer(series(moments))
    assert found.interval is None
    assert found.evidence.startswith(evidence)


@pytest.mark.parametrize(
    ("moments", "likely"),
    [
        (weekdays(3), "1d"),
        (times(NINE_THIRTY, timedelta(days=7), 3), "1w"),
        (times(NINE_THIRTY, timedelta(minutes=5), 2), "5m"),
        (times(NINE_THIRTY, timedelta(minutes=7), 3), None),
        ([], None),
    ],
)
def test_what_few_steps_suggest_is_offered_and_not_taken(
    moments: list[datetime], likely: str | None
) -> None:
    found = infer(series(moments))
    assert (found.interval, found.likely) == (None, likely)


def test_a_share_that_is_not_all_is_not_called_100() -> None:
    moments = times(NINE_THIRTY, timedelta(minutes=1), 50_000)
    moments.append(moments[-1] + timedelta(hours=1))
    assert infer(series(moments)).evidence == "99.9 % of 50,000 steps"


def test_a_month_has_one_bar() -> None:
    """Most steps are of a month, and many of a day: neither is the interval of all."""
    months = first_of_months(1, 8)
    days = [datetime(2024, 9, 2) + timedelta(days=at) for at in range(4)]
    assert infer(series([*months, *days])).interval is None


ROWS = st.tuples(
    st.sampled_from(["A", "B", None]), st.sampled_from([1, 2]),
    st.none() | st.integers(-9, 9).map(lambda n: NINE_THIRTY + timedelta(seconds=n / 2)),
)  # fmt: skip


@given(st.lists(ROWS, max_size=12), st.booleans())
def test_steps_are_those_from_time_to_time_of_each_series(
    rows: list[tuple[str | None, int, datetime | None]], grouped: bool
) -> None:
    if grouped:
        rows.sort(key=lambda row: (str(row[0]), row[1], row[2] or NINE_THIRTY))
    symbols, numbers, moments = map(list, zip(*rows, strict=True)) if rows else ([], [], [])
    keys = [pl.Series(symbols, dtype=pl.String), pl.Series(numbers, dtype=pl.Int64)]
    expected = []
    for key in {row[:2] for row in rows}:
        own = sorted(row[2] for row in rows if row[:2] == key and row[2] is not None)
        expected += [int((b - a).total_seconds()) for a, b in itertools.pairwise(own)]
    steps = spacing._steps(series(moments), keys)
    assert sorted(steps) == sorted(step for step in expected if step > 0)

"""Times as numbers: units by magnitude, dates in digits, and neither of these."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loader.bars.times import epochs

EPOCH = datetime(1970, 1, 1)
PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


def instants(*numbers: int | None, unit: str | None = None) -> list[datetime | None]:
    return epochs.instants(pl.Series(numbers, dtype=pl.Int64), unit).to_list()


@pytest.mark.parametrize(
    ("number", "value"),
    [
        (1_577_836_800, datetime(2020, 1, 1)),
        (1_577_836_800_000, datetime(2020, 1, 1)),
        (1_577_836_800_000_000, datetime(2020, 1, 1)),
        (1_577_836_800_000_000_000, datetime(2020, 1, 1)),
        (1_577_836_800_123, datetime(2020, 1, 1, 0, 0, 0, 123_000)),
        (100_000_000, datetime(1973, 3, 3, 9, 46, 40)),
        (9_999_999_999, datetime(2286, 11, 20, 17, 46, 39)),
        (946_684_800_000, datetime(2000, 1, 1)),
        (-1_325_583_000, datetime(1927, 12, 30, 14, 30)),
        (-631_152_000_000, datetime(1950, 1, 1)),
        (1_577_836_800_000_000_001, None),  # a nanosecond too much
        (0, None),
        (5, None),
        (99_999_999, None),
        (20_200_102, None),  # a date
        (20_200_102_030_405, None),  # a local time
        (199_012_190_000, None),  # YYYYMMDDHHMM, or milliseconds of 1976
        (10_000_000_000, None),
        (2**63 - 1, None),
        (-(2**63), None),
    ],
)
def test_units_are_recognised_by_magnitude(number: int, value: datetime | None) -> None:
    assert instants(number) == [value]


MOMENTS = st.datetimes(datetime(1973, 3, 4), datetime(2261, 1, 1))


@given(st.lists(st.tuples(MOMENTS, st.sampled_from(list(PER_SECOND)))))
def test_every_value_has_its_own_unit(moments: list[tuple[datetime, str]]) -> None:
    numbers, expected = [], []
    for moment, unit in moments:
        whole = moment.replace(microsecond=0)
        number = (whole - EPOCH) // timedelta(seconds=1) * PER_SECOND[unit]
        numbers.append(number)
        spells_minutes = 190_001_010_000 <= number < 209_912_312_360
        expected.append(None if spells_minutes else whole)
    assert instants(*numbers) == expected


def test_a_named_unit_is_taken_at_its_word() -> None:
    assert instants(5, -5, unit="s") == [EPOCH + timedelta(seconds=5), EPOCH - timedelta(seconds=5)]
    assert instants(199_012_190_000, unit="ms") == [datetime(1976, 4, 22, 9, 9, 50)]
    assert instants(5, unit="us") == [EPOCH + timedelta(microseconds=5)]
    assert instants(1_000, 1_500, unit="ns") == [EPOCH + timedelta(microseconds=1), None]
    assert instants(2**63 - 1, -(2**63), None, unit="s") == [None, None, None]


def test_dates_and_local_times_in_digits() -> None:
    days = pl.Series([20_200_229, 20_190_229, 19_000_101, 18_991_231, 2_020_102, None])
    assert epochs.calendar(days, "YYYYMMDD").to_list() == [
        datetime(2020, 2, 29), None, datetime(1900, 1, 1), None, None, None,
    ]  # fmt: skip
    seconds = pl.Series([20_200_102_030_405, 20_200_102_030_460, 20_200_102_240_000, 20_200_102])
    assert epochs.calendar(seconds, "YYYYMMDDHHMMSS").to_list() == [
        datetime(2020, 1, 2, 3, 4, 5), None, datetime(2020, 1, 3), None,
    ]  # fmt: skip


def test_kinds_are_counted() -> None:
    numbers = pl.Series(
        [2_024, 20_200_102, 20_200_102_030_405, 199_012_190_000, 1_577_836_800, 7, None]
    )
    assert epochs.kinds(numbers) == {
        "YYYY": 1, "YYYYMMDD": 1, "YYYYMMDDHHMMSS": 1, "YYYYMMDDHHMM": 1, "YYYYMMDDHHMMSSmmm": 0,
        "epoch": 1,
    }  # fmt: skip
    mixed = pl.Series([1_577_836_800, 1_577_836_800_000, 1_577_836_801_000])
    assert epochs.units(mixed) == {"s": 1, "ms": 2, "us": 0, "ns": 0}


@given(st.integers(10**8, 10**10 - 1))
def test_seconds_are_pythons(seconds: int) -> None:
    expected = datetime.fromtimestamp(0, UTC) + timedelta(seconds=seconds)
    assert instants(seconds) == [expected.replace(tzinfo=None)]

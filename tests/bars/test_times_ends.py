"""Bars stamped with their end, brought to their start."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl
import pytest

from loader.bars.times.ends import to_starts


def moments(*texts: str | None) -> pl.Series:
    values = [t and datetime.fromisoformat(t).replace(tzinfo=UTC) for t in texts]
    return pl.Series(values, dtype=pl.Datetime("us", "UTC"))


@pytest.mark.parametrize(
    ("interval", "end", "start"),
    [
        ("1m", "2011-03-02T14:31", "2011-03-02T14:30"),
        ("5m", "2015-02-19T15:35", "2015-02-19T15:30"),
        ("1h", "2024-01-01T00:00", "2023-12-31T23:00"),
        ("1d", "2024-01-05", "2024-01-05"),
        ("3d", "2024-01-05", "2024-01-03"),
        ("1w", "2018-01-05", "2018-01-01"),  # a Friday: the week of its Monday
        ("1w", "2018-01-01", "2018-01-01"),
        ("1mo", "2024-02-29", "2024-02-01"),
        ("3mo", "2024-06-28", "2024-04-01"),
        ("1y", "2023-12-29", "2023-01-01"),
    ],
)
def test_each_interval(interval: str, end: str, start: str) -> None:
    assert to_starts(moments(end), pl.Series([interval])).equals(moments(start))


def test_several_intervals_in_one_file_and_nulls() -> None:
    ends = moments("2024-01-05T10:05", "2024-01-05T10:05", None, "2024-01-05")
    starts = to_starts(ends, pl.Series(["5m", "1m", "1m", None]))
    assert starts.equals(
        moments("2024-01-05T10:00", "2024-01-05T10:04", None, None), null_equal=True
    )


def test_nothing_known() -> None:
    assert to_starts(moments(None), pl.Series([None], dtype=pl.String)).null_count() == 1

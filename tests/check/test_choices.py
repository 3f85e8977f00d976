"""What a person says precedes what a dialect says; equal columns of one name are one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import polars as pl

from loader.check.layout.decide import Layout, decide
from loader.check.normalise import normalise
from loader.read.batch import Location, RawBatch
from loader.settings import Meaning

NAMES = ("open", "high", "low", "close")
MINE = {
    "header": ["T", *NAMES],
    "columns": {"ts": "T", **{name: name for name in NAMES}},
    "stamp": "end",
    "time_format": "%m/%d/%Y %H:%M",
    "timezone": "UTC",
}


def read(**options: Any) -> tuple[Layout, datetime]:
    """The layout of a file of the dialect, and the first bar's ts."""
    columns = {name: ["10"] * 3 for name in NAMES}
    times = [f"02/03/2024 {hour}:00" for hour in (10, 11, 12)]
    batch = RawBatch(pl.DataFrame({"T": times, **columns}), Location("a.csv", 0, 1))
    named = {"dialect": "mine", "own_dialects": {"mine": MINE}}
    meaning = Meaning(provider="p", symbol="X", interval="1h", **named, **options)
    layout = decide(batch, meaning)
    return layout, normalise(batch, layout).bars["ts"][0]


def test_the_dialect_s_own() -> None:
    layout, first = read()
    assert (layout.stamp, first) == ("end", datetime(2024, 2, 3, 9, tzinfo=UTC))


def test_stamp_and_time_format() -> None:
    layout, first = read(stamp="start")
    assert (layout.stamp, first) == ("start", datetime(2024, 2, 3, 10, tzinfo=UTC))
    assert read(time_format="%d/%m/%Y %H:%M")[1] == datetime(2024, 3, 2, 9, tzinfo=UTC)


def test_a_volume_that_is_named_is_not_doubted() -> None:
    frame = pl.DataFrame({name: ["1"] for name in ("date", *NAMES, "volume", "volume_btc")})
    layout = decide(
        RawBatch(frame.with_columns(date=pl.lit("2024-03-04")), Location("a.csv", 0, 1)),
        Meaning(provider="p", symbol="X", interval="1d", columns={"volume": "volume"}),
    )
    assert layout.columns["volume"] == "volume"


def test_two_columns_of_one_name_are_equal_if_their_empty_cells_are() -> None:
    frame = pl.DataFrame({"Date": ["2024-03-04", None], **{name: ["1"] * 2 for name in NAMES}})
    doubled = frame.with_columns(Date_2=pl.col("Date"))
    found = decide(
        RawBatch(doubled, Location("a.csv", 0, 1)), Meaning(provider="p", symbol="X", interval="1d")
    )
    assert found.columns["ts"] == "Date"

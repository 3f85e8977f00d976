"""The name of a time's column may say its zone, and which end of the bar it is."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from loader.bars.times.zones import UTC, Zone
from loader.check.layout.decide import Layout, decide
from loader.errors import ColumnMismatch
from loader.read.batch import Location, RawBatch
from loader.settings import Meaning

NEW_YORK = "America/New_York"


def laid_out(name: str, clocks: list[str], **options: Any) -> Layout:
    count = len(clocks)
    frame = pl.DataFrame(
        {name: clocks, "open": ["1"] * count, "high": ["2"] * count, "low": ["1"] * count,
         "close": ["2"] * count}
    )  # fmt: skip
    meaning = Meaning(provider="p", symbol="A", interval="1m", **options)
    return decide(RawBatch(frame, Location("a.csv", 0, 1)), meaning)


CLOCKS = [f"2024-03-04 14:{minute}:00" for minute in range(30, 35)]


def test_a_name_that_says_utc_and_an_option_that_does_not() -> None:
    assert laid_out("timestamp_utc", CLOCKS).times.zone in (UTC, Zone("UTC", UTC.offset))
    assert laid_out("timestamp_utc", CLOCKS, timezone="UTC").times is not None
    with pytest.raises(ColumnMismatch, match="says UTC, and --timezone says America/New_York") as e:
        laid_out("timestamp_utc", CLOCKS, timezone=NEW_YORK)
    assert f"--column ts=timestamp_utc --timezone {NEW_YORK}" in str(e.value.hint)
    both = laid_out("timestamp_utc", CLOCKS, timezone=NEW_YORK, columns={"ts": "timestamp_utc"})
    assert str(both.times.zone) == NEW_YORK
    assert str(laid_out("timestamp", CLOCKS, timezone=NEW_YORK).times.zone) == NEW_YORK


@pytest.mark.parametrize("name", ["close_time", "endTime", "End", "bar_end"])
def test_a_name_that_says_end(name: str) -> None:
    given = {"columns": {"ts": name}, "timezone": "UTC"}
    with pytest.raises(ColumnMismatch, match="says that its times are the ends") as raised:
        laid_out(name, CLOCKS, **given)
    assert str(raised.value.hint).startswith("say --stamp end")
    assert laid_out(name, CLOCKS, stamp="end", **given).stamp == "end"
    assert laid_out(name, CLOCKS, stamp="start", **given).stamp == "start"

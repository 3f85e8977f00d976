"""The writes of a load by hour and by chunk, and files loaded week by week."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl

from loader.bars import SCHEMA
from loader.check.unique import partitioned
from loader.check.validate import CheckedBatch
from loader.store.timescale.chunks import (
    ALL_TIME,
    HourCounts,
    Stretch,
    Touched,
    _together,
    cut,
    touched,
)

T0 = datetime(2020, 1, 2, tzinfo=UTC)  # a Thursday, on which weeks begin here
HOUR, WEEK = timedelta(hours=1), timedelta(days=7)


def times(*moments: datetime, interval: str = "1m") -> pl.DataFrame:
    schema = {"interval": SCHEMA["interval"], "ts": SCHEMA["ts"]}
    return pl.DataFrame([(interval, moment) for moment in moments], schema, orient="row")


def chunk(name: str, start: datetime, *, compressed: bool = False) -> tuple[object, ...]:
    return name, start, start + WEEK, compressed, False


CHUNKS = pl.DataFrame(
    [chunk("a", T0, compressed=True), chunk("b", T0 + WEEK), chunk("d", T0 + 3 * WEEK)],
    schema={"chunk": pl.String(), "lo": SCHEMA["ts"], "hi": SCHEMA["ts"],
            "compressed": pl.Boolean(), "due": pl.Boolean()},
    orient="row",
)  # fmt: skip


def test_rows_are_counted_by_the_chunk_that_holds_them() -> None:
    hours = HourCounts()
    last = WEEK - timedelta(microseconds=1)
    hours.add(times(T0, T0 + last, T0 + WEEK, T0 - timedelta(seconds=1)))
    hours.add(times(T0 + 2 * WEEK, T0 + 3 * WEEK, T0))
    assert hours.rows == 7
    assert touched(CHUNKS, hours) == [  # before the first chunk and in the gap there is none
        Touched("a", T0, T0 + WEEK, True, False, 3),
        Touched("b", T0 + WEEK, T0 + 2 * WEEK, False, False, 1),
        Touched("d", T0 + 3 * WEEK, T0 + 4 * WEEK, False, False, 1),
    ]
    assert touched(CHUNKS, HourCounts()) == []


def test_spans_join_what_is_less_than_a_week_apart() -> None:
    hours = HourCounts()
    assert hours.spans("1m") == []
    hours.add(times(T0 - WEEK, T0 + 9 * WEEK, interval="1d"))
    hours.add(times(T0 + 5 * HOUR, T0 + timedelta(days=6), T0 + timedelta(days=30, minutes=7)))
    end = HOUR - timedelta(microseconds=1)
    assert hours.spans("1m") == [
        (T0 + 5 * HOUR, T0 + timedelta(days=6) + end),
        (T0 + timedelta(days=30), T0 + timedelta(days=30) + end),
    ]
    assert hours.spans("1d") == [(T0 + n * WEEK, T0 + n * WEEK + end) for n in (-1, 9)]
    assert hours.spans("1h") == []


def test_bars_of_several_intervals_in_one_frame() -> None:
    hours, more = HourCounts(), HourCounts()
    more.add(pl.concat([times(T0), times(T0 + WEEK, interval="1d"), times(T0 + HOUR)]))
    hours += more
    end = HOUR - timedelta(microseconds=1)
    assert hours.spans("1m") == [(T0, T0 + HOUR + end)]
    assert hours.spans("1d") == [(T0 + WEEK, T0 + WEEK + end)]
    assert [chunk.rows for chunk in touched(CHUNKS, hours)] == [2, 1]


def test_parts_of_the_count() -> None:
    hours, more = HourCounts(), HourCounts()
    hours.add(times(T0, T0 + WEEK))
    more.add(times(T0, T0 + WEEK + HOUR))
    hours += more
    assert hours.rows == 4
    assert hours.between(T0, T0 + WEEK).rows == 2
    assert hours.between(T0 + WEEK, None).rows == 2


def good(moments: list[datetime], symbol: str) -> pl.DataFrame:
    rows = [("p", symbol, "1h", ts, *[1.0] * 6, 1, n) for n, ts in enumerate(moments)]
    return pl.DataFrame(rows, schema={**SCHEMA, "row_number": pl.Int64()}, orient="row")


def test_a_file_by_symbol_comes_back_week_by_week() -> None:
    moments = [T0 + n * WEEK for n in range(6)]
    pieces = [
        CheckedBatch(good(moments, symbol), pl.DataFrame(), {}, pl.DataFrame())
        for symbol in ("A", "B", "C")
    ]
    found = [
        (piece.bars["ts"].min(), piece.bars["ts"].max(), sorted(piece.bars["symbol"]))
        for piece in partitioned(pieces, 18, 3, lambda rows: None, by_time=True)
        if piece.bars.height
    ]
    assert found == [(ts, ts, ["A", "B", "C"]) for ts in moments]


def weeks(first: int, last: int, *, whole: bool) -> Stretch:
    """From the begin of one week to the end of another."""
    end = T0 + (last + 1) * WEEK - timedelta(microseconds=1)
    return Stretch(T0 + first * WEEK, end, whole)


def test_neighbours_alike_are_looked_at_together() -> None:
    kinds = [False] * 10 + [True] + [False] * 2 + [True] * 70
    single = [weeks(n, n, whole=kind) for n, kind in enumerate(kinds)]
    assert _together(single) == [
        weeks(0, 7, whole=False), weeks(8, 9, whole=False), weeks(10, 10, whole=True),
        weeks(11, 12, whole=False), weeks(13, 76, whole=True), weeks(77, 82, whole=True),
    ]  # fmt: skip
    assert _together([]) == [ALL_TIME]


def test_no_time_is_looked_at_twice() -> None:
    """Chunks that somebody divided by symbol too, one of them compressed."""
    single = [
        weeks(0, 0, whole=True), weeks(1, 1, whole=True), weeks(1, 1, whole=False),
        weeks(2, 2, whole=True), weeks(2, 2, whole=True),
    ]  # fmt: skip
    assert _together(single) == [
        weeks(0, 0, whole=True), weeks(1, 1, whole=False), weeks(2, 2, whole=True)
    ]  # fmt: skip


def test_what_is_read_whole_is_cut_at_edges() -> None:
    def part(first: timedelta, end: timedelta, *, whole: bool) -> Stretch:
        return Stretch(T0 + first, T0 + end - timedelta(microseconds=1), whole)

    single = [weeks(0, 2, whole=True), weeks(3, 4, whole=False), weeks(5, 5, whole=True)]
    edges = [T0 - HOUR, T0, T0 + HOUR, T0 + WEEK, T0 + 4 * WEEK, T0 + 6 * WEEK]
    assert cut(single, edges) == [
        part(0 * WEEK, HOUR, whole=True), part(HOUR, WEEK, whole=True),
        part(WEEK, 3 * WEEK, whole=True), part(3 * WEEK, 5 * WEEK, whole=False),
        part(5 * WEEK, 6 * WEEK, whole=True),
    ]  # fmt: skip

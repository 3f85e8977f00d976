"""Finds bars that an exchange's calendar expects and the store lacks.

Only the bars' times are read, from the index of the key, once per series.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl

from loader import bars
from loader.bars import SERIES, TS
from loader.db.arrow import Connection
from loader.lazy import dataclass
from loader.store.packed import unpacked_times, wanted_json
from loader.survey.calendars import calendar
from loader.survey.expected import (
    PERIODS,
    UNKNOWN,
    Anchor,
    Bound,
    SlotGrid,
    period,
    slot_grids,
)
from loader.survey.waivers import Waiver

#: Most times to read with one query; a single series may have more.
_READ_TIMES = 1_000_000
_KNOWN = pl.col("interval").is_in([i for i in bars.INTERVALS if i not in UNKNOWN])


@dataclass(frozen=True, slots=True)
class Gap:
    """Consecutive missing bars of a series.

    Attributes:
        first, last: start of the first and of the last missing bar (UTC).
        bars: the number of missing bars.
        sessions: the number of sessions that are missing from open to close.
        first_session, last_session: the sessions of the first and the last missing bar.
    """

    provider: str
    symbol: str
    interval: str
    first: datetime
    last: datetime
    bars: int
    sessions: int
    first_session: date
    last_session: date


@dataclass(frozen=True, slots=True)
class SeriesGaps:
    """One series compared with the calendar.

    Attributes:
        first, last: starts of the first and last expected bar (UTC); None if no bar is expected.
        expected, stored, waived, missing: numbers of bars; the first is the sum of the others.
        outside: bars stored between first and last that the calendar does not expect.
        counted_from: whether bars start at the open of a session or on the clock.
        gaps: the missing bars, in order, without the waived ones.
    """

    provider: str
    symbol: str
    interval: str
    first: datetime | None
    last: datetime | None
    expected: int
    stored: int
    waived: int
    missing: int
    outside: int
    counted_from: Anchor
    gaps: tuple[Gap, ...]


@dataclass(frozen=True, slots=True)
class Span:
    """Bounds of the expected sessions (dates) or bars (UTC), `since` and `until` included. None
    means the first or last stored bar of each series. Bars must have ended by `now`."""

    since: Bound | None
    until: Bound | None
    now: datetime


def check(
    connection: Connection,
    series: pl.DataFrame,
    name: str,
    span: Span,
    waivers: Sequence[Waiver] = (),
) -> Iterator[SeriesGaps]:
    """Compares each of `series` (from `loader.store.series.stored_series`) with calendar `name`, by
    interval. Leaves out series with an interval that no calendar defines.

    Where none of them has a bar since the span begins, all of them lack its bars up to now.

    Raises:
        SettingsError: the calendar does not exist, or does not cover the span.
    """
    known = series.drop_nulls("first").filter(_KNOWN)
    if not known.height:
        return
    if span.until is None and silent(known, span).height == known.height:
        span = replace(span, until=span.now)
    first = _day(span.since) or known["first"].min().date() - timedelta(days=1)  # type: ignore[union-attr]
    last = _day(span.until) or known["last"].max().date()  # type: ignore[union-attr]
    last = min(last, span.now.date())
    sessions = calendar(name, min(first, last), last, evening=True)
    for (interval,), alike in known.group_by("interval", maintain_order=True):
        grids = slot_grids(sessions, str(interval), span.now)
        for group in _groups(alike, grids, span):
            stored = _stored_times(connection, group, str(interval))
            found = [_compared(grid, group, stored, span, waivers) for grid in grids]
            for either in zip(*found, strict=True):
                yield max(either, key=lambda checked: checked.stored)  # the first of equals


def silent(series: pl.DataFrame, span: Span) -> pl.DataFrame:
    """Those of `series` of which the last bar is before the span begins."""
    day = _day(span.since)
    if day is None:
        return series.clear()
    bound = (
        span.since
        if isinstance(span.since, datetime)
        else datetime(*day.timetuple()[:3], tzinfo=UTC)
    )
    return series.drop_nulls("last").filter(pl.col("last") < bound)


def unknown(series: pl.DataFrame) -> list[str]:
    """Intervals of `series` that `check` leaves out."""
    return series.filter(~_KNOWN)["interval"].unique().sort().to_list()


def _day(bound: Bound | None) -> date | None:
    return bound.date() if isinstance(bound, datetime) else bound


def _groups(series: pl.DataFrame, grids: Sequence[SlotGrid], span: Span) -> list[pl.DataFrame]:
    """Adds the span of time to read (`lo`, `hi`, null if nothing is expected), and splits the
    series into groups of about `_READ_TIMES` expected bars each, or one series."""
    ends = []
    for grid in grids:
        ranges = grid.ranges(series, span.since, span.until)
        some = ranges["b"] >= ranges["a"]
        ends.append(
            pl.DataFrame(
                {
                    "lo": grid.ts.gather(ranges["a"].set(~some, None)),
                    "hi": grid.ts.gather(ranges["b"].set(~some, None)),
                    "many": ranges["b"] - ranges["a"] + 1,
                }
            )
        )
    either = series.with_columns(
        lo=pl.min_horizontal(end["lo"] for end in ends),
        hi=pl.max_horizontal(end["hi"] for end in ends),
        group=pl.max_horizontal(end["many"] for end in ends).cum_sum() // _READ_TIMES,
    )
    return either.partition_by("group", maintain_order=True, include_key=False)


def _stored_times(connection: Connection, group: pl.DataFrame, interval: str) -> pl.DataFrame:
    """`sid` and `ts` of the slot of each stored bar in the group's spans."""
    last = pl.col("hi")
    if interval in PERIODS:  # a weekly bar may carry any day of its week
        last = last.dt.offset_by(PERIODS[interval]) - timedelta(microseconds=1)
    wanted = group.select("sid", *SERIES, "lo", hi=last).drop_nulls("lo")
    frames = [pl.DataFrame(schema={"sid": pl.Int32(), "ts": TS})]
    if wanted.height:
        connection.run("wanted_set", wanted_json(wanted))
        ends = wanted.select(pl.col("lo").min(), pl.col("hi").max()).row(0)
        frames += map(unpacked_times, connection.batches("stored_times", *ends))
    stored = pl.concat(frames)
    return stored.with_columns(period(pl.col("ts"), interval))


def _compared(
    grid: SlotGrid, group: pl.DataFrame, stored: pl.DataFrame, span: Span, waivers: Sequence[Waiver]
) -> list[SeriesGaps]:
    """Compares each series of the group with the slots, in order."""
    ranges = grid.ranges(group, span.since, span.until)
    slot_of = pl.DataFrame({"ts": grid.ts}).with_row_index("slot").cast({"slot": pl.Int64()})
    placed = (
        stored.join(slot_of, on="ts", how="left")
        .join(ranges, on="sid")
        .filter(pl.col("slot").is_null() | pl.col("slot").is_between("a", "b"))
    )
    counts = placed.group_by("sid").agg(
        outside=pl.col("slot").null_count(), stored=pl.col("slot").drop_nulls().n_unique()
    )
    # Missing slots lie between two stored neighbours, and beyond the outermost ones.
    there = pl.concat(
        [
            placed.select("sid", "slot").drop_nulls(),
            ranges.select("sid", slot=pl.col("a") - 1),
            ranges.select("sid", slot=pl.col("b") + 1),
        ]
    ).sort("sid", "slot")
    gaps = (
        there.with_columns(before=pl.col("slot").shift().over("sid"))
        .filter(pl.col("slot") - pl.col("before") > 1)
        .select("sid", a=pl.col("before") + 1, b=pl.col("slot") - 1)
    )
    missing: dict[int, list[tuple[int, int]]] = {}
    for sid, a, b in gaps.iter_rows():
        missing.setdefault(sid, []).append((a, b))
    rows = group.join(ranges, on="sid", maintain_order="left").join(
        counts, on="sid", how="left", maintain_order="left"
    )
    return [
        _checked(grid, row, missing.get(row["sid"], []), waivers)
        for row in rows.iter_rows(named=True)
    ]


def _checked(
    grid: SlotGrid, row: dict[str, Any], missing: list[tuple[int, int]], waivers: Sequence[Waiver]
) -> SeriesGaps:
    series = (row["provider"], row["symbol"], row["interval"])
    waived = [
        (grid.place(waiver.first, "left"), grid.place(waiver.last, "right") - 1)
        for waiver in waivers
        if waiver.concerns(*series)
    ]
    left = list(_without(missing, waived))
    expected = max(row["b"] - row["a"] + 1, 0)
    lost, still = (sum(b - a + 1 for a, b in runs) for runs in (missing, left))
    return SeriesGaps(
        *series,
        first=grid.ts[row["a"]] if expected else None,
        last=grid.ts[row["b"]] if expected else None,
        expected=expected,
        stored=row["stored"] or 0,
        waived=lost - still,
        missing=still,
        outside=row["outside"] or 0,
        counted_from=grid.anchor,
        gaps=tuple(_gap(grid, series, a, b) for a, b in left),
    )


def _without(
    runs: Iterable[tuple[int, int]], waived: Iterable[tuple[int, int]]
) -> Iterator[tuple[int, int]]:
    """`runs` of slots minus the `waived` ones; both are pairs of first and last slot."""
    for run in runs:
        pieces = [run]
        for lo, hi in waived:
            pieces = (
                [
                    piece
                    for a, b in pieces
                    for piece in ((a, min(b, lo - 1)), (max(a, hi + 1), b))
                    if piece[0] <= piece[1]
                ]
                if lo <= hi
                else pieces
            )
        yield from pieces


def _gap(grid: SlotGrid, series: tuple[str, str, str], a: int, b: int) -> Gap:
    whole = bisect_right(grid.ends, b) - bisect_left(grid.begins, a)
    return Gap(
        *series, grid.ts[a], grid.ts[b], b - a + 1, max(whole, 0), grid.session[a], grid.session[b]
    )

"""Which bars an exchange's calendar expects and the store does not have.

The bars' times are read from the index of their key, each series once, and never their values.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import polars as pl

from loader import bars
from loader.bars import SERIES, TS
from loader.db.arrow import Connection
from loader.store.packed import unpacked_times, wanted_json
from loader.survey.calendars import calendar
from loader.survey.expected import PERIODS, UNKNOWN, Anchor, Bound, SlotGrid, period, ways_of
from loader.survey.waivers import Waiver

#: Times to read with one query, but for a series that has more.
_READ_TIMES = 1_000_000
_KNOWN = pl.col("interval").is_in([i for i in bars.INTERVALS if i not in UNKNOWN])


@dataclass(frozen=True, slots=True)
class Gap:
    """Bars in a row that are missing from a series.

    Attributes:
        first, last: start of the first and of the last missing bar (UTC).
        bars: how many are missing.
        sessions: how many sessions of the calendar are missing from open to close.
        first_session, last_session: those that the two bars belong to.
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
    """One series beside the calendar.

    Attributes:
        first, last: starts of the first and last bar expected (UTC); None where none is.
        expected, stored, waived, missing: bars; the first is the sum of the others.
        outside: bars that are stored between first and last and that the calendar does not expect.
        counted_from: whether its bars start at the open of a session or on the clock.
        gaps: the missing ones, in order, without what is waived.
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
    """What is expected: sessions (dates) or bars (UTC) from `since` to `until`, both included. None
    is the first or the last stored bar of each series. Nothing is that has not ended by `now`."""

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
    """Each of `series` (as `loader.store.series.stored_series` has them) beside calendar `name`, by
    interval. Those whose interval no calendar knows are left out.

    Raises:
        SettingsError: there is no such calendar, or it does not reach so far.
    """
    known = series.drop_nulls("first").filter(_KNOWN)
    if not known.height:
        return
    first = _day(span.since) or known["first"].min().date() - timedelta(days=1)  # type: ignore[union-attr]
    last = _day(span.until) or known["last"].max().date()  # type: ignore[union-attr]
    sessions = calendar(name, first, min(last, span.now.date()), evening=True)
    for (interval,), alike in known.group_by("interval", maintain_order=True):
        ways = ways_of(sessions, str(interval), span.now)
        for group in _groups(alike, ways, span):
            stored = _stored_times(connection, group, str(interval))
            found = [_compared(way, group, stored, span, waivers) for way in ways]
            for either in zip(*found, strict=True):
                yield max(either, key=lambda checked: checked.stored)  # the first of equals


def unknown(series: pl.DataFrame) -> list[str]:
    """Intervals of `series` that `check` leaves out."""
    return series.filter(~_KNOWN)["interval"].unique().sort().to_list()


def _day(bound: Bound | None) -> date | None:
    return bound.date() if isinstance(bound, datetime) else bound


def _groups(series: pl.DataFrame, ways: Sequence[SlotGrid], span: Span) -> list[pl.DataFrame]:
    """The series with the span of time to read (`lo`, `hi`, null where nothing is expected), in
    groups that hold about `_READ_TIMES` expected bars each, or one series."""
    ends = []
    for way in ways:
        ranges = way.ranges(series, span.since, span.until)
        some = ranges["b"] >= ranges["a"]
        ends.append(
            pl.DataFrame(
                {
                    "lo": way.ts.gather(ranges["a"].set(~some, None)),
                    "hi": way.ts.gather(ranges["b"].set(~some, None)),
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
    if interval in PERIODS:  # whichever day of its week a bar is stamped with
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
    way: SlotGrid, group: pl.DataFrame, stored: pl.DataFrame, span: Span, waivers: Sequence[Waiver]
) -> list[SeriesGaps]:
    """Each series of the group beside the slots, in order."""
    ranges = way.ranges(group, span.since, span.until)
    slot_of = pl.DataFrame({"ts": way.ts}).with_row_index("slot").cast({"slot": pl.Int64()})
    placed = (
        stored.join(slot_of, on="ts", how="left")
        .join(ranges, on="sid")
        .filter(pl.col("slot").is_null() | pl.col("slot").is_between("a", "b"))
    )
    counts = placed.group_by("sid").agg(
        outside=pl.col("slot").null_count(), stored=pl.col("slot").drop_nulls().n_unique()
    )
    # Between two neighbours that are there, and beyond the outermost, lies what is missing.
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
        _checked(way, row, missing.get(row["sid"], []), waivers)
        for row in rows.iter_rows(named=True)
    ]


def _checked(
    way: SlotGrid, row: dict[str, Any], missing: list[tuple[int, int]], waivers: Sequence[Waiver]
) -> SeriesGaps:
    series = (row["provider"], row["symbol"], row["interval"])
    waived = [
        (way.place(waiver.first, "left"), way.place(waiver.last, "right") - 1)
        for waiver in waivers
        if waiver.concerns(*series)
    ]
    left = list(_without(missing, waived))
    expected = max(row["b"] - row["a"] + 1, 0)
    lost, still = (sum(b - a + 1 for a, b in runs) for runs in (missing, left))
    return SeriesGaps(
        *series,
        first=way.ts[row["a"]] if expected else None,
        last=way.ts[row["b"]] if expected else None,
        expected=expected,
        stored=row["stored"] or 0,
        waived=lost - still,
        missing=still,
        outside=row["outside"] or 0,
        counted_from=way.anchor,
        gaps=tuple(_gap(way, series, a, b) for a, b in left),
    )


def _without(
    runs: Iterable[tuple[int, int]], waived: Iterable[tuple[int, int]]
) -> Iterator[tuple[int, int]]:
    """`runs` of slots without those that are `waived`; both have first and last slots."""
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


def _gap(way: SlotGrid, series: tuple[str, str, str], a: int, b: int) -> Gap:
    whole = bisect_right(way.ends, b) - bisect_left(way.begins, a)
    return Gap(
        *series, way.ts[a], way.ts[b], b - a + 1, max(whole, 0), way.session[a], way.session[b]
    )

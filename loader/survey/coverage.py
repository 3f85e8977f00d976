"""What is stored at a glance: each series' first and last bar, how many, and where there are none.

No question here reads the bars: each is answered by probes into the index of their key, as many as
there are series and slices of time to look at, or by counting in it what a sample says. Compressed
chunks are asked for all series at once, slice by slice: of their batches only the times are read.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import polars as pl

from loader import bars
from loader.bars import SERIES
from loader.db.arrow import Connection
from loader.store.packed import wanted_json
from loader.store.series import SeriesFilter, series_of, stored_pieces
from loader.store.timescale.chunks import Stretch, stretches

#: Slices that a cell of the strip is looked at in, where there are not too many series.
_FINEST: Final = 8
#: Probes of all series together.
_PROBES: Final = 60_000
#: Possible bars up to which all are counted: a second at most.
_COUNTED: Final = 10_000_000
#: Weeks of a series to count for an estimate, at least.
_LEAST: Final = 6
_MICROSECOND: Final = timedelta(microseconds=1)
_WEEK: Final = timedelta(days=7) // _MICROSECOND
#: Where intervals differ in length: what none is shorter than, and none longer.
_SHORTEST: Final = {"1mo": timedelta(days=28)}
_LONGEST: Final = {
    "1mo": timedelta(days=31), "3mo": timedelta(days=92), "1y": timedelta(days=366)
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Covered:
    """One stored series within the bounds.

    Attributes:
        first, last: its first and last bar (UTC).
        bars: how many.
        exact: whether they were counted, or estimated from some of the weeks that hold any.
        cells: for each stretch of time the share of its slices that hold a bar, from 0 to 1; None
            before the first bar and after the last.
    """

    provider: str
    symbol: str
    interval: str
    first: datetime
    last: datetime
    bars: int
    exact: bool
    cells: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Coverage:
    """The series in order of their key, and the time that the cells of all of them share.

    `cell` is the length of one, the first of which begins at `origin` (UTC).
    """

    series: tuple[Covered, ...]
    origin: datetime | None
    cell: timedelta


def coverage(
    connection: Connection, asked: SeriesFilter, cells: int, *, exact: bool = False
) -> Coverage:
    """What is stored of `asked`, its time cut into `cells`; `exact` counts whatever it takes.

    Raises:
        NothingStored: there are no such series.
    """
    apart = stretches(connection)
    pieces = stored_pieces(connection, asked, apart).drop_nulls("first")
    if not pieces.height:
        return Coverage((), None, timedelta())
    series = series_of(pieces)
    grid = _Grid.over(series, cells)
    stops = _stops(connection, pieces, apart, grid)
    counts = _counts(connection, pieces, apart, stops, grid, exact=exact)
    strips = _strips(stops, grid)
    covered = tuple(
        Covered(p, s, i, first, last, *counts[sid], strips[sid])
        for sid, p, s, i, first, last in series.select("sid", *SERIES, "first", "last").iter_rows()
    )
    return Coverage(covered, grid.origin, grid.slice * grid.per_cell)


@dataclass(frozen=True, slots=True)
class _Grid:
    """Slices of time, `per_cell` to a cell, the first of which begins at `origin`."""

    origin: datetime
    slice: timedelta
    per_cell: int

    @classmethod
    def over(cls, series: pl.DataFrame, cells: int) -> _Grid:
        spans = series.select("first", end=pl.col("last") + _length("interval", _LONGEST))
        origin, end = spans["first"].min(), spans["end"].max()
        assert isinstance(origin, datetime)  # there is a series, and each has a first bar
        assert isinstance(end, datetime)
        per_cell = max(1, min(_FINEST, _PROBES // (series.height * cells)))
        slice_ = -(-(end - origin) // (cells * per_cell * _MICROSECOND)) * _MICROSECOND
        return cls(origin, slice_, per_cell)

    def number(self, ts: pl.Expr) -> pl.Expr:
        """Of the slice that a time is in."""
        width = self.slice // _MICROSECOND
        return (ts - self.origin).dt.total_microseconds() // width


def _length(interval: str, exceptions: dict[str, timedelta]) -> pl.Expr:
    known = {i: timedelta(seconds=s) for i, s in bars.INTERVAL_SECONDS.items()} | exceptions
    return pl.col(interval).replace_strict(
        known, default=timedelta(seconds=1), return_dtype=pl.Duration("us")
    )


def _stops(
    connection: Connection, pieces: pl.DataFrame, apart: Sequence[Stretch], grid: _Grid
) -> pl.DataFrame:
    """Bars in each slice that has any, in order: `sid`, number of the `stretch`, `ts`, and
    `length`. Of those in a stretch: the first in each slice that no bar before reaches into."""
    frames = []
    for (number,), own in pieces.group_by("stretch", maintain_order=True):
        assert isinstance(number, int)
        stretch = apart[number]
        ask = _first_of_slices if stretch.compressed else _walked
        found = ask(connection, own, stretch, grid).cast({"ts": bars.TS})
        frames.append(found.with_columns(stretch=pl.lit(number, pl.Int32())))
    lengths = series_of(pieces).select("sid", length=_length("interval", _LONGEST))
    return pl.concat(frames).sort("sid", "ts").join(lengths, on="sid", maintain_order="left")


def _walked(
    connection: Connection, pieces: pl.DataFrame, stretch: Stretch, grid: _Grid
) -> pl.DataFrame:
    """`sid` and `ts` of what the index was asked for, bar by bar."""
    length = _length("interval", _SHORTEST).dt.total_microseconds()
    wanted = pieces.select(
        "sid", *SERIES, "first", "last",
        length=pl.format("{} microseconds", length),
        origin=grid.origin,
        slice=pl.lit(f"{grid.slice // _MICROSECOND} microseconds"),
    )  # fmt: skip
    connection.run("wanted_set", wanted_json(wanted))
    return pl.concat(connection.frames("coverage_walk", stretch.lo, stretch.hi))


def _first_of_slices(
    connection: Connection, pieces: pl.DataFrame, stretch: Stretch, grid: _Grid
) -> pl.DataFrame:
    """`sid` and `ts` of the first bar in each slice."""
    first, last = pieces.select(pl.col("first").min(), pl.col("last").max()).row(0)
    frames: list[pl.DataFrame] = []
    number = (first - grid.origin) // grid.slice
    while (begin := grid.origin + number * grid.slice) <= last:
        lo, hi = max(begin, first), min(begin + grid.slice - _MICROSECOND, last)
        frames += connection.frames("series_between", lo, hi)
        number += 1
    return pieces.select("sid", *SERIES).join(
        pl.concat(frames).select(*SERIES, ts="first"), on=SERIES
    ).select("sid", "ts")  # fmt: skip


def _strips(stops: pl.DataFrame, grid: _Grid) -> dict[int, tuple[float | None, ...]]:
    """The cells of each series. A slice holds the bars that start in it, and those that are longer
    than a slice and reach into it."""
    reach = pl.when(pl.col("length") > grid.slice).then(pl.col("length") - _MICROSECOND)
    last = pl.col("ts") + reach.otherwise(timedelta())
    reaches = stops.select(
        "sid", slice=pl.int_ranges(grid.number(pl.col("ts")), grid.number(last) + 1)
    )
    filled = reaches.explode("slice", empty_as_null=False).unique()
    cell = pl.col("slice") // grid.per_cell
    held = filled.group_by("sid", cell=cell).len()
    found = {(sid, cell): n for sid, cell, n in held.iter_rows()}
    ends = filled.group_by("sid").agg(lo=pl.col("slice").min(), hi=pl.col("slice").max())
    many = int(filled["slice"].max()) // grid.per_cell + 1  # type: ignore[arg-type]
    strips = {}
    for sid, lo, hi in ends.iter_rows():
        strips[sid] = tuple(
            found.get((sid, number), 0) / inside if inside > 0 else None
            for number in range(many)
            for inside in [
                min(hi, (number + 1) * grid.per_cell - 1) - max(lo, number * grid.per_cell) + 1
            ]
        )
    return strips


def _counts(
    connection: Connection,
    pieces: pl.DataFrame,
    apart: Sequence[Stretch],
    stops: pl.DataFrame,
    grid: _Grid,
    *,
    exact: bool,
) -> dict[int, tuple[int, bool]]:
    """How many bars each series has, and whether that was counted.

    Where there are too many for that, those of some weeks are counted, and the other weeks that
    have any are taken to be like them. Of compressed chunks it is known.
    """
    known = pieces.group_by("sid").agg(pl.col("bars").sum())
    counts = {sid: (many, True) for sid, many in known.iter_rows()}
    pieces = pieces.filter(pl.col("bars").is_null())
    stops = stops.join(pieces, on=["sid", "stretch"], how="semi", maintain_order="left")
    width = grid.slice // _MICROSECOND
    possible = (width // stops["length"].dt.total_microseconds()).clip(1).sum()
    share = 1.0 if exact else min(1.0, _COUNTED / max(possible, 1))
    week = max(width, _WEEK)
    weeks = stops.select(
        "sid", week=(pl.col("ts") - grid.origin).dt.total_microseconds() // week * week
    ).unique(maintain_order=True)
    begins = pl.lit(grid.origin).cast(bars.TS) + pl.duration(microseconds="week")
    whole = weeks.select("sid", lo=begins, hi=begins + (week - 1) * _MICROSECOND)
    ends = pieces.group_by("sid").agg(lo=pl.col("first").min(), hi=pl.col("last").max())
    scales: dict[int, tuple[int, int]] = {}
    wanted: list[pl.DataFrame] = []
    for own in whole.partition_by("sid", maintain_order=True):
        sid = own["sid"][0]
        taken = max(math.ceil(own.height * share), min(own.height, _LEAST))
        scales[sid] = (own.height, taken)
        if taken == own.height:
            wanted.append(ends.filter(sid=sid))
        else:
            wanted.append(own[_spread(own.height, taken, sid)])
    counted = _counted(connection, wanted, pieces, apart)
    for sid, (all_, taken) in scales.items():
        counts[sid] = (counts[sid][0] + round(counted[sid] * all_ / taken), all_ == taken)
    return counts


def _counted(
    connection: Connection,
    wanted: Sequence[pl.DataFrame],
    pieces: pl.DataFrame,
    apart: Sequence[Stretch],
) -> Counter[int]:
    """Bars by `sid` that lie between `lo` and `hi` of `wanted` and within the pieces."""
    counted: Counter[int] = Counter()
    if not wanted:
        return counted
    within = (
        pl.concat(wanted)
        .join(pieces, on="sid")
        .select(
            "sid", "stretch", *SERIES,
            lo=pl.max_horizontal("lo", "first"), hi=pl.min_horizontal("hi", "last"),
        )
        .filter(pl.col("lo") <= pl.col("hi"))
    )  # fmt: skip
    for (number,), own in within.group_by("stretch"):
        assert isinstance(number, int)
        stretch = apart[number]
        connection.run("wanted_set", wanted_json(own.drop("stretch")))
        for frame in connection.frames("stretch_counts", stretch.lo, stretch.hi):
            counted.update(dict(frame.iter_rows()))
    return counted


def _spread(all_: int, taken: int, series: int) -> list[int]:
    """One of each `taken`-th part of `all_` places, never twice at the same distance: what comes
    back with the month or the year is met as often as it is there."""
    golden = (math.sqrt(5) - 1) / 2
    return [int((n + (n + series) * golden % 1) * all_ / taken) for n in range(taken)]

"""An overview of the store: each series' first and last bar, its count, and the empty times.

No query here reads values of bars. Each one probes the index of the key, once per series and slice
of time, or counts index entries in a sample of weeks. Compressed chunks are queried for all series
at once, slice by slice; only the times of their batches are read.
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

#: Most slices per cell of the strip; fewer if there are many series.
_FINEST: Final = 8
#: Most probes for all series together.
_PROBES: Final = 60_000
#: Up to this many possible bars, all are counted: a second at most.
_COUNTED: Final = 10_000_000
#: Fewest weeks of a series to count for an estimate.
_LEAST: Final = 6
_MICROSECOND: Final = timedelta(microseconds=1)
_WEEK: Final = timedelta(days=7) // _MICROSECOND
#: Bounds for intervals of variable length: none is shorter, none is longer.
_SHORTEST: Final = {"1mo": timedelta(days=28)}
_LONGEST: Final = {
    "1mo": timedelta(days=31), "3mo": timedelta(days=92), "1y": timedelta(days=366)
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Covered:
    """One stored series within the bounds.

    Attributes:
        first, last: its first and last bar (UTC).
        bars: the number of bars.
        exact: whether they were counted; otherwise estimated from some weeks that hold bars.
        cells: for each cell of time, the share of its slices that hold a bar, from 0 to 1; None
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
    """The series in order of their key, and the cells of time that all of them share.

    Each cell has the length `cell`; the first one begins at `origin` (UTC).
    """

    series: tuple[Covered, ...]
    origin: datetime | None
    cell: timedelta


def coverage(
    connection: Connection, asked: SeriesFilter, cells: int, *, exact: bool = False
) -> Coverage:
    """The coverage of the series `asked` for, with their time cut into `cells`. `exact` counts all
    bars, however long that takes.

    Raises:
        NothingStored: no such series is stored.
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
    """Slices of time, `per_cell` in each cell; the first one begins at `origin`."""

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
        """The number of the slice that contains a time."""
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
    """Bars that show which slices hold any, in order: `sid`, number of the `stretch`, `ts`, and
    `length`. Within a stretch: the first bar of each slice that no earlier bar reaches into."""
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
    """`sid` and `ts` of the bars found by walking the index from slice to slice."""
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
    """The cells of each series. A slice holds the bars that start in it, and bars longer than a
    slice that reach into it."""
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
    """The number of bars of each series, and whether it was counted.

    If there are too many bars, only some weeks are counted, and the other weeks with bars are
    assumed to be like them. Compressed chunks store their counts.
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
    """Counts bars by `sid` between `lo` and `hi` of `wanted` and within the pieces."""
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
    """Picks one place in each of `taken` equal parts of `all_` places, at varying distances: the
    sample must not line up with monthly or yearly patterns."""
    golden = (math.sqrt(5) - 1) / 2
    return [int((n + (n + series) * golden % 1) * all_ / taken) for n in range(taken)]

"""An overview of the store: each series' first and last bar, its count, and the empty times.

No query here reads values of bars. Each one probes the index of the key, once per series and slice
of time, or counts index entries in a sample of weeks. Compressed chunks, and those with few bars of
each series, are queried for all series at once, slice by slice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from typing import Final

import polars as pl

from loader import bars
from loader.bars import SERIES
from loader.db.arrow import Connection
from loader.lazy import dataclass
from loader.store.packed import wanted_json
from loader.store.series import SeriesFilter, apart_for, series_of, stored_pieces
from loader.store.timescale.chunks import Stretch
from loader.survey.counts import counts, in_slices, shared_out

#: Most slices per cell of the strip; fewer if there are many series.
_FINEST: Final = 8
#: Most probes for all series together, as long as each has a few cells.
_PROBES: Final = 60_000
_FEWEST: Final = 12
#: So many series are shared out among so many sessions.
_MANY: Final = 1_000
_SESSIONS: Final = 4
_MICROSECOND: Final = timedelta(microseconds=1)
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
    connection: Connection,
    asked: SeriesFilter,
    cells: int,
    *,
    exact: bool = False,
    another: Callable[[], Connection] | None = None,
) -> Coverage:
    """The coverage of the series `asked` for, with their time cut into `cells`, or fewer if there
    are thousands of series. `exact` counts all bars, however long that takes. `another` opens
    sessions that read the same bars, to share many series out among them.

    Raises:
        NothingStored: no such series is stored.
    """
    apart = apart_for(connection, asked)
    pieces = stored_pieces(connection, asked, apart, within=True).drop_nulls("first")
    if not pieces.height:
        return Coverage((), None, timedelta())
    series = series_of(pieces)
    grid = _Grid.over(series, max(min(cells, _PROBES // series.height), min(cells, _FEWEST)))
    with _sessions(connection, another if series.height >= _MANY else None) as sessions:
        stops = _stops(sessions, pieces, apart, grid)
        known = counts(sessions, pieces, apart, stops, grid.slice, exact=exact)
    strips = _strips(stops, grid)
    covered = tuple(
        Covered(p, s, i, first, last, *known[sid], strips[sid])
        for sid, p, s, i, first, last in series.select("sid", *SERIES, "first", "last").iter_rows()
    )
    return Coverage(covered, grid.origin, grid.slice * grid.per_cell)


@contextmanager
def _sessions(
    connection: Connection, another: Callable[[], Connection] | None
) -> Iterator[list[Connection]]:
    with ExitStack() as stack:
        opened = [stack.enter_context(another()) for _ in range(_SESSIONS - 1) if another]
        yield [connection, *opened]


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
    sessions: Sequence[Connection], pieces: pl.DataFrame, apart: Sequence[Stretch], grid: _Grid
) -> pl.DataFrame:
    """Bars that show which slices hold any, in order: `sid`, number of the `stretch`, `ts`, and
    `length`. Within a stretch: the first bar of each slice that no earlier bar reaches into."""

    def looked(connection: Connection, own: pl.DataFrame) -> list[pl.DataFrame]:
        frames = []
        for (number,), part in own.group_by("stretch", maintain_order=True):
            assert isinstance(number, int)
            stretch = apart[number]
            if stretch.whole:
                sliced = in_slices(connection, part, grid.origin, grid.slice)
                found = sliced.select("sid", ts="first")
            else:
                found = _walked(connection, part, stretch, grid).cast({"ts": bars.TS})
            frames.append(found.with_columns(stretch=pl.lit(number, pl.Int32())))
        return frames

    frames = [frame for part in shared_out(sessions, pieces, looked) for frame in part]
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


def relative(cells: Sequence[float | None]) -> list[float | None]:
    """Cells relative to the upper quartile, at most 1, so that nights and weekends do not show as
    holes."""
    inside = sorted(cell for cell in cells if cell)
    usual = inside[len(inside) * 3 // 4] if inside else 1.0
    return [None if cell is None else min(cell / usual, 1.0) for cell in cells]

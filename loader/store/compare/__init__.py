"""The bars of a file beside the stored ones, so that only differences are written."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from typing import Final

import polars as pl

from loader import bars
from loader.bars import TS
from loader.check.unique import UniqueBatch
from loader.lazy import dataclass

ENDS: Final = pl.Schema({"sid": pl.Int32(), "stored_lo": TS, "stored_hi": TS})
STORED: Final = pl.Schema({"sid": pl.Int32(), "ts": TS, **{v: bars.SCHEMA[v] for v in bars.VALUES}})


@dataclass(frozen=True, slots=True)
class PendingDiff:
    """A piece, and the stored bars to compare it with, which are still being read.

    `rows` has `bars.SCHEMA`, sorted by key, one row per key, and `sid`, the series' number in the
    piece. It is None if nothing of the piece can be stored yet.

    `series` has those of the piece in the order of their `sid`: `stored_lo` and `stored_hi`, the
    first and last stored ts (null: not stored, or not known), and whether all stored bars from the
    piece before up to the end of this one are read (`whole`), not only those near its own.
    `reads_ends` says that the ends of some series are read together with the bars.
    """

    unique: UniqueBatch
    rows: pl.DataFrame | None = None
    parts: Sequence[Future[Reading]] = ()
    series: pl.DataFrame | None = None
    reads_ends: bool = False

    def stored(self) -> Reading:
        """The stored bars in the order of `rows`. Waits until they are read.

        Raises:
            DatabaseError: they could not be read.
        """
        read = [part.result() for part in self.parts]
        frames = [frame for one in read for frame in one.frames]
        return Reading(
            [pl.concat(frames) if frames else pl.DataFrame(schema=STORED)],
            [counts for one in read for counts in one.others],
            pl.concat([pl.DataFrame(schema=ENDS), *(one.ends for one in read)]),
        )


@dataclass(frozen=True, slots=True)
class Reading:
    """Stored bars: `frames` of `STORED`, and how many `others` of the same stretches there are,
    which were not kept in memory (sid, len). `ends` (`ENDS`) has the first and last stored ts of
    the series that were asked for them; a series without bars is not there."""

    frames: list[pl.DataFrame]
    others: list[pl.DataFrame]
    ends: pl.DataFrame


@dataclass(frozen=True, slots=True)
class Met:
    """A piece beside the stored bars, row by row.

    `joined` has the rows of the piece, with `sid` and the stored values as `open_old` …; `found`
    says which of them are stored, `changed` which of these with other values. `stored` is what was
    read: `sid` of each, and `others` as in `Reading`.
    """

    joined: pl.DataFrame
    found: pl.Series
    changed: pl.Series
    stored: pl.Series
    others: list[pl.DataFrame]


@dataclass(frozen=True, slots=True)
class Diff:
    """`new` and `changed` have `bars.SCHEMA`, sorted by key; `unchanged` counts the rest. `series`
    are those of the `PendingDiff`; `met` is None where nothing of the piece can be stored."""

    unique: UniqueBatch
    new: pl.DataFrame
    changed: pl.DataFrame
    unchanged: int
    series: pl.DataFrame | None = None
    met: Met | None = None


def compare(pending: PendingDiff) -> Diff:
    """Splits a piece into new, changed and unchanged bars."""
    unique, rows = pending.unique, pending.rows
    if rows is None:
        bare = unique.bars.select(bars.COLUMNS)
        return Diff(unique, bare, bare.clear(), 0, pending.series)
    reading, series = pending.stored(), pending.series
    if pending.reads_ends:
        assert series is not None
        series = _with_ends(series, reading.ends)
        if not series.select(meets().any()).item():
            bare = unique.bars.select(bars.COLUMNS)
            is_known = series["stored_lo"].null_count() < series.height
            return Diff(unique, bare, bare.clear(), 0, series if is_known else None)
    (stored,) = reading.frames
    met = beside(rows, stored, reading.others)
    new, changed = _those(rows, ~met.found), _those(rows, met.changed)
    unchanged = rows.height - new.height - changed.height
    return Diff(unique, new, changed, unchanged, series, met)


def beside(rows: pl.DataFrame, stored: pl.DataFrame, others: Sequence[pl.DataFrame] = ()) -> Met:
    """Bars (`sid`, ts and `bars.VALUES`, one per key and sorted by it) beside the `stored` ones
    (`STORED`, sorted the same way)."""
    old = stored.with_columns(found=pl.lit(True)).rename({v: f"{v}_old" for v in bars.VALUES})
    if _same_keys(rows, stored):  # only known bars, as in a replay: no need to search
        joined = rows.hstack(old.drop("sid", "ts"))
    else:
        joined = rows.join(old, on=["sid", "ts"], how="left", maintain_order="left")
    differs = pl.any_horizontal(pl.col(v).ne_missing(pl.col(f"{v}_old")) for v in bars.VALUES)
    marked = joined.select(found=pl.col("found").fill_null(False), differs=differs)
    found = marked["found"]
    return Met(joined, found, found & marked["differs"], stored["sid"], list(others))


def _those(rows: pl.DataFrame, which: pl.Series) -> pl.DataFrame:
    found = rows[list(bars.COLUMNS)]
    return found.filter(which) if which.any() else found.clear()


def _same_keys(rows: pl.DataFrame, stored: pl.DataFrame) -> bool:
    return rows.height == stored.height and all(
        (rows[key] == stored[key]).all() for key in ("sid", "ts")
    )


def meets() -> pl.Expr:
    """Whether a series goes from `lo` to `hi` over times between its stored ends."""
    return (pl.col("lo") <= pl.col("stored_hi")) & (pl.col("hi") >= pl.col("stored_lo"))


def _with_ends(series: pl.DataFrame, ends: pl.DataFrame) -> pl.DataFrame:
    read = ends.rename({"stored_lo": "read_lo", "stored_hi": "read_hi"})
    both = series.join(read, on="sid", how="left", maintain_order="left")
    return both.with_columns(
        stored_lo=pl.coalesce("stored_lo", "read_lo"), stored_hi=pl.coalesce("stored_hi", "read_hi")
    ).drop("read_lo", "read_hi")

"""A piece of a source, and where in the source it stood."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl


@dataclass(frozen=True, slots=True)
class Location:
    """`source` names the file (and the member of an archive); `batch` counts from 0; `start_row` is
    the number of the batch's first data row in the source, counted from 1 without header lines."""

    source: str
    batch: int
    start_row: int


@dataclass(frozen=True, slots=True)
class RawBatch:
    """Rows as the source has them: its own column names and dtypes (text formats: all String).

    `misfits` are the rows that have more or fewer cells than there are columns, None where no row
    has: `at` (UInt32, the row's place in `frame`, from 0), `cells` (UInt32, how many it has) and
    `line` (String, the row as text). In `frame` such a row is no more than a guess: one with too
    few cells has nulls at its end, one with too many stands whole in its first column.
    """

    frame: pl.DataFrame
    location: Location
    misfits: pl.DataFrame | None = None

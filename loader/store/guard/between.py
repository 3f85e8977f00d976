"""New bars that come between stored ones, and few changed ones, seen before they are written: files
that change little need no watch."""

from __future__ import annotations

import polars as pl

from loader.bars import SERIES
from loader.check.guard.factors import LEAST
from loader.db.arrow import Connection
from loader.store.guard.search import shifted


def moved(reader: Connection, series: pl.DataFrame, new: pl.DataFrame) -> set[int]:
    """The files that have the values of bars of other times, stored ones or those of files before
    them: their guards have to see all of them. As of `loader.store.guard.signs`, which finds
    nothing else in bars that are new.

    Args:
        reader: sees what is committed.
        series: `file`, `bars.SERIES` and rows (`between`) of those that come between two stored
            bars which are neighbours.
        new: `file` and `bars.SCHEMA`: what all files will store, in their order, each sorted by
            key.

    Raises:
        DatabaseError: the server refused, or went away.
    """
    alone = pl.when(pl.col("between") >= LEAST).then("symbol").otherwise(pl.lit(""))
    pool = pl.struct("file", "provider", "interval", alone.alias("alone"))
    grouped = series.with_columns(group=pool.rank("dense"))
    grouped = grouped.filter(pl.col("between").sum().over("group") >= LEAST)
    if grouped.is_empty():
        return set()
    keys = grouped.select("file", *SERIES, "group")
    rows = new.join(keys, on=["file", *SERIES], maintain_order="left")
    files = dict(grouped.select("group", "file").iter_rows())
    return {files[shift.group] for shift in shifted(reader, rows, new)}


def is_little(changed: int, between: int) -> bool:
    """Whether so few bars of a file change stored ones, or come between them, that they show
    nothing: each sign takes more of them."""
    return changed + between < LEAST

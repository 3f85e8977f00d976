"""New bars that come between stored ones, seen before they are written: files that change nothing
need no watch."""

from __future__ import annotations

import polars as pl

from loader.bars import SERIES
from loader.check.guard.factors import LEAST
from loader.db.arrow import Connection
from loader.results.history import SeriesHistory
from loader.store.guard import counts
from loader.store.guard.search import shifted


def moved(reader: Connection, series: pl.DataFrame, new: pl.DataFrame) -> set[int]:
    """The files that have the values of bars of other times, stored ones or those of files before
    them: their guards have to see all of them. As of `loader.store.guard.signs`, which finds
    nothing else in bars that are new.

    Args:
        reader: sees what is committed.
        series: `file`, `bars.SERIES` and rows of those that come between two stored bars which are
            neighbours.
        new: `file` and `bars.SCHEMA`: what all files will store, in their order, each sorted by
            key.

    Raises:
        DatabaseError: the server refused, or went away.
    """
    alone = pl.when(pl.col("rows") >= LEAST).then("symbol").otherwise(pl.lit(""))
    pool = pl.struct("file", "provider", "interval", alone.alias("alone"))
    grouped = series.with_columns(group=pool.rank("dense"))
    grouped = grouped.filter(pl.col("rows").sum().over("group") >= LEAST)
    if grouped.is_empty():
        return set()
    keys = grouped.select("file", *SERIES, "group")
    rows = new.join(keys, on=["file", *SERIES], maintain_order="left")
    files = dict(grouped.select("group", "file").iter_rows())
    return {files[shift.group] for shift in shifted(reader, rows, new)}


def listed(series: pl.DataFrame) -> tuple[SeriesHistory, ...]:
    """Those of the series (`bars.SERIES`, rows) that a result lists."""
    if series.is_empty():
        return ()
    return counts.listed(series.with_columns(changed=0, between="rows", gone=0))

"""New bars that come between stored ones, seen before they are written: a file that changes nothing
needs no watch."""

from __future__ import annotations

from contextlib import nullcontext

import polars as pl

from loader.db.arrow import Connection
from loader.results.history import History, SeriesHistory
from loader.store.guard.counts import counts
from loader.store.guard.signs import signs
from loader.store.guard.watch import EVIDENCE, between


def inserted_between(
    reader: Connection, series: pl.DataFrame, found: pl.DataFrame, ahead: pl.DataFrame | None
) -> tuple[History, tuple[SeriesHistory, ...]] | None:
    """What a file does to the history; None if its bars look like something, so that its guard has
    to see all of it.

    Args:
        reader: sees what is committed.
        series: `bars.SERIES`, lo, hi and rows of those that come between two stored bars which are
            neighbours.
        found: their bars (`bars.SCHEMA`), sorted by series and ts.
        ahead: bars (`bars.SCHEMA`) that will be committed before.

    Raises:
        DatabaseError: the server refused, or went away.
    """
    seen = between(series)
    evidence = found.select(
        pl.col(name) if name in found.columns else pl.lit(None, dtype).alias(name)
        for name, dtype in EVIDENCE.items()
    )
    if signs(seen, [evidence], evidence.height, lambda: nullcontext(reader), ahead).seen:
        return None
    return counts(seen)

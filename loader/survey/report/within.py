"""Bars shorter than a day: how many of those that sessions expect are there, each one looked at.

Bars outside of sessions must not stand in for missing ones.
"""

from __future__ import annotations

import polars as pl

from loader.bars import SERIES, TS
from loader.db.arrow import Connection
from loader.survey.calendars import Calendar
from loader.survey.expected import slot_grids
from loader.survey.gaps import Span, check
from loader.survey.report.asked import Asked
from loader.survey.report.cells import Cells
from loader.survey.report.states import before


def within(
    connection: Connection, asked: Asked, short: pl.DataFrame, held: pl.DataFrame, cells: Cells,
    sessions: Calendar,
) -> pl.DataFrame:  # fmt: skip
    """`held` (sid, cell, bars) with the counts of the series `short` replaced by expected bars that
    are stored."""
    span = Span(None, None, asked.now)
    sids = {tuple(key): sid for sid, *key in short.select("sid", *SERIES).iter_rows()}
    missing = [
        (sids[gap.provider, gap.symbol, gap.interval], gap.interval, gap.first, gap.last)
        for found in check(connection, short, sessions.name, span)
        for gap in found.gaps
    ]
    schema = {"sid": pl.Int32(), "interval": pl.String(), "lo": TS, "hi": TS}
    gaps = pl.DataFrame(missing, schema, orient="row")
    frames = [held.join(short, on="sid", how="anti")]
    for (interval,), alike in short.group_by("interval", maintain_order=True):
        slots = slot_grids(sessions, str(interval), asked.now)[0].ts
        frames.append(_there(alike, gaps.filter(interval=interval), cells, slots))
    return pl.concat(frames)


def _there(
    series: pl.DataFrame, gaps: pl.DataFrame, cells: Cells, slots: pl.Series
) -> pl.DataFrame:
    """`sid`, `cell`, `bars`: expected from the first bar to the last, without the gaps."""
    ends = pl.DataFrame(
        {"cell": range(cells.many), "begin": cells.edges[:-1], "end": cells.edges[1:]},
        schema={"cell": pl.Int64(), "begin": TS, "end": TS},
    )
    due = _overlaps(series.select("sid", lo="first", hi="last"), ends, slots)
    lacks = _overlaps(gaps.select("sid", "lo", "hi"), ends, slots)
    both = due.join(lacks, on=["sid", "cell"], how="left", suffix="_gone")
    return both.select("sid", "cell", bars=pl.col("bars") - pl.col("bars_gone").fill_null(0))


def _overlaps(spans: pl.DataFrame, ends: pl.DataFrame, slots: pl.Series) -> pl.DataFrame:
    """How many `slots` each cell has of each sid's spans, both ends of them included."""
    met = spans.join_where(ends, pl.col("lo") < pl.col("end"), pl.col("hi") >= pl.col("begin"))
    upper = pl.min_horizontal(before(slots, "end"), before(slots, "hi", included=True))
    lower = pl.max_horizontal(before(slots, "begin"), before(slots, "lo"))
    counted = met.with_columns(bars=(upper - lower).clip(0))
    return counted.group_by("sid", "cell").agg(pl.col("bars").sum())

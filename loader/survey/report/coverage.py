"""Which bars are there, by series and cell of time, compared with an exchange's calendar."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final

import polars as pl

from loader import bars
from loader.bars import SERIES
from loader.db.arrow import Connection
from loader.errors import NothingStored
from loader.lazy import dataclass
from loader.store.series import apart_for, ends, series_of, stored_pieces
from loader.store.timescale.chunks import Stretch, cut
from loader.survey.calendars import calendar
from loader.survey.coverage import coverage
from loader.survey.report import cells as grids
from loader.survey.report.asked import Asked, Row
from loader.survey.report.cells import Cells
from loader.survey.report.states import COUNTS, by_calendar, by_usual
from loader.survey.report.within import within
from loader.survey.waivers import stored_waivers

#: Cells of a strip.
_CELLS: Final = 60


@dataclass(frozen=True, slots=True)
class Covered:
    """
    Attributes:
        cells: of time, the same for all series; None where nothing is stored.
        calendar: the exchange's that the bars were compared with, or None.
        sampled: whether cells were sampled, because there are too many bars to count.
        loose: whether bars shorter than a day are counted whatever hours of a session they are in,
            because there are too many to look at each.
        series: by series its key, `first` and `last` bar, `bars`, `states` (a letter for each cell:
            `loader.survey.report.states.STATES`); and with a calendar how many bars were `expected`
            from the first to the last one, are `missing` there or `waived`, and `behind`: expected
            after the last one and up to a day ago. Counts that are not known are None.
        groups: by provider and interval how many `series`, the sums of the counts, the first and
            last bar of all, `lagging` (how many series are behind), and `share`: for each cell the
            share of expected bars (or of full series) that is there, None where none is expected.
    """

    cells: Cells | None
    calendar: str | None
    sampled: bool
    loose: bool
    series: list[Row]
    groups: list[Row]


def covered(
    connection: Connection, asked: Asked, another: Callable[[], Connection] | None = None
) -> Covered:
    """`another` opens connections that read now.

    Raises:
        SettingsError: the calendar does not exist, or does not cover the span.
        NothingStored: none of a named series is stored.
    """
    apart = _apart(connection, asked)
    try:
        pieces = stored_pieces(connection, asked.bars, apart, within=True).drop_nulls("first")
    except NothingStored:
        if asked.bars.symbols or asked.bars.provider or asked.bars.interval:
            raise
        pieces = None
    if pieces is None or not pieces.height:
        return Covered(None, asked.calendar, False, False, [], [])
    series = series_of(pieces)
    first, last = series["first"].min(), series["last"].max()
    assert isinstance(first, datetime)
    assert isinstance(last, datetime)
    cells, end = _cells(asked, first, last)
    sampled = grids.about(connection, series) > grids.COUNTED
    sampled &= not all(apart[number].whole for number in pieces["stretch"].unique())
    if sampled:
        held, total = _sampled(connection, asked, series, cells, another)
    else:
        held = grids.counted(connection, pieces, apart, cells)
        total = held.group_by("sid").agg(pl.col("bars").sum())
    exact = False
    if asked.calendar is None:
        states = by_usual(series, held, cells)
    else:
        sessions = calendar(asked.calendar, first.date(), end.date(), evening=True)
        waivers = stored_waivers(connection)
        short = _short(series)
        exact = short.height > 0 and grids.about(connection, short) <= grids.EXACT
        if exact:
            held = within(connection, asked, short, held, cells, sessions)
        states = by_calendar(
            series, held, cells, sessions, waivers, min(end, asked.now), asked.now, sampled
        )
    loose = asked.calendar is not None and not sampled and not exact and bool(_short(series).height)
    rows = series.join(total, on="sid", how="left").join(states.rows, on="sid", how="left")
    rows = rows.sort("sid").select("sid", *SERIES, "first", "last", *COUNTS, "states")
    groups = _groups(rows, states.shares)
    return Covered(cells, asked.calendar, sampled, loose, rows.drop("sid").to_dicts(), groups)


def _apart(connection: Connection, asked: Asked) -> list[Stretch]:
    """The stretches of the bars; those that are read whole are cut where cells begin, so that they
    are read once."""
    apart = apart_for(connection, asked.bars)
    if not any(stretch.whole for stretch in apart):
        return apart
    found = ends(connection, asked.bars, apart)
    return apart if found is None else cut(apart, _cells(asked, *found)[0].edges)


def _cells(asked: Asked, first: datetime, last: datetime) -> tuple[Cells, datetime]:
    """The cells of a report on bars from `first` to `last`, and the time up to which they go."""
    named = asked.calendar is not None
    end = max(last, min(asked.now, asked.bars.until or asked.now)) if named else last
    return Cells.over(first, end, _CELLS, weekly=not named), end


def _short(series: pl.DataFrame) -> pl.DataFrame:
    """Those of bars shorter than a day."""
    lengths = pl.col("interval").replace_strict(
        bars.INTERVAL_SECONDS, default=86_400, return_dtype=pl.Int64
    )
    return series.filter(lengths < 86_400)


def _sampled(
    connection: Connection,
    asked: Asked,
    series: pl.DataFrame,
    cells: Cells,
    another: Callable[[], Connection] | None,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """As if a cell had one bar for each slice of time that holds any, and estimated totals."""
    found = coverage(connection, asked.bars, cells.many, another=None if asked.at else another)
    sids = {tuple(key): sid for sid, *key in series.select("sid", *SERIES).iter_rows()}
    held, total = [], []
    middles = [edge + cells.step / 2 for edge in cells.edges[:-1]]
    assert found.origin is not None  # the series are there
    places = [(middle - found.origin) // found.cell for middle in middles]
    for one in found.series:
        sid = sids[one.provider, one.symbol, one.interval]
        total.append((sid, one.bars))
        for cell, place in enumerate(places):
            share = one.cells[place] if 0 <= place < len(one.cells) else None
            if share:
                held.append((sid, cell, round(share * 1000)))
    return (
        pl.DataFrame(
            held, {"sid": pl.Int32(), "cell": pl.Int64(), "bars": pl.Int64()}, orient="row"
        ),
        pl.DataFrame(total, {"sid": pl.Int32(), "bars": pl.Int64()}, orient="row"),
    )


def _groups(rows: pl.DataFrame, shares: pl.DataFrame) -> list[Row]:
    keys = ["provider", "interval"]
    summed = rows.group_by(keys).agg(
        pl.len().alias("series"), pl.col("first").min(), pl.col("last").max(),
        *(pl.when(pl.col(c).count() > 0).then(pl.col(c).sum()).alias(c) for c in COUNTS),
        lagging=(pl.col("behind") > 0).sum(),
    )  # fmt: skip
    by_cell = (
        shares.join(rows.select("sid", *keys), on="sid")
        .group_by(*keys, "cell").agg(pl.col("there").sum(), pl.col("due").sum())
        .with_columns(share=pl.when(pl.col("due") > 0).then(pl.col("there") / pl.col("due")))
        .sort(*keys, "cell")
        .group_by(keys).agg(pl.col("share"))
    )  # fmt: skip
    return summed.join(by_cell, on=keys, how="left").sort(keys).to_dicts()

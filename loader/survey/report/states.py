"""What each cell of a strip shows: the bars in it beside the expected ones, as a letter."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, Literal

import polars as pl

from loader.bars import SERIES, TS
from loader.lazy import dataclass
from loader.survey.calendars import Calendar
from loader.survey.expected import UNKNOWN, SlotGrid, slot_grids
from loader.survey.report.cells import Cells
from loader.survey.waivers import Waiver

#: What one letter of a series' `states` says of its cell.
STATES: Final = {
    "F": "full", "P": "partial", "M": "missing", "W": "waived", "A": "after the last bar",
    ".": "nothing expected", " ": "before the first bar",
}  # fmt: skip
#: A bar that ended later is not yet behind: it may come with the next nightly load.
GRACE: Final = timedelta(days=1)
#: Without a calendar: a cell with a smaller share of the bars that the fuller ones have is partial.
_USUAL: Final = 0.6
COUNTS: Final = ("bars", "expected", "missing", "waived", "behind")


@dataclass(frozen=True, slots=True)
class States:
    """`rows`: by `sid` the counts and `states`; `shares`: by `sid` and cell what is `there` and
    what `due`."""

    rows: pl.DataFrame
    shares: pl.DataFrame


def _every(series: pl.DataFrame, held: pl.DataFrame, cells: Cells) -> pl.DataFrame:
    """A row for each series and cell, in order, with the `bars` there (0 for none), the cell's
    `begin`, and the `end` of its time (excluded)."""
    edges = cells.edges
    each = pl.DataFrame(
        {"cell": range(cells.many), "begin": edges[:-1], "end": edges[1:]},
        schema={"cell": pl.Int64(), "begin": TS, "end": TS},
    )
    return (
        series.select("sid", "interval", "first", "last")
        .join(each, how="cross")
        .join(held, on=["sid", "cell"], how="left")
        .with_columns(pl.col("bars").fill_null(0))
        .sort("sid", "cell")
    )


def by_usual(series: pl.DataFrame, held: pl.DataFrame, cells: Cells) -> States:
    """Each cell beside the fuller ones of its series, for the part of it that lies between the
    first and the last bar."""
    inside = pl.min_horizontal("end", "last") - pl.max_horizontal("begin", "first")
    share = (inside.dt.total_microseconds() / (cells.step // timedelta(microseconds=1))).clip(0, 1)
    usual = pl.col("bars").filter(pl.col("bars") > 0).quantile(0.75, "higher").over("sid")
    state = (
        pl.when(pl.col("end") <= pl.col("first")).then(pl.lit(" "))
        .when(pl.col("begin") > pl.col("last")).then(pl.lit("A"))
        .when(pl.col("bars") == 0).then(pl.lit("M"))
        .when(pl.col("bars") >= _USUAL * usual * share).then(pl.lit("F"))
        .otherwise(pl.lit("P"))
    )  # fmt: skip
    every = _every(series, held, cells).with_columns(state=state)
    rows = every.group_by("sid").agg(states=pl.col("state").str.join())
    unknown = {name: pl.lit(None, pl.Int64()) for name in COUNTS[1:]}
    shares = every.select(
        "sid", "cell", there=(pl.col("state") == "F").cast(pl.Int64()),
        due=(pl.col("state") != " ").cast(pl.Int64()),
    )  # fmt: skip
    return States(rows.with_columns(**unknown), shares)


def by_calendar(
    series: pl.DataFrame,
    held: pl.DataFrame,
    cells: Cells,
    sessions: Calendar,
    waivers: Sequence[Waiver],
    until: datetime,
    now: datetime,
    sampled: bool,
) -> States:
    parts = []
    for (interval,), alike in series.group_by("interval", maintain_order=True):
        every = _every(alike, held.join(alike, on="sid", how="semi"), cells)
        if interval in UNKNOWN:
            parts.append(every.with_columns(due=None, left=0, waivable=0))
            continue
        grid = slot_grids(sessions, str(interval), until)[0]
        slots = grid.ts
        due = pl.min_horizontal(before(slots, "end"), before(slots, "last", included=True))
        begun = pl.max_horizontal(before(slots, "begin"), before(slots, "first"))
        late = slot_grids(sessions, str(interval), min(until, now - GRACE))[0].ts.len()
        after = pl.min_horizontal(before(slots, "end"), pl.lit(late)) - pl.max_horizontal(
            before(slots, "begin"), before(slots, "last", included=True)
        )
        places = every.with_columns(due=(due - begun).clip(0), left=after.clip(0))
        parts.append(_waived(places, alike, grid, waivers))
    every = pl.concat(
        [
            part.cast({"due": pl.Int64(), "left": pl.Int64(), "waivable": pl.Int64()})
            for part in parts
        ]
    )
    if sampled:  # a slice tells whether there is any bar, not how many
        every = every.with_columns(
            bars=(pl.col("bars") * pl.col("due") / 1000).ceil().cast(pl.Int64())
        )
    lacks = (pl.col("due") - pl.col("bars")).clip(0)
    every = every.with_columns(waived=pl.min_horizontal(lacks, "waivable")).with_columns(
        missing=lacks - pl.col("waived")
    )
    state = (
        pl.when(pl.col("end") <= pl.col("first")).then(pl.lit(" "))
        .when(pl.col("due").is_null() & (pl.col("bars") > 0)).then(pl.lit("F"))
        .when(pl.col("due").is_null()).then(pl.lit("."))
        .when((pl.col("due") == 0) & (pl.col("left") > 0)).then(pl.lit("A"))
        .when(pl.col("due") == 0).then(pl.lit("."))
        .when((pl.col("missing") == 0) & (pl.col("waived") > 0)).then(pl.lit("W"))
        .when(pl.col("missing") == 0).then(pl.lit("F"))
        .when(pl.col("bars") == 0).then(pl.lit("M"))
        .otherwise(pl.lit("P"))
    )  # fmt: skip
    every = every.with_columns(state=state)
    rows = every.group_by("sid").agg(
        expected=pl.col("due").sum(), missing=pl.col("missing").sum(),
        waived=pl.col("waived").sum(), behind=pl.col("left").sum(),
        states=pl.col("state").str.join(),
    )  # fmt: skip
    shares = every.select(
        "sid", "cell", due=pl.col("due").fill_null(0) + pl.col("left"),
        there=pl.min_horizontal("bars", "due").fill_null(0) + pl.col("waived").fill_null(0),
    )  # fmt: skip
    return States(rows, shares)


def before(slots: pl.Series, column: str, *, included: bool = False) -> pl.Expr:
    """How many slots lie before the time in `column`, or up to and including it."""

    def places(times: pl.Series) -> pl.Series:
        side: Literal["left", "right"] = "right" if included else "left"
        return slots.search_sorted(times.cast(TS), side).cast(pl.Int64)

    return pl.col(column).map_batches(places, pl.Int64())


def _waived(
    places: pl.DataFrame, series: pl.DataFrame, grid: SlotGrid, waivers: Sequence[Waiver]
) -> pl.DataFrame:
    """Adds `waivable`: how many expected bars of the cell some waiver of the series covers."""
    found = [
        (sid, grid.place(waiver.first, "left"), grid.place(waiver.last, "right"))
        for waiver in waivers
        for sid, *key in series.filter(symbol=waiver.symbol).select("sid", *SERIES).iter_rows()
        if waiver.concerns(*key)
    ]
    if not found:
        return places.with_columns(waivable=pl.lit(0, pl.Int64()))
    spans = pl.DataFrame(found, ["sid", "a", "b"], orient="row").cast({"sid": pl.Int32()})
    marked = (
        spans.select("sid", slot=pl.int_ranges("a", pl.max_horizontal("a", "b")))
        .explode("slot", empty_as_null=False).unique()
    )  # fmt: skip
    timed = marked.with_columns(ts=grid.ts.gather(marked["slot"]))
    by_cell = (
        timed.join(places.select("sid", "cell", "begin", "end"), on="sid")
        .filter(pl.col("ts") >= pl.col("begin"), pl.col("ts") < pl.col("end"))
        .group_by("sid", "cell").agg(waivable=pl.len().cast(pl.Int64()))
    )  # fmt: skip
    waivable = places.join(by_cell, on=["sid", "cell"], how="left", maintain_order="left")
    return waivable.with_columns(pl.col("waivable").fill_null(0))

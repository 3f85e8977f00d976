"""Changes of stored bars: by the bars' own time and by when they were known."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import polars as pl

from loader.bars import SERIES, TS
from loader.db.arrow import Connection
from loader.db.rows import Session
from loader.lazy import dataclass
from loader.survey.report.asked import Asked, Row

#: Stretches of the bars' time that changes are added up in.
_BINS: Final = 120
#: Pictures of single series.
_PICTURES: Final = 12
#: Changes with so many bars, all by one factor, are an adjustment; the factors differ by less than
#: so many basis points, which is what rounding leaves.
_BAND: Final = 20
_ALIKE: Final = 20.0
#: The share of its span of time that a restatement of many bars fills; corrections fill less.
_DENSE: Final = 0.25


@dataclass(frozen=True, slots=True)
class Vintages:
    """
    Attributes:
        total: how many bars were changed or taken away.
        first, last: of their times; known_first, known_last: of when the changes were known.
        bin: the length of a stretch of the bars' time in `marks`.
        changes: by series and load, the largest first: its key, `run_id`, `known_at`, how many
            `bars`, how many of them `deleted`, their `first` and `last` ts, `bps` (the largest
            change of a price), `low` and `high` (of the change of closes, in basis points) and
            `shape`: `adjustment` (all by one factor), `restatement` (many bars in a row),
            `corrections` (some bars) or `gone`; and `finding`, the guard's word for it, or None.
        marks: by series, load and bin: `series` (its number among `series`), `known_at`, `bin`
            (where it begins), `bars`, `bps`, with the sign of the larger change of a close, and
            `moved`: the guard found that the bars had moved in time, as by a wrong zone.
        series: the series with changes, those with most changed bars first: key, `bars`, `bps`.
        pictured: how many of them are pictured one by one.
    """

    total: int
    first: datetime | None
    last: datetime | None
    known_first: datetime | None
    known_last: datetime | None
    bin: timedelta
    changes: list[Row]
    marks: list[Row]
    series: list[Row]
    pictured: int


def vintages(
    connection: Connection, session: Session, asked: Asked, findings: Sequence[Row]
) -> Vintages:
    """`findings` of the guard name the changes that they were about."""
    of = asked.bars
    symbols = json.dumps(list(of.symbols), ensure_ascii=False) if of.symbols else None
    which = (of.provider, symbols, of.interval, asked.since)
    (ends,) = session.rows("revisions_within", *which)
    if not ends["revisions"]:
        return Vintages(0, None, None, None, None, timedelta(), [], [], [], 0)
    first, last = ends["first"], ends["last"]
    days = max(1, -(-((last - first).days + 1) // _BINS))
    origin = datetime.combine(first.date(), datetime.min.time(), UTC)
    step = timedelta(days=days)
    connection.run("past_set", *_instant(asked))  # for its scans; it reads the same bars as before
    found = connection.frame("revisions_binned", *which, origin, step.total_seconds())
    found = found.with_columns(pl.col("known_at", "bin", "first", "last").cast(TS))
    signed = pl.when(pl.col("low").abs() > pl.col("high").abs()).then("low").otherwise("high")
    found = found.with_columns(signed=signed)
    series = (
        found.group_by(SERIES).agg(pl.col("bars").sum(), pl.col("bps").max())
        .sort("bars", "bps", *SERIES, descending=[True, True, False, False, False], nulls_last=True)
    )  # fmt: skip
    numbered = series.with_row_index("series").select("series", *SERIES)
    named = _named(findings)
    moved = pl.Series(
        [named.get(key) == "shift" for key in found.select("run_id", *SERIES).iter_rows()],
        dtype=pl.Boolean,
    )
    marks = found.with_columns(moved=moved).join(numbered, on=SERIES)
    marks = marks.sort("series", "known_at", "bin")
    return Vintages(
        ends["revisions"], first, last, ends["known_first"], ends["known_last"], step,
        _changes(found, step, named),
        marks.select(
            "series", "known_at", "bin", "bars", pl.col("signed").alias("bps"), "moved"
        ).to_dicts(),
        series.to_dicts(), min(_PICTURES, series.height),
    )  # fmt: skip


def _instant(asked: Asked) -> tuple[str | None, str | None]:
    at = asked.at
    return (None if at is None or at.pin else at.text), (at.pin if at else None)


def _named(findings: Sequence[Row]) -> dict[tuple[object, ...], str]:
    """By run and series, what the guard calls the change."""
    return {
        (f["run_id"], f["provider"], f["symbol"], f["interval"]): f["kind"]
        for f in findings
        if f["kind"] not in ("restated", "gone", "shorter")
    }  # fmt: skip


def _changes(
    found: pl.DataFrame, step: timedelta, named: Mapping[tuple[object, ...], str]
) -> list[Row]:
    by = found.group_by(*SERIES, "run_id", "known_at").agg(
        pl.col("bars").sum(), pl.col("deleted").sum(), pl.col("first").min(), pl.col("last").max(),
        pl.col("low").min(), pl.col("high").max(), pl.col("bps").max(), filled=pl.len(),
    )  # fmt: skip
    alike = (pl.col("high") - pl.col("low")) <= _ALIKE
    moved = pl.max_horizontal(pl.col("low").abs(), pl.col("high").abs()) > 2 * _ALIKE
    many = pl.col("bars") >= _BAND
    spanned = (pl.col("last") - pl.col("first")) / step + 1
    shape = (
        pl.when(pl.col("deleted") == pl.col("bars")).then(pl.lit("gone"))
        .when(many & alike & moved).then(pl.lit("adjustment"))
        .when(many & (pl.col("filled") >= _DENSE * spanned)).then(pl.lit("restatement"))
        .otherwise(pl.lit("corrections"))
    )  # fmt: skip
    rows = by.with_columns(shape=shape).drop("filled").sort(
        "bps", "bars", "known_at", *SERIES, descending=[True, True, True, False, False, False],
        nulls_last=True,
    )  # fmt: skip
    return [
        row | {"finding": named.get((row["run_id"], *(row[name] for name in SERIES)))}
        for row in rows.iter_rows(named=True)
    ]

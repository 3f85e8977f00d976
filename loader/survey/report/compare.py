"""The bars at an instant beside those of now."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Final

import polars as pl

from loader.db.arrow import Connection
from loader.lazy import dataclass
from loader.store.versions.diff import diff
from loader.store.versions.instants import Instant
from loader.survey.report.asked import Asked, Row

_ROWS: Final = 300
_SERIES: Final = 500


@dataclass(frozen=True, slots=True)
class Compared:
    """
    Attributes:
        label: the instant, as it was asked for; `known_at` its time.
        added, changed, gone: how many bars since then.
        series: by series the same counts, the largest `bps`, `first` and `last` ts; those with the
            largest change first, at most 500 of `series_total`.
        rows: single bars, the largest change first, at most 300: the key, `kind`, `bps`, old and
            new values.
    """

    label: str
    known_at: datetime | None
    added: int
    changed: int
    gone: int
    series: list[Row]
    series_total: int
    rows: list[Row]


def compared(connection: Connection, asked: Asked, now: Instant) -> Compared | None:
    """None if no comparison is asked for."""
    then = asked.against
    if then is None:
        return None
    found = diff(connection, then, now, asked.bars)
    counts = {kind: int(found.series[kind].sum()) for kind in ("added", "changed", "gone")}
    return Compared(
        label=then.label,
        known_at=then.known_at,
        **counts,
        series=_largest(found.series.drop("ticks"), _SERIES),
        series_total=found.series.height,
        rows=_largest(found.rows.drop("ticks", "fields"), _ROWS),
    )


def _largest(found: pl.DataFrame, most: int) -> list[Row]:
    ordered = found.sort("bps", descending=True, nulls_last=True, maintain_order=True)
    return [_finite(row) for row in ordered.head(most).iter_rows(named=True)]


def _finite(row: Row) -> Row:
    """Without infinity, which JSON does not have: a price of 0 before."""
    bps = row["bps"]
    return row | {"bps": bps if bps is None or math.isfinite(bps) else None}

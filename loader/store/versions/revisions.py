"""What was restated or taken away, largest first."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import field
from datetime import datetime
from typing import Any, Final

from loader.bars import SERIES
from loader.db.reconnecting import ReconnectingSession
from loader.lazy import dataclass
from loader.store.series import SeriesFilter

#: More are not summed up by series.
MOST: Final = 1_000_000
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class RevisionFilter:
    """Which revisions are meant; None asks nothing. Times are moments, both included.

    Attributes:
        bars: of which bars, their `since` and `until` being of `ts`.
        known_since, known_until: when the change was known.
        least_bps: how large the largest change of a price is, in basis points.
    """

    bars: SeriesFilter = field(default_factory=SeriesFilter)
    run_id: int | None = None
    known_since: datetime | None = None
    known_until: datetime | None = None
    least_bps: float | None = None


@dataclass(frozen=True, slots=True)
class Restated:
    """Attributes:
    total: how many revisions there are.
    rows: the first of them, largest change of a price first: the columns of
        `bars_ohlcv_revisions`, `known_at` and `bps`.
    series: by provider, symbol and interval how many `updated` and `deleted`, the largest
        `bps`, `first` and `last` ts; of the series with the largest change first.
    """

    total: int
    rows: Sequence[Row]
    series: Sequence[Row]


def restated(session: ReconnectingSession, asked: RevisionFilter, limit: int) -> Restated:
    """
    Raises:
        DatabaseError: the server failed.
    """
    of = asked.bars
    symbols = json.dumps(list(of.symbols), ensure_ascii=False) if of.symbols else None
    found = session.rows(
        "revisions_found", of.provider, symbols, of.interval, of.since, of.until, asked.run_id,
        asked.known_since, asked.known_until, asked.least_bps, MOST, repeatable=True,
    )  # fmt: skip
    total = found[0]["of"] if found else 0
    rows = [{name: value for name, value in row.items() if name != "of"} for row in found[:limit]]
    return Restated(total, rows, _by_series(found))


def _by_series(found: Sequence[Row]) -> list[Row]:
    series: dict[tuple[Any, ...], Row] = {}
    for row in found:
        key = tuple(row[name] for name in SERIES)
        one = series.setdefault(
            key,
            {**dict(zip(SERIES, key, strict=True)), "updated": 0, "deleted": 0, "bps": None,
             "first": row["ts"], "last": row["ts"]},
        )  # fmt: skip
        one[f"{row['op']}d"] += 1
        one["bps"] = max((b for b in (one["bps"], row["bps"]) if b is not None), default=None)
        one["first"], one["last"] = min(one["first"], row["ts"]), max(one["last"], row["ts"])
    return list(series.values())

"""What a report is about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from datetime import UTC, datetime
from typing import Any

from loader.lazy import dataclass
from loader.store.series import SeriesFilter
from loader.store.versions.instants import Instant

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """
    Attributes:
        bars: which series; its `since` bounds the bars' time in the coverage.
        since: runs, changes and rejects from then on; None for all.
        calendar: the exchange's, or None.
        at: read the bars at this instant; None for now.
        against: compare the bars at this instant with those of now; None for no comparison.
        shown: series to draw bars of: `SYMBOL`, `PROVIDER:SYMBOL` or `PROVIDER:SYMBOL:INTERVAL`.
        now: the time that freshness is judged at (UTC).
    """

    bars: SeriesFilter = field(default_factory=SeriesFilter)
    since: datetime | None = None
    calendar: str | None = None
    at: Instant | None = None
    against: Instant | None = None
    shown: Sequence[str] = ()
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

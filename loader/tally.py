"""What came of a file so far, added up piece by piece."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

import polars as pl

from loader.check.unique import LISTED
from loader.store import spellings
from loader.store.compare import Compared


@dataclass(slots=True)
class Tally:
    """Rows of one part of a file. Symbols, span and rules are of its good and bad rows alike."""

    read: int = 0
    skipped: int = 0
    duplicate: int = 0
    conflicting: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    rejected: int = 0
    last_row: int = 0
    seen: int = 0
    rules: Counter[str] = field(default_factory=Counter)
    conflicts: list[str] = field(default_factory=list)
    symbols: set[str] = field(default_factory=set)
    providers: set[str] = field(default_factory=set)
    intervals: set[str] = field(default_factory=set)
    min_ts: datetime | None = None
    max_ts: datetime | None = None
    spellings: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=spellings.SCHEMA))

    def add(self, compared: Compared) -> None:
        unique = compared.unique
        self.read += unique.read
        self.skipped += unique.skipped
        self.last_row = max(self.last_row, unique.last_row)
        self.seen = max(self.seen, unique.seen)
        self.duplicate += unique.duplicate
        self.conflicting += unique.conflicting
        self.conflicts = [*self.conflicts, *unique.conflicts][:LISTED]
        self.rules.update(unique.rejected)
        self.rejected += unique.bad.height if unique.bad is not None else 0
        self.new += compared.new.height
        self.changed += compared.changed.height
        self.unchanged += compared.unchanged
        series = unique.series
        self.symbols.update(series["symbol"])
        self.providers.update(series["provider"])
        self.intervals.update(series["interval"])
        self.min_ts = _least([self.min_ts, series["lo"].min()])
        self.max_ts = _greatest([self.max_ts, series["hi"].max()])
        if unique.spellings is not None and unique.spellings.height:
            self.spellings = pl.concat(
                [self.spellings, unique.spellings.select(*spellings.SCHEMA)]
            ).unique()


def _least(values: Iterable[object]) -> datetime | None:
    return min((v for v in values if isinstance(v, datetime)), default=None)


def _greatest(values: Iterable[object]) -> datetime | None:
    return max((v for v in values if isinstance(v, datetime)), default=None)


def only(values: set[str]) -> str | None:
    """The one value, or None where there are none or several."""
    return next(iter(values)) if len(values) == 1 else None

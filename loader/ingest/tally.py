"""What was seen of the rows of one part of a file, or of one batch of a client."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import field
from datetime import datetime

import polars as pl

from loader.check.unique import LISTED, UniqueBatch
from loader.lazy import dataclass
from loader.store import spellings


@dataclass(slots=True)
class Tally:
    """Rows as they were checked, before anything is merged. Symbols, time span and rules cover good
    and bad rows alike.

    Attributes:
        covered: how far the source was read, as `UniqueBatch.last_row`.
        seen: raw rows read so far, also those that come back later out of partitions.
        min_ts, max_ts: first and last ts of the good bars, in UTC.
        spellings: distinct rows of `spellings.SCHEMA`, or None if there are none.
        rounded: good rows of which open or close is outside of low and high by its rounding.
        outside, unread: rows that are not in the part of the file that is loaded, see
            `CheckedBatch`.
    """

    read: int = 0
    skipped: int = 0
    duplicate: int = 0
    conflicting: int = 0
    rejected: int = 0
    covered: int = 0
    seen: int = 0
    rules: Counter[str] = field(default_factory=Counter)
    conflicts: list[str] = field(default_factory=list)
    symbols: set[str] = field(default_factory=set)
    providers: set[str] = field(default_factory=set)
    intervals: set[str] = field(default_factory=set)
    min_ts: datetime | None = None
    max_ts: datetime | None = None
    spellings: pl.DataFrame | None = None
    rounded: int = 0
    outside: int = 0
    unread: int = 0

    def add(self, batch: UniqueBatch) -> None:
        """Adds the rows of one batch."""
        self.read += batch.read
        self.skipped += batch.skipped
        self.covered = max(self.covered, batch.last_row)
        self.seen = max(self.seen, batch.seen)
        self.duplicate += batch.duplicate
        self.conflicting += batch.conflicting
        self.rounded += batch.rounded
        self.outside += batch.outside
        self.unread += batch.unread
        self.conflicts = [*self.conflicts, *batch.conflicts][:LISTED]
        self.rules.update(batch.rejected)
        self.rejected += batch.bad.height if batch.bad is not None else 0
        series = batch.series
        self.symbols.update(series["symbol"].drop_nulls().to_list())
        self.providers.update(series["provider"].to_list())
        self.intervals.update(series["interval"].to_list())
        self.min_ts = min(_times(self.min_ts, series["lo"].min()), default=None)
        self.max_ts = max(_times(self.max_ts, series["hi"].max()), default=None)
        if batch.spellings is not None and batch.spellings.height:
            found = batch.spellings
            if found.columns != [*spellings.SCHEMA]:
                found = found.select(*spellings.SCHEMA)
            known = self.spellings
            self.spellings = found if known is None else pl.concat([known, found]).unique()


def _times(*values: object) -> Iterable[datetime]:
    return [value for value in values if isinstance(value, datetime)]


def only(values: Iterable[str]) -> str | None:
    """The one distinct value, or None if there are none or several."""
    distinct = set(values)
    return distinct.pop() if len(distinct) == 1 else None

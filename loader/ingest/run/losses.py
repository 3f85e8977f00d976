"""Bars that the store has lost without a record: by TRUNCATE, DELETE, dropped chunks or partitions.

What retention takes stays away: it takes the oldest bars, and a nightly load must not bring them
back each night.
"""

from __future__ import annotations

from dataclasses import field
from datetime import datetime

from loader.db.arrow import Connection
from loader.lazy import dataclass
from loader.results import FileResult
from loader.store.runs.ledger import Known


@dataclass(frozen=True, slots=True)
class Loss:
    """Bars of a content that are gone from the store.

    Attributes:
        open: whether they were certainly not taken by retention.
        whole: whether the first and the last bar are both gone.
    """

    open: bool
    whole: bool


@dataclass(slots=True)
class Losses:
    """Tells for the files of a run whether their bars are gone.

    Attributes:
        began_empty: whether no bar was stored when the run began.
    """

    began_empty: bool = False
    _oldest: dict[tuple[str, str], datetime | None] = field(default_factory=dict)

    def of(self, reader: Connection, seen: Known, *, in_chunks: bool) -> Loss | None:
        """What the store has lost of a content, judged by its first and last bar. It was retention
        if no bar of the provider and the interval is as old as those that are gone.

        Raises:
            DatabaseError: the server refused, or went away.
        """
        if seen.min_ts is None or seen.max_ts is None:
            return None
        if seen.provider is None or seen.interval is None or seen.symbols is None:
            return Loss(open=True, whole=True) if self.began_empty else None
        of = seen.provider, seen.interval
        first, last = reader.one("file_ends", *of, seen.symbols, seen.min_ts, seen.max_ts)
        if first and last:
            return None
        gone = seen.min_ts if last else seen.max_ts
        if self.began_empty or first:
            return Loss(open=True, whole=not first)
        if of not in self._oldest:
            query = "oldest_in_chunks" if in_chunks else "oldest_bar"
            self._oldest[of] = reader.one(query, *of)[0]
        oldest = self._oldest[of]
        return Loss(open=oldest is not None and oldest <= gone, whole=not last)

    def learn(self, result: FileResult) -> None:
        """Forgets what the file may have changed: its bars can be the oldest ones now."""
        if result.min_ts is None or not result.counts.inserted:
            return
        for (provider, interval), oldest in list(self._oldest.items()):
            is_of = result.provider in {None, provider} and result.interval in {None, interval}
            if is_of and (oldest is None or result.min_ts < oldest):
                self._oldest.pop((provider, interval), None)

"""Files that several processes may have in hand, and that one of them loads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Protocol

import polars as pl

from loader import bars
from loader.results.events import Committed, RowsDone
from loader.store.timescale.chunks import HourCounts

if TYPE_CHECKING:
    from loader.db.arrow import Connection
    from loader.ingest.run import LoadRun
    from loader.read.sources import Source
    from loader.results import FileResult


class Alone(Protocol):
    """Keeps other processes from some contents."""

    def __call__(
        self, files: Sequence[tuple[Source, str]], session: Connection | None = None, /
    ) -> AbstractContextManager[Sequence[FileResult | None]]:
        """For the time of the context. Gives the result of each file, a source with its content
        hash, if the run has it already, or None. `session` is the one that will commit the files:
        if this process dies, others wait until the server is done with it."""


@contextmanager
def unshared(
    files: Sequence[tuple[Source, str]], session: Connection | None = None, /
) -> Iterator[Sequence[FileResult | None]]:
    """No other process has the files."""
    yield [None] * len(files)


def taken_over(run: LoadRun, source: Source, done: FileResult) -> FileResult:
    """Tells, between the first event of the file and its last, what another process has committed
    of it, and did not live to tell."""
    run.upkeep.committed(spanned(done))
    run.emit(RowsDone(source.name, done.counts.read, source.size_bytes))
    run.emit(Committed(source.name, done.counts, done.rejected))
    return done


def spanned(done: FileResult) -> HourCounts:
    """The hours that a file may have written to, one bar each."""
    hours = HourCounts()
    if done.min_ts is not None and done.max_ts is not None and done.counts.written:
        ts = pl.datetime_range(done.min_ts, done.max_ts, "1h", eager=True).cast(bars.TS)
        hours.add(pl.DataFrame({"interval": [done.interval] * len(ts), "ts": ts}))
    return hours

"""The thread that stores what a feed has read, however long the server takes for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from threading import Event as Flag
from threading import Thread
from typing import Final

import polars as pl

from loader import bars, booking, retries
from loader.errors import Cancelled, ConnectionLost, DatabaseError
from loader.events import Event, FileNote, RowsDone
from loader.live.backlog import Backlog, Batch
from loader.live.lines import Lines
from loader.results import Counts, FileResult
from loader.store.sessions import Sessions
from loader.store.transaction import Spelling, Transaction
from loader.stored import Compared
from loader.tally import Tally

#: Seconds without a server after which lines go to disk.
_LASTING: Final = 2.0
#: Seconds for which a server that is away is waited for once the feed has ended.
_PATIENCE: Final = 30.0
#: Beside what is retryable anyway: a standby before it is promoted, a full disk or memory.
_PASSING: Final = ("25006", "53")


@dataclass(frozen=True, slots=True)
class Flush:
    """When lines are stored: so many of them, or when the first has waited for so long."""

    rows: int
    seconds: float


class Storing(Thread):
    """Stores the lines of `backlog` batch by batch, in their order, until it is closed and empty.

    Attributes:
        error: what ended it before that.
    """

    def __init__(
        self,
        backlog: Backlog,
        lines: Lines,
        flush: Flush,
        url: str,
        run_id: int,
        emit: Callable[[Event], None],
        name: str,
    ) -> None:
        super().__init__(name="mdload-live", daemon=True)
        self.error: BaseException | None = None
        self._backlog = backlog
        self._lines = lines
        self._flush = flush
        self._run_id = run_id
        self._emit = emit
        self._source = name
        self._sessions = Sessions(url)
        self._remembered: set[Spelling] = set()
        self._tally = Tally()
        self._counts = Counts()
        self._given_up = Flag()

    def give_up(self) -> None:
        """Ends it without waiting for the server any longer. For another thread to call."""
        self._given_up.set()
        self._sessions.cancel()

    def result(self) -> FileResult:
        """What became of the lines that were stored."""
        return booking.part_result(
            FileResult(self._source, "loaded"), "loaded", self._tally,
            inserted=self._counts.inserted, updated=self._counts.updated,
            raced=self._counts.unchanged,
        )  # fmt: skip

    def run(self) -> None:
        try:
            while batch := self._backlog.take(self._flush.rows, self._flush.seconds):
                self._store(batch)
                self._backlog.done()
        except BaseException as error:  # carried over to the feed's thread
            self.error = error
        finally:
            self._sessions.close()

    def _store(self, batch: Batch) -> None:
        checked = self._lines.check(batch.lines, batch.first)
        transaction = Transaction(checked, self._run_id, self._remembered, self._emit, self._source)
        trouble: float | None = None
        for attempt in count(1):
            try:
                transaction.run(self._sessions)
                break
            except DatabaseError as error:
                if self._given_up.is_set():
                    raise Cancelled("interrupted while the server was waited for") from error
                if not (error.retryable or (error.sqlstate or "").startswith(_PASSING)):
                    raise
                if isinstance(error, ConnectionLost):
                    self._sessions.close()
                trouble = trouble or time.monotonic()
                self._wait_out(error, trouble)
            self._given_up.wait(min(retries.pause(attempt), _LASTING))
        if trouble is not None and self._backlog.is_on_disk:
            self._note(
                f"the server is back after {time.monotonic() - trouble:,.0f} s; "
                f"{len(self._backlog) - len(batch.lines):,} lines wait to be stored"
            )
        none = pl.DataFrame(schema=bars.SCHEMA)
        self._tally.add(Compared(transaction.unique, none, none, 0))
        self._counts += transaction.counts
        self._emit(RowsDone(self._source, transaction.counts.read))

    def _wait_out(self, error: DatabaseError, since: float) -> None:
        """Raises:
        DatabaseError: it lasts for too long, now that the feed has ended.
        """
        lasts = time.monotonic() - since
        closed_for = self._backlog.closed_for
        if closed_for is not None and min(lasts, closed_for) > _PATIENCE:
            raise error
        if lasts > _LASTING and not self._backlog.is_on_disk and self._backlog.to_disk():
            self._note(f"lines are kept on disk until they can be stored: {error}")

    def _note(self, text: str) -> None:
        self._emit(FileNote(self._source, text))

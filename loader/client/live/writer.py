"""The loop of a feed: takes lines as they come and stores them, or keeps them on disk meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Final

from loader.check.validate import CheckedBatch
from loader.client.address import Address
from loader.client.live.lines import Lines
from loader.client.live.source import Source
from loader.client.live.spill import Spill
from loader.client.sessions import Sessions
from loader.client.transaction import Spelling, Transaction
from loader.db import retries
from loader.errors import Cancelled, ConnectionLost, DatabaseError
from loader.ingest import books
from loader.ingest.tally import Tally
from loader.lazy import dataclass
from loader.results import Counts, FileResult, Note
from loader.results.events import Event, FileNote, RowsDone

#: Seconds without a server until lines go to disk.
_LASTING: Final = 2.0
#: Seconds to wait for a server that is away, or does not answer, once the feed has ended.
_PATIENCE: Final = 10.0
#: SQLSTATEs retried here besides the usual: a standby before its promotion; full disk or memory.
_PASSING: Final = ("25006", "53")
#: SQLSTATEs of a value that no attempt will store: of data, of a constraint, of a limit.
_OF_DATA: Final = ("22", "235", "54")
#: Lines from disk to store at a time, at least.
_FROM_DISK: Final = 10_000
#: Seconds between two looks at a transaction once the feed is to end.
_MOMENT: Final = 0.2
_INTERRUPTED: Final = "interrupted before all lines were stored"


@dataclass(frozen=True, slots=True)
class Flush:
    """Lines are stored once there are `rows` of them, or the first has waited for `seconds`."""

    rows: int
    seconds: float


class FeedWriter:
    """Stores the lines of `source` batch by batch, in their order.

    Transactions run in their own thread while this one reads on, up to `most` lines. If the server
    stays away, lines go to `spill` and from there into the store.
    """

    def __init__(
        self,
        source: Source,
        spill: Spill,
        lines: Lines,
        most: int,
        flush: Flush,
        url: str,
        run_id: int,
        emit: Callable[[Event], None],
    ) -> None:
        self._source = source
        self._spill = spill
        self._lines = lines
        self._most = most
        self._flush = flush
        self._run_id = run_id
        self._emit = emit
        self._sessions = Sessions(Address(url))
        self._thread = ThreadPoolExecutor(1, "mdload-live")
        self._remembered: set[Spelling] = set()
        self._tally = Tally()
        self._counts = Counts()
        self._number = 1  # of the first current line
        self._current: list[bytes] = []
        self._is_on_disk = False  # and so are all lines after them
        self._disk_failed = False
        self._deadline: float | None = None
        self._trouble_since: float | None = None

    def end_within(self, seconds: float = _PATIENCE) -> None:
        """Makes `run` give up after `seconds`. For signal handlers and other threads."""
        self._deadline = time.monotonic() + seconds
        self._source.wake()

    def result(self) -> FileResult:
        """What became of the lines stored so far."""
        return books.joined(FileResult(self._source.name, "loaded"), self._tally, self._counts)

    def run(self) -> None:
        """Stores lines until they end.

        Raises:
            DatabaseError: the server refused, or stayed away after the lines had ended.
            Cancelled: the deadline came first.
        """
        try:
            while self._next():
                self._write()
        except BaseException:
            self._sessions.cancel()
            raise
        finally:
            self._thread.shutdown()
            self._sessions.close()

    def leave(self) -> int:
        """Puts the lines that are not stored on disk, and returns their number.

        Raises:
            OSError: they cannot be written.
        """
        self._source.stop()
        while not self._source.ended:
            self._source.wait(0)
        self._spill_over()
        return self._spill.lines

    def _next(self) -> bool:
        """Takes the next lines. Returns whether there are any."""
        source, rows, seconds = self._source, self._flush.rows, self._flush.seconds
        self._number += len(self._current)
        self._current = []
        self._is_on_disk = self._spill.in_use
        if self._is_on_disk:
            self._read(0)
            self._current = self._spill.take(max(rows, _FROM_DISK))
            return True
        while not source.is_due(rows, seconds):
            source.wait(source.due_in(seconds))
        self._current = source.take(rows)
        return bool(self._current)

    def _write(self) -> None:
        self._store(self._current, self._number)
        if self._is_on_disk:
            self._spill.done()
            if self._trouble_since is not None:
                lasted = time.monotonic() - self._trouble_since
                left = self._spill.lines
                waiting = f"{left:,} lines on disk are stored now" if left else "nothing waits"
                self._note(f"the server is back after {lasted:,.0f} s; {waiting}")
        self._trouble_since = None

    def _store(self, lines: list[bytes], number: int) -> None:
        """Stores `lines`, the first of which has this number. If the server refuses a value in one
        of them, that line is a reject, and the others are stored.

        Raises:
            DatabaseError, Cancelled: as `run`.
        """
        try:
            self._commit(self._lines.check(lines, number))
        except DatabaseError as error:
            if error.retryable or not (error.sqlstate or "").startswith(_OF_DATA):
                raise
            if len(lines) > 1:
                half = len(lines) // 2
                self._store(lines[:half], number)
                self._store(lines[half:], number + half)
                return
            self._note(f"line {number} is rejected, the server does not take it: {error.reason}")
            self._commit(self._lines.refused(lines[0], number, error.reason or str(error)))

    def _commit(self, checked: CheckedBatch) -> None:
        name = self._source.name
        transaction = Transaction(checked, self._run_id, self._remembered, self._emit, name)
        for attempt in count(1):
            try:
                self._attempt(transaction)
                break
            except DatabaseError as error:
                if isinstance(error, ConnectionLost):
                    self._sessions.close()
                self._endure(error)
            self._pause(min(retries.pause(attempt), _LASTING))
        self._tally.add(transaction.batch)
        self._counts += transaction.counts
        self._emit(RowsDone(name, transaction.counts.read))

    def _attempt(self, transaction: Transaction) -> None:
        if self._is_over():
            raise Cancelled(_INTERRUPTED)
        attempt = self._thread.submit(transaction.run, self._sessions)
        attempt.add_done_callback(lambda _: self._source.wake())
        while not attempt.done():
            if self._is_over():
                self._to_disk()  # before the statement is cancelled
                self._sessions.cancel()
            self._read(None if self._deadline is None else _MOMENT)
        attempt.result()

    def _endure(self, error: DatabaseError) -> None:
        """Raises:
        DatabaseError: another attempt is useless, or attempts took too long.
        Cancelled: the deadline has passed.
        """
        if self._is_over():
            raise Cancelled(_INTERRUPTED) from error
        if not (error.retryable or (error.sqlstate or "").startswith(_PASSING)):
            raise error
        now = time.monotonic()
        since = self._trouble_since = self._trouble_since or now
        ended = self._source.ended_at
        if ended is not None and now - max(since, ended) > _PATIENCE:
            raise error
        if now - since > _LASTING and not self._is_on_disk and self._to_disk():
            self._note(f"lines are kept in {self._spill.path} until they can be stored: {error}")

    def _pause(self, seconds: float) -> None:
        """Waits, and reads the lines that arrive meanwhile."""
        until = time.monotonic() + seconds
        while not self._is_over() and (left := until - time.monotonic()) > 0:
            self._read(left)

    def _read(self, seconds: float | None) -> None:
        """Reads the lines that arrive within `seconds`, as far as memory may hold them."""
        self._source.wait(seconds, reading=len(self._source.lines) < self._most)
        if self._spill.in_use:
            self._to_disk()

    def _to_disk(self) -> bool:
        """Puts all lines that are not stored on disk. Returns whether it worked; from then on all
        lines that are read go there, until none wait there."""
        try:
            self._spill_over()
        except OSError as error:
            if not self._disk_failed:
                self._note(
                    f"lines cannot be kept in {self._spill.path} ({error.strerror}): no more are "
                    "read than fit into memory"
                )
            self._disk_failed = True
            return False
        return True

    def _spill_over(self) -> None:
        waiting = self._source.lines
        if self._is_on_disk:
            self._spill.append(waiting)
        elif self._current or waiting:
            self._spill.append([*self._current, *waiting])
            self._spill.take(len(self._current))
            self._is_on_disk = True
        waiting.clear()

    def _is_over(self) -> bool:
        return self._deadline is not None and time.monotonic() >= self._deadline

    def _note(self, text: str) -> None:
        self._emit(FileNote(self._source.name, Note("run", text)))

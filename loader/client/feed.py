"""Takes bars one by one, as a live feed brings them, and writes them in batches."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from threading import Condition, Lock, Thread
from types import TracebackType
from typing import Final, Self

from loader.client.bar import BarLike, Row, checked_row
from loader.client.result import Rejects, WriteResult
from loader.errors import MdloadError
from loader.results import Counts
from loader.store.runs.arguments import amount, whole
from loader.text import counted

#: Seconds: a hundred years.
_LONGEST: Final = 100 * 366 * 86_400.0


class Feed:
    """Collects bars and writes them once there are `max_rows`, or once the first of them has waited
    for `max_seconds` (None: no limit), and at the end of the block.

    Waiting bars are written in one batch, by the feed's own thread or by the thread that added the
    last one; threads may share a feed. If the feed's thread fails to write, the next `write`,
    `flush` or the end of the block raises the error; the bars stay for the next attempt.
    """

    def __init__(
        self,
        send: Callable[[Sequence[Row], Rejects], Counts],
        max_rows: int,
        max_seconds: float | None,
    ) -> None:
        too_short = max_seconds is not None and max_seconds <= 0
        if whole("max_rows", max_rows, -1) < 1 or too_short:
            raise ValueError("max_rows and max_seconds must be positive")
        if max_seconds is not None:
            amount("max_seconds", max_seconds, _LONGEST)
        self._send = send
        self._max_rows = max_rows
        self._max_seconds = max_seconds
        self._rows: list[Row] = []
        self._taken = 0
        self._counts = Counts()
        self._rejects = Rejects()
        self._due: float | None = None
        self._failure: MdloadError | None = None
        self._ended = False
        self._changed = Condition(Lock())
        self._sending = Lock()
        self._clock = Thread(target=self._tick, name="mdload-feed", daemon=True)

    def __enter__(self) -> Self:
        if self._max_seconds is not None:
            self._clock.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify()
        if self._clock.is_alive():
            self._clock.join()
        try:
            self.flush()
        except MdloadError as failure:
            if error is None:
                raise
            bars = counted(len(self._rows), "bar")
            error.add_note(f"and {bars} could not be written: {failure}")

    @property
    def result(self) -> WriteResult:
        """What became of the bars written so far."""
        return WriteResult(self._counts, self._rejects)

    @property
    def waiting(self) -> int:
        """Number of bars not written yet."""
        return len(self._rows)

    def write(self, bar: BarLike) -> None:
        """Takes a bar with its current values, and may write the waiting bars.

        Raises:
            TypeError, ValueError: not a bar, see `StoreClient.write_bars`; it is not taken.
            MdloadError: bars could not be written; this one was taken and waits with the others.
        """
        if self.add(bar):
            self.flush()

    def add(self, bar: BarLike) -> bool:
        """Takes a bar. Returns whether it is time to flush.

        Raises:
            TypeError, ValueError: as `write`.
        """
        row = checked_row(bar, self._taken)
        with self._changed:
            self._rows.append(row)
            self._taken += 1
            self._set_clock()
            return len(self._rows) >= self._max_rows or self._failure is not None

    def flush(self) -> WriteResult:
        """Writes the waiting bars now. Returns what became of all bars so far.

        Raises:
            MdloadError: bars could not be written, now or by the feed's thread since the last call.
        """
        with self._changed:
            failure, self._failure = self._failure, None
        if failure is not None:
            raise failure
        self._flush()
        return self.result

    def _flush(self) -> None:
        with self._sending:  # one at a time, in the order of the bars
            with self._changed:
                rows, self._rows, self._due = self._rows, [], None
            if not rows:
                return
            try:
                self._counts += self._send(rows, self._rejects)
            except BaseException:
                with self._changed:
                    self._rows[:0] = rows
                    self._set_clock()
                raise

    def _set_clock(self) -> None:
        if self._due is None and self._max_seconds is not None:
            self._due = time.monotonic() + self._max_seconds
            self._changed.notify()

    def _tick(self) -> None:
        while True:
            with self._changed:
                while not self._ended and (self._due is None or time.monotonic() < self._due):
                    left = None if self._due is None else self._due - time.monotonic()
                    self._changed.wait(left)
                if self._ended:
                    return
            try:
                self._flush()
            except MdloadError as error:
                with self._changed:
                    self._failure = error

"""Lines between the one who reads them and the one who stores them."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Condition
from typing import Final

from loader.live.spill import Spill

#: How often a write to a full disk is tried again.
_DISK_PAUSE: Final = 1.0


@dataclass(frozen=True, slots=True)
class Batch:
    """Lines that follow each other; the first one is number `first` of the feed."""

    lines: list[bytes]
    first: int


class Backlog:
    """A queue that holds `most` lines in memory; whoever brings more waits. Once it is put
    `to_disk` it has no bound until it is empty again, and all that is not stored is in a file.

    One thread puts, one takes. What was taken belongs to the queue until it is `done`.
    """

    def __init__(self, most: int, spill: Spill, tell: Callable[[str], None]) -> None:
        self._most = most
        self._tell = tell
        # In their order: lines that were taken, those on disk (the taken ones too, where they were
        # put there), those in memory.
        self._taken: list[bytes] = []
        self._spill = spill
        self._memory: deque[bytes] = deque()
        self._on_disk = False
        self._next = 1
        self._since: float | None = None
        self._hurried = self._closed = self._disk_failed = False
        self._closed_at: float | None = None
        self._changed = Condition()  # a signal may come in the middle of a call

    def __len__(self) -> int:
        """Lines that are not stored."""
        return self._waiting() + len(self._taken)

    @property
    def is_on_disk(self) -> bool:
        """Whether all lines that are not stored are on disk."""
        return self._on_disk

    @property
    def closed_for(self) -> float | None:
        """Seconds since there are no more lines to come; None as long as there are."""
        return None if self._closed_at is None else time.monotonic() - self._closed_at

    def put(self, lines: Sequence[bytes]) -> None:
        """Adds lines; waits while there is no room for them, unless there is a hurry."""
        with self._changed:
            while not self._added(lines):
                self._changed.wait(_DISK_PAUSE)
            if self._since is None:
                self._since = time.monotonic()
            self._changed.notify_all()

    def hurry(self) -> None:
        """Nobody waits any more, but for the last lines."""
        with self._changed:
            self._hurried = True
            self._changed.notify_all()

    def close(self) -> None:
        """There are no more lines to come."""
        with self._changed:
            self._hurried = self._closed = True
            self._closed_at = time.monotonic()
            self._changed.notify_all()

    def take(self, count: int, seconds: float) -> Batch | None:
        """The next `count` lines, or what is there once the first has waited for `seconds`; None
        when the queue is closed and empty."""
        with self._changed:
            while not self._due(count, seconds):
                since = self._since
                self._changed.wait(None if since is None else since + seconds - time.monotonic())
            self._taken = self._spill.first(count)
            if not self._taken:
                while self._memory and len(self._taken) < count:
                    self._taken.append(self._memory.popleft())
            self._since = time.monotonic() if self._waiting() else None
            return Batch(self._taken, self._next) if self._taken else None

    def done(self) -> None:
        """The lines that were taken last are stored."""
        with self._changed:
            self._next += len(self._taken)
            if self._spill.lines:
                self._spill.drop(self._taken)
            self._taken = []
            self._on_disk = self._spill.lines > 0
            self._changed.notify_all()

    def to_disk(self) -> bool:
        """Puts all that is not stored on disk, now and until the queue is empty; says whether it
        is there."""
        with self._changed:
            if not self._on_disk and self._written([*self._taken, *self._memory]):
                self._memory.clear()
                self._on_disk = True
                self._changed.notify_all()
            return self._on_disk

    def leave(self) -> Path | None:
        """Leaves all lines that are not stored in a file, and gives it; None where there are none.

        Raises:
            OSError: they cannot be written.
        """
        with self._changed:
            if not len(self):
                return None
            self._spill.append([*([] if self._on_disk else self._taken), *self._memory])
            return self._spill.leave()

    def _due(self, count: int, seconds: float) -> bool:
        waiting = self._waiting()
        late = self._since is not None and time.monotonic() >= self._since + seconds
        return self._closed or waiting >= count or (waiting > 0 and (self._hurried or late))

    def _waiting(self) -> int:
        on_disk = self._spill.lines - (len(self._taken) if self._on_disk else 0)
        return on_disk + len(self._memory)

    def _added(self, lines: Sequence[bytes]) -> bool:
        if self._on_disk and not self._memory and self._written(lines):
            return True
        if (self._on_disk or len(self._memory) >= self._most) and not self._hurried:
            return False
        self._memory.extend(lines)
        return True

    def _written(self, lines: Sequence[bytes]) -> bool:
        try:
            self._spill.append(lines)
        except OSError as error:
            if not self._disk_failed:
                self._tell(
                    f"lines cannot be kept in {self._spill.path} ({error.strerror}): "
                    "no more are read than fit into memory"
                )
            self._disk_failed = True
            return False
        return True

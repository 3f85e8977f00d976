"""Locks that the kernel frees when their holder dies, however it dies."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

if sys.platform != "win32":  # which refuses the embedded server before any lock
    import fcntl


class Lock:
    """An flock on a file. Its holders may be other processes, or other `Lock`s in this one."""

    def __init__(self, path: Path) -> None:
        # Not inherited by children (Python's default): a server must not hold its client's lock.
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)

    def exclusive(self) -> None:
        fcntl.flock(self._fd, fcntl.LOCK_EX)

    def shared(self) -> None:
        fcntl.flock(self._fd, fcntl.LOCK_SH)

    def alone(self) -> bool:
        """Makes the lock exclusive if nobody else holds it; if someone does, it may be lost."""
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def close(self) -> None:
        os.close(self._fd)


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Waits for the lock on `path` and holds it."""
    lock = Lock(path)
    try:
        lock.exclusive()
        yield
    finally:
        lock.close()

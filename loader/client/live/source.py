"""The source of the lines: standard input, a fifo or a file."""

from __future__ import annotations

import os
import select
import stat
import time
from contextlib import suppress
from typing import Final

from loader.errors import MdloadError, UnreadableFile

_CHUNK: Final = 1 << 16
#: Longer lines are cut: no bar is that long, and memory stays bounded.
_LONGEST: Final = 1 << 20
#: Bytes to read at most after a stop, of what has arrived already.
_LATE: Final = 1 << 20


class Source:
    """Reads lines as they come. For one thread; signal handlers and other threads may call `stop`
    and `wake`.

    Args:
        path: `-` is standard input.

    Attributes:
        name: the name to show for the source.
        lines: lines read and not yet taken, without line ends.
        ended_at: when the lines ended (`time.monotonic`); None while more may come.
        error: why reading failed, if it did.

    Raises:
        UnreadableFile: `path` cannot be read.
    """

    def __init__(self, path: str) -> None:
        self.name = "stdin" if path == "-" else path
        self.lines: list[bytes] = []
        self.ended_at: float | None = None
        self.error: MdloadError | None = None
        self._rest = b""
        self._arrived = 0.0
        self._stopped = False
        self._late = _LATE
        self._woken, self._wake = os.pipe()
        os.set_blocking(self._wake, False)
        self._file = 0 if path == "-" else _opened(path)

    @property
    def ended(self) -> bool:
        """Whether all lines have been read."""
        return self.ended_at is not None

    def is_due(self, count: int, seconds: float) -> bool:
        """Whether there are `count` lines, the first has waited `seconds`, or no more will come."""
        return self.ended or len(self.lines) >= count or self.due_in(seconds) == 0

    def due_in(self, seconds: float) -> float | None:
        """Seconds until the first line will have waited for `seconds`; None without a line."""
        return max(self._arrived + seconds - time.monotonic(), 0) if self.lines else None

    def wait(self, seconds: float | None, *, reading: bool = True) -> None:
        """Waits until lines arrive, at most `seconds` or until `wake`. If `reading`, reads them."""
        reading = reading and not self.ended
        files = [self._woken, self._file] if reading else [self._woken]
        ready, _, _ = select.select(files, [], [], 0 if reading and self._stopped else seconds)
        if self._woken in ready:
            os.read(self._woken, _CHUNK)
        if self._file in ready:
            self._read()
        elif reading and self._stopped:
            self._end()

    def take(self, count: int) -> list[bytes]:
        """The first `count` lines, or all."""
        taken, self.lines = self.lines[:count], self.lines[count:]
        return taken

    def stop(self) -> None:
        """Reads no more than what has arrived already."""
        self._stopped = True
        self.wake()

    def wake(self) -> None:
        """Ends a `wait`."""
        with suppress(OSError):  # the pipe is full, so it will wake; or it is closed
            os.write(self._wake, b"x")

    def close(self) -> None:
        """Closes the files it has opened."""
        files, self._woken, self._wake = (self._woken, self._wake), -1, -1
        for file in files if self._file == 0 else (*files, self._file):
            os.close(file)

    def _read(self) -> None:
        try:
            chunk = os.read(self._file, _CHUNK)
        except OSError as error:
            self.error = UnreadableFile.of(self.name, f"cannot be read: {error.strerror}")
            chunk = b""
        if not chunk:
            self._end()
            return
        if not self.lines:
            self._arrived = time.monotonic()
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        self.lines += lines
        while len(self._rest) > _LONGEST:
            self.lines.append(self._rest[:_LONGEST])
            self._rest = self._rest[_LONGEST:]
        if self._stopped:
            self._late -= len(chunk)
            if self._late <= 0:
                self._end()

    def _end(self) -> None:
        self.ended_at = time.monotonic()
        if self._rest:
            self.lines.append(self._rest)


def _opened(path: str) -> int:
    try:
        # Non-blocking, because opening a fifo would wait for a writer: `wait` does that.
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError as error:
        raise UnreadableFile.of(path, f"cannot be read: {error.strerror}") from error
    if stat.S_ISDIR(os.fstat(file).st_mode):
        os.close(file)
        raise UnreadableFile.of(path, "is a folder", hint="name a fifo, a file or -")
    return file

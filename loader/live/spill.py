"""Lines on disk: a queue that outlives its process."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from loader.server.home import Home

_SUFFIX: Final = ".ndjson"
_COPIED_AT_ONCE: Final = 1 << 20


class Spill:
    """A queue of lines in a file that only its owner can read. It is there from the first line on,
    and is locked as long as its process lives.

    Attributes:
        lines: so many are in the queue.
    """

    def __init__(self, directory: Path, name: str) -> None:
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        self.path = directory / f"{name}-{stamp}-{os.getpid()}{_SUFFIX}"
        self.lines = 0
        self._file: int | None = None
        self._begin = 0
        self._end = 0

    def append(self, lines: Sequence[bytes]) -> None:
        """Adds lines (without their ends) at the end: all of them, or none.

        Raises:
            OSError: there is no room, or no right to write there.
        """
        if not lines:
            return
        if self._file is None:
            self._file = _made(self.path)
        end = self._write(self._file, self._end, b"".join(line + b"\n" for line in lines))
        self._end = end
        self.lines += len(lines)

    def first(self, count: int) -> list[bytes]:
        """The first `count` lines, or all; they stay in the queue."""
        if self._file is None:
            return []
        data, size = b"", 1 << 16
        while data.count(b"\n") < count and len(data) < self._end - self._begin:
            data = os.pread(self._file, min(size, self._end - self._begin), self._begin)
            size *= 2
        return data.split(b"\n")[:-1][:count]

    def drop(self, lines: Sequence[bytes]) -> None:
        """Takes `lines`, which are the first ones, out of the queue; an empty one has no file."""
        self._begin += sum(len(line) + 1 for line in lines)
        self.lines -= len(lines)
        if not self.lines:
            self.remove()

    def leave(self) -> Path:
        """Leaves the file, with nothing but the queue in it, for somebody else.

        Raises:
            OSError: there is no room.
        """
        assert self._file is not None
        if self._begin:
            rest = Spill(self.path.parent, self.path.name.removesuffix(_SUFFIX) + "-rest")
            rest._file = _made(rest.path)
            while part := os.pread(self._file, _COPIED_AT_ONCE, self._begin):
                rest._end = self._write(rest._file, rest._end, part)
                self._begin += len(part)
            rest.path.replace(self.path)
            os.close(rest._file)
        os.close(self._file)
        self._file = None
        return self.path

    def remove(self) -> None:
        """Forgets all lines and removes the file."""
        if self._file is not None:
            with suppress(OSError):
                self.path.unlink()
            os.close(self._file)
        self._file, self._begin, self._end, self.lines = None, 0, 0, 0

    @staticmethod
    def _write(file: int, end: int, data: bytes) -> int:
        """Writes at `end`, and gives the new one; on an error what was written is taken back."""
        rest, at = memoryview(data), end
        try:
            while rest:
                written = os.pwrite(file, rest, at)
                rest, at = rest[written:], at + written
        except OSError:
            os.ftruncate(file, end)
            raise
        return at


def directory(home: Path | None = None) -> Path:
    """Where files of lines are, unless one is named: in mdload's home."""
    return Home.at(home).path / "live"


def left_behind(directory: Path) -> Iterator[Path]:
    """Files of feeds that have ended."""
    for path in sorted(directory.glob(f"*{_SUFFIX}")):
        with suppress(OSError), path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            yield path


def _made(path: Path) -> int:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    fcntl.flock(file, fcntl.LOCK_EX)
    return file

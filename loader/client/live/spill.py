"""Lines on disk: a queue that outlives its process."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from io import BufferedReader
from itertools import islice
from pathlib import Path
from typing import Final

from loader.db.embedded.home import Home

_SUFFIX: Final = ".ndjson"


class Spill:
    """A queue of lines in a file that only its owner may read, locked while its process lives. The
    file exists from the first line until the last one is `done`.

    Lines that are done are overwritten with blanks, so that whoever adopts the file goes on after
    them.

    Attributes:
        path: the file; a second one if another living process holds the first.
        lines: number of lines that are not done.
    """

    def __init__(self, directory: Path, job_name: str, fingerprint: str) -> None:
        self._stem = f"{re.sub(r'[^A-Za-z0-9_.-]', '_', job_name)[:60]}-"
        self.path = directory / f"{self._stem}{fingerprint[:8]}{_SUFFIX}"
        self.lines = 0
        self._file: BufferedReader | None = None
        self._end = self._done = self._taken = 0

    @property
    def in_use(self) -> bool:
        """Whether any lines are not done."""
        return self._file is not None

    def adopt(self) -> None:
        """Takes over the lines that an earlier process left, if any.

        Raises:
            OSError: the file cannot be read and written.
        """
        if not self.path.exists() or not self._open():
            return
        assert self._file is not None
        self.lines = sum(1 for _ in self._file)
        self._end = self._file.tell()
        if not self.lines:
            self._remove()
            return
        self._file.seek(self._end - 1)
        if self._file.read() != b"\n":  # its process died while it wrote
            self._write(b"\n")
        self._file.seek(0)

    def others(self) -> Iterator[Path]:
        """Files that feeds of this job left, which had other options or ran at the same time."""
        for path in sorted(self.path.parent.glob(f"{self._stem}*{_SUFFIX}")):
            if path != self.path:
                with suppress(OSError), path.open("rb") as file:
                    fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                    yield path

    def append(self, lines: Sequence[bytes]) -> None:
        """Adds lines (without their ends): all of them, or none.

        Raises:
            OSError: the disk is full, or the file may not be written.
        """
        if not lines:
            return
        if self._file is None and not self._open():
            self.path = self.path.with_name(f"{self.path.stem}-{os.getpid()}{_SUFFIX}")
            self._open()
        self._write(b"".join(line + b"\n" for line in lines))
        self.lines += len(lines)

    def take(self, count: int) -> list[bytes]:
        """The next `count` lines, or all; they stay in the queue until they are `done`."""
        assert self._file is not None
        lines = [line[:-1] for line in islice(self._file, count)]
        self._taken += len(lines)
        return lines

    def done(self) -> None:
        """Removes the lines that were taken."""
        assert self._file is not None
        self.lines -= self._taken
        self._taken = 0
        if not self.lines:
            self._remove()
            return
        end = self._file.tell()
        with suppress(OSError):  # then they are stored once more, which changes nothing
            os.pwrite(self._file.fileno(), b" " * (end - self._done - 1) + b"\n", self._done)
        self._done = end

    def close(self) -> None:
        """Closes the file; another feed can adopt it."""
        if self._file is not None:
            self._file.close()

    def _open(self) -> bool:
        """Makes or opens the file; False if a living process has it."""
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        while True:
            number = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
            file = os.fdopen(number, "rb")
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.close()
                return False
            if os.fstat(number).st_nlink:
                self._file = file
                return True
            file.close()  # its process removed it just now

    def _write(self, data: bytes) -> None:
        assert self._file is not None
        rest, at = memoryview(data), self._end
        try:
            while rest:
                written = os.pwrite(self._file.fileno(), rest, at)
                rest, at = rest[written:], at + written
        except OSError:
            os.ftruncate(self._file.fileno(), self._end)
            if not self.lines:
                self._remove()
            raise
        self._end = at

    def _remove(self) -> None:
        assert self._file is not None
        with suppress(OSError):
            self.path.unlink()
        self._file.close()
        self._file = None
        self._end = self._done = 0


def directory(home: Path | None = None) -> Path:
    """The default folder for these files, in mdload's home."""
    return Home.at(home).path / "live"

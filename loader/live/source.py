"""Where the lines come from: standard input, a fifo or a file, read until it ends or is stopped."""

from __future__ import annotations

import os
import select
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from threading import Thread
from typing import Final

from loader.errors import MdloadError, UnreadableFile
from loader.live.backlog import Backlog

_CHUNK: Final = 1 << 16
#: A line is cut there: no bar is that long, and memory is bounded.
_LONGEST: Final = 1 << 20
#: What is in the pipe when the reader is stopped is read too, up to that.
_LATE: Final = 1 << 20
_MOMENT: Final = 2.0


class Source:
    """Puts the lines of `path` (`-`: standard input) into `backlog`, in a thread of its own.

    Attributes:
        error: why reading ended, if that was not the end of the lines.
    """

    def __init__(self, path: str, backlog: Backlog) -> None:
        self.error: MdloadError | None = None
        self._path = path
        self._backlog = backlog
        self._stopped, self._stop = os.pipe()
        self._thread = Thread(target=self._run, name="mdload-lines", daemon=True)

    def start(self) -> None:
        """Begins to read.

        Raises:
            UnreadableFile: there is nothing to read from.
        """
        if self._path != "-":
            try:
                mode = os.stat(self._path).st_mode
            except OSError as error:
                raise UnreadableFile(f"{self._path} cannot be read: {error.strerror}") from error
            if stat.S_ISDIR(mode):
                raise UnreadableFile(f"{self._path} is a folder", hint="name a fifo, a file or -")
        self._thread.start()

    def stop(self) -> None:
        """Reads no more than what has arrived already."""
        os.write(self._stop, b"x")
        if self._path != "-" and stat.S_ISFIFO(os.stat(self._path).st_mode):
            with suppress(OSError):  # opening it waits for somebody to write
                os.close(os.open(self._path, os.O_WRONLY | os.O_NONBLOCK))

    def join(self) -> None:
        """Waits, but not for long, until the last lines are in the backlog."""
        self._thread.join(_MOMENT)

    def _run(self) -> None:
        try:
            file = 0 if self._path == "-" else os.open(self._path, os.O_RDONLY)
            for lines in _lines(self._chunks(file)):
                self._backlog.put(lines)
        except OSError as error:
            self.error = UnreadableFile(f"{self._path} cannot be read: {error.strerror}")
        finally:
            self._backlog.close()

    def _chunks(self, file: int) -> Iterator[bytes]:
        late = 0  # bytes that were read after the stop, and one
        while late < _LATE:
            ready, _, _ = select.select([file, self._stopped], [], [], 0 if late else None)
            late = late or int(self._stopped in ready)
            if file in ready:
                chunk = os.read(file, _CHUNK)
                if not chunk:
                    return
                late += len(chunk) if late else 0
                yield chunk
            elif late:
                return


def _lines(chunks: Iterable[bytes]) -> Iterator[list[bytes]]:
    """The lines of the stream that `chunks` make up, without their ends; the last needs none."""
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        while len(rest) > _LONGEST:
            lines.append(rest[:_LONGEST])
            rest = rest[_LONGEST:]
        if lines:
            yield lines
    if rest:
        yield [rest]

"""The three standard streams, so that none of them ends a command without a word.

A full disk behind stdout, a reader that has gone and a closed stream become one error of mdload's
own; what cannot be written to stderr never ends the work that it tells of.
"""

from __future__ import annotations

import codecs
import io
import json
import os
import sys
from typing import Any, Final

from loader.errors import OutputLost, ReaderGone

#: How each stream that is closed is opened again: reading stdin and writing to stdout fail, and
#: stderr takes everything. Left closed, the next file or socket would get its number.
_CLOSED: Final = (os.O_WRONLY, os.O_RDONLY, os.O_WRONLY)
_ESCAPED: Final = "mdload-escaped"


def settle() -> None:
    """Makes the streams of this process fail in words; to be called once, first of all."""
    closed = [_reopened(number) for number in range(3)]
    codecs.register_error(_ESCAPED, _escaped)
    sys.stdout = _text(sys.stdout, _Output(1, "w", closefd=False, closed=closed[1]))
    sys.stderr = _text(sys.stderr, _Talk(2, "w", closefd=False))


class _Output(io.FileIO):
    """stdout."""

    def __init__(self, *given: Any, closed: bool, **named: Any) -> None:
        super().__init__(*given, **named)
        self._closed = closed

    def write(self, data: Any, /) -> int:
        """
        Raises:
            ReaderGone: the program behind the pipe has ended.
            OutputLost: what is written does not arrive.
        """
        try:
            return super().write(data)
        except BrokenPipeError as exc:
            raise ReaderGone("nobody reads the output any more") from exc
        except OSError as exc:
            why = "it is closed" if self._closed else exc.strerror or str(exc)
            raise OutputLost(
                f"standard output cannot be written: {why}",
                hint="run the command again with its output going to a file or pipe that takes it",
            ) from exc


class _Talk(io.FileIO):
    """stderr."""

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError:
            return len(data)


def _reopened(number: int) -> bool:
    """Whether the stream was closed. It is open afterwards."""
    try:
        os.fstat(number)
    except OSError:
        opened = os.open(os.devnull, _CLOSED[number])
        if opened != number:
            os.dup2(opened, number)
            os.close(opened)
        return True
    return False


def _text(before: io.TextIOBase | Any, raw: io.FileIO) -> io.TextIOWrapper:
    """`raw` as text, in the encoding that Python has chosen for the stream `before`."""
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=getattr(before, "encoding", None) or "utf-8",
        errors=_ESCAPED,
        line_buffering=raw.isatty() or raw.fileno() == 2,
    )


def _escaped(error: UnicodeError) -> tuple[str, int]:
    """Characters that the encoding lacks as JSON writes them, which is valid in JSON too."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return json.dumps(error.object[error.start : error.end])[1:-1], error.end

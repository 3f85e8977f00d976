"""A command that gets the result on its standard input."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import tempfile
import threading
from contextlib import suppress
from pathlib import PurePath
from typing import IO, Final

from loader.text import duration

#: Bytes to keep of the end of a command's output.
_KEPT: Final = 2000
#: A process that the command leaves running may hold its output open: how long to wait for that.
_LAST_WORDS_SECONDS: Final = 1.0


class HookError(Exception):
    """What went wrong, as completes "on_success of the job nightly …"."""


def run(command: str | tuple[str, ...], said: bytes, seconds: float) -> None:
    """Runs `command` with `said` on its standard input, and ends it after `seconds`, with all that
    it started. A text is split into words as a shell does it, and no shell runs it.

    Raises:
        HookError: it cannot be run, ended badly or took too long. The message has its name only:
            its arguments may hold a secret.
    """
    words = words_of(command)
    name = PurePath(words[0]).name
    with tempfile.TemporaryFile(prefix="mdload-") as standard_input:
        standard_input.write(said)  # a file, because a command need not read it
        standard_input.seek(0)
        try:
            process = subprocess.Popen(
                words, stdin=standard_input, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                start_new_session=True,
            )  # fmt: skip
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise HookError(f"cannot run {name!r}: {reason}") from error
    assert process.stdout is not None
    output = _Tail(process.stdout)
    try:
        code = process.wait(seconds)
    except subprocess.TimeoutExpired:
        raise HookError(
            f"was stopped: {name} took longer than {duration(1000 * seconds)}"
        ) from None
    finally:
        _end(process)
    if code:
        how = f"ended with {code}" if code > 0 else f"was ended by {signal.Signals(-code).name}"
        last = output.last_line()
        raise HookError(f"failed: {name} {how}" + (f": {last}" if last else ""))


def words_of(command: str | tuple[str, ...]) -> list[str]:
    """The program and its arguments.

    Raises:
        HookError: a text without a command, or with unbalanced quotes.
    """
    try:
        words = shlex.split(command) if isinstance(command, str) else list(command)
    except ValueError as error:
        raise HookError(f"is not a command: {error}") from error
    if not words:
        raise HookError("is not a command: it is empty")
    return words


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends the command's processes if it has not ended by itself."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


class _Tail:
    """The end of what comes out of a pipe, read beside so that nothing waits or piles up."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe = pipe
        self._end = b""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        with self._pipe:
            while part := self._pipe.read1(65_536):  # type: ignore[attr-defined]
                self._end = (self._end + part)[-_KEPT:]

    def last_line(self) -> str:
        self._reader.join(_LAST_WORDS_SECONDS)
        lines = self._end.decode("utf-8", "replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

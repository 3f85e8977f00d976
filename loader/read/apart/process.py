"""Starts the process that reads a file, and takes its answer."""

from __future__ import annotations

import io
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, Final

from loader.errors import UnreadableFile

#: Of the environment; what only mdload needs, passwords among it, is kept from the process.
_KEPT: Final = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR", "PYTHONHOME",
                "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH")  # fmt: skip
#: Each thread of a library would take some of the memory that it may have.
_SET: Final = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
#: Modules come from where they come from here.
_CODE: Final = (
    "import sys; name, lifeline, *sys.path = sys.argv[1:]; "
    "from loader.read.apart.child import main; main(name, int(lifeline))"
)
#: Seconds without a word and without any processor time, after which the process hangs.
_IDLE: Final = 60.0
_AGAIN: Final = "get the file again from where it came, or write it again"


class _Output(io.RawIOBase):
    """What the process writes. A process that hangs, where it would not compute for ever either, is
    ended by SIGALRM."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        self._process, self._file = process, process.stdout.fileno()
        self._ready = select.poll()
        self._ready.register(self._file, select.POLLIN)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        before = _asleep(self._process.pid)
        while not self._ready.poll(_IDLE * 1000):
            now = _asleep(self._process.pid)
            if now is not None and now == before:
                self._process.send_signal(signal.SIGALRM)
            before = now
        return os.readv(self._file, [buffer])


def _asleep(pid: int) -> int | None:
    """The processor time of a process that waits for something other than a disk; None if it does
    not, or the system does not say."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            state, *numbers = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    return int(numbers[10]) + int(numbers[11]) if state == b"S" else None


class Answer:
    """What the process says of a file.

    Attributes:
        columns: the name of each column, and its dtype as NumPy calls it.
        rows: how many there are.
        place: the group in which all tables are.

    Raises:
        UnreadableFile: what it says is that it cannot read the file, or it has crashed; also while
            its blocks are read.
    """

    def __init__(self, process: subprocess.Popen[bytes], name: str) -> None:
        self._process, self._name = process, name
        self._stream = io.BufferedReader(_Output(process), 1 << 16)
        head = self._message()
        self.columns = [(str(column), str(kind)) for column, kind in head["columns"]]
        self.rows = int(head["rows"])
        self.place = str(head["place"])

    def blocks(self) -> Iterator[tuple[str, list[bytes]]]:
        """The name of a table, and each column of its next rows."""
        widths = [_width(kind) for _, kind in self.columns]
        while not (message := self._message()).get("end"):
            yield message["key"], [self._read(message["rows"] * width) for width in widths]

    def _message(self) -> dict[str, Any]:
        try:
            message: dict[str, Any] = json.loads(self._stream.readline())
        except ValueError:  # half a line, or none
            raise self._crash() from None
        if "fault" in message:
            raise UnreadableFile.of(self._name, message["fault"], hint=message["hint"])
        return message

    def _read(self, size: int) -> bytes:
        data: bytes = self._stream.read(size)
        if len(data) < size:
            raise self._crash()
        return data

    def _crash(self) -> UnreadableFile:
        """Why there is no more of its answer."""
        code = self._process.wait()
        if code == -signal.SIGPROF:
            what = "the library that reads it computes and gets no further"
        elif code == -signal.SIGALRM:
            what = f"the library that reads it hangs, {_IDLE:.0f} s without doing anything"
        elif code == -signal.SIGKILL:
            return UnreadableFile.of(
                self._name,
                "cannot be read: the process that reads it was killed",
                hint="if the system ran out of memory, free some, and load the file again",
            )
        elif code < 0:
            what = f"the library that reads it crashes ({signal.Signals(-code).name})"
        else:
            return UnreadableFile.of(
                self._name,
                f"cannot be read: the process that reads it ended with exit code {code}",
                hint="install mdload again with its extras: pip install --force-reinstall mdload",
            )
        return UnreadableFile.of(self._name, f"is damaged: {what}", hint=_AGAIN)


@contextmanager
def answer(file: IO[bytes], name: str) -> Iterator[Answer]:
    """Has a process of its own read `file`, one of the system's, from its start. At the end of the
    context the process has ended.

    Raises:
        UnreadableFile: the process cannot be started; and as `Answer`.
    """
    file.seek(0)
    ends, lifeline = os.pipe()
    try:
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", _CODE, name, str(ends), *sys.path],
            bufsize=0, stdin=file, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            pass_fds=[ends], env=_environment(), process_group=0,  # without a terminal's Ctrl-C
        )  # fmt: skip
    except OSError as exc:
        os.close(lifeline)
        raise UnreadableFile.of(
            name,
            f"cannot be read: the process that would read it cannot start: {exc.strerror or exc}",
            hint="allow this account more processes (ulimit -u), or end some",
        ) from exc
    finally:
        os.close(ends)
    try:
        with process:
            try:
                yield Answer(process, name)
            finally:
                process.kill()
    finally:
        os.close(lifeline)


def _environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return kept | _SET


def _width(kind: str) -> int:
    """Bytes of a number: 8 of `uint64`."""
    return int("".join(filter(str.isdigit, kind))) // 8

"""Starts the process that reads a file, and takes its answer."""

from __future__ import annotations

import json
import os
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
_AGAIN: Final = "get the file again from where it came, or write it again"


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

    @property
    def _stream(self) -> IO[bytes]:
        assert self._process.stdout is not None
        return self._process.stdout

    def _crash(self) -> UnreadableFile:
        """Why there is no more of its answer."""
        code = self._process.wait()
        if code == -signal.SIGPROF:
            what = "the library that reads it computes and gets no further"
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
            stdin=file, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, pass_fds=[ends],
            env=_environment(), process_group=0,  # a terminal's Ctrl-C is not for it
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

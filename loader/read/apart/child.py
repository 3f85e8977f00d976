"""What runs in the process of its own: it reads the file, and can do little else.

It is started with a bare environment, and gives up the right to open files and to take more memory
before it looks into the file. A file that makes its library compute without getting anywhere ends
the process by SIGPROF.
"""

from __future__ import annotations

import fcntl
import io
import json
import os
import resource
import signal
import sys
from contextlib import suppress
from typing import IO, Any, Final, NoReturn

from loader.errors import UnreadableFile
from loader.read.apart import hdf5

#: Seconds of processor time after which it has to have got further.
PATIENCE: Final = 30.0
#: Bytes of the file for which it gets another second, until its first row has been read.
_A_SECOND: Final = 1 << 20
#: Memory beyond what the libraries have taken: some pieces of `bounds.UNPACKED`.
_MEMORY: Final = 1 << 30


def main(name: str, lifeline: int) -> NoReturn:
    """Reads the file of that `name`, and ends the process.

    `lifeline` is a pipe that the parent holds at its other end.
    """
    out = open(os.dup(1), "wb", 1 << 16)  # noqa: SIM115 - it ends with the process
    os.dup2(2, 1)  # what a library prints is not part of the answer
    _end_with_parent(lifeline)
    try:
        file = io.FileIO(0, closefd=False)
        h5py = hdf5.imported(name)
        _give_up_rights()
        got_further(PATIENCE + os.fstat(0).st_size / _A_SECOND)
        for key, columns in hdf5.read(file, name, h5py, lambda head: _say(out, head)):
            got_further()
            _say(out, {"key": key, "rows": len(columns[0])})
            for column in columns:
                out.write(memoryview(column).cast("B"))
        _say(out, {"end": True})
        out.flush()
    except UnreadableFile as error:
        _say(out, {"fault": error.fault, "hint": error.hint})
        out.flush()
    except BrokenPipeError:
        pass
    except Exception as error:  # no place to show a traceback
        what = f"cannot be read: {type(error).__name__}: {error}"
        _say(out, {"fault": what, "hint": "get it again; if that does not help, report it"})
        out.flush()
    os._exit(0)


def got_further(seconds: float = PATIENCE) -> None:
    """Gives the process so many seconds of processor time from now."""
    signal.setitimer(signal.ITIMER_PROF, seconds)


def _say(out: IO[bytes], message: dict[str, Any]) -> None:
    out.write(json.dumps(message).encode() + b"\n")


def _end_with_parent(lifeline: int) -> None:
    """Has the system end the process, whatever it computes, when the pipe's other end closes."""
    with suppress(OSError, AttributeError):
        fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
        flags = fcntl.fcntl(lifeline, fcntl.F_GETFL)
        fcntl.fcntl(lifeline, fcntl.F_SETFL, flags | os.O_ASYNC)  # SIGIO, which ends a process


def _give_up_rights() -> None:
    for right, most in (
        (resource.RLIMIT_NOFILE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_AS, _address_space() + _MEMORY),
    ):
        with suppress(OSError, ValueError):  # it has less already, or the system knows no such one
            resource.setrlimit(right, (most, most))


def _address_space() -> int:
    """Bytes of it that the process has; more than any where the system does not say."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[0]) * resource.getpagesize()
    except OSError:
        return sys.maxsize - _MEMORY

"""Ctrl-C, SIGTERM and SIGHUP as KeyboardInterrupt in the main thread; and the end of the process.

An interrupted command ends its work in order: statements are cancelled, the run is recorded. If
that takes too long, because a library computes or a server does not answer, a thread of its own
ends the process. Nothing is lost by that: what is not committed is rolled back by the server.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Final, NoReturn

from loader.errors import DeadlinePassed, OutputLost, ReaderGone

#: Seconds from the first signal to the end of the process.
PATIENCE: Final = 1.8
#: Signals this soon after the first one are the same wish: `timeout` sends it twice.
_SAME: Final = 0.3
_INTERRUPTED: Final = 130
#: What a terminal sends when it is closed; Windows has no such signal.
HANG_UP: Final = () if sys.platform == "win32" else (signal.SIGHUP,)
_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, *HANG_UP)
#: What the pipe of signals carries besides their numbers: a KeyboardInterrupt was swallowed.
_AGAIN: Final = 0


class _State:
    def __init__(self) -> None:
        self.heard_at: float | None = None
        self.pipe: int | None = None
        self.in_charge = False
        self.busy: Callable[[], bool] = lambda: False
        self.ended: tuple[int, str] = _INTERRUPTED, "interrupted"


_state: Final = _State()


def heed() -> None:
    """Makes the signals end the work in hand; to be called once Polars is imported.

    Polars puts a handler of its own under Python's when it is imported, and keeps a Ctrl-C to
    itself while one of its queries runs in any thread: a load that waits for a lock would not end.
    Where the caller ignores SIGINT or SIGHUP (nohup, a shell's background job), it stays ignored.
    """
    _state.in_charge = True
    signal.signal(signal.SIGTERM, _raise)
    for number in (signal.SIGINT, *HANG_UP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _raise)


def watch() -> None:
    """Starts the thread that ends an interrupted process in time. In the main thread, once."""
    ends, _state.pipe = os.pipe()
    os.set_blocking(_state.pipe, False)
    signal.set_wakeup_fd(_state.pipe, warn_on_full_buffer=False)
    sys.unraisablehook = _swallowed
    threading.Thread(target=_watch, args=(ends,), name="mdload-signals", daemon=True).start()


def stand_back() -> None:
    """Leaves the signals to a command with a way of its own to end."""
    _state.in_charge = False


def heard() -> bool:
    """Whether a signal has asked for the end."""
    return _state.heard_at is not None


def wait_for(busy: Callable[[], bool]) -> None:
    """Lets an interrupted process go on while `busy()`: for work with time limits of its own."""
    _state.busy = busy


def foretell(what: str) -> None:
    """What stderr says if an interrupted command cannot end in order."""
    _state.ended = _INTERRUPTED, what


@contextmanager
def kept(code: int, what: str) -> Iterator[None]:
    """Around the output of a command that has committed its work.

    Where the output cannot be written, or a signal comes, stderr tells `what` was done and why
    nothing more is shown, and the command goes on to end with its `code`.
    """
    _state.ended = code, f"{what}; interrupted while its result was printed"
    try:
        yield
    except OutputLost as lost:
        _tell(f"{what}; {lost}", lost.hint)
    except ReaderGone:
        _tell(what)
    except KeyboardInterrupt:
        _tell(_state.ended[1])


def _tell(what: str, hint: str | None = None) -> None:
    from loader.listen import log

    log.note(what if hint is None else f"{what}\nhint: {hint}")


def leave(code: int) -> NoReturn:
    """Ends the process with `code`, whatever signals still come and whichever threads are busy."""
    for number in _SIGNALS:
        signal.signal(number, lambda *_: os._exit(code))
    # What an interrupt left unwritten might wait for its reader for ever.
    for stream in (sys.stderr,) if heard() else (sys.stdout, sys.stderr):
        with suppress(Exception):  # stdout's loss was told by whoever wrote to it
            stream.flush()
    os._exit(code)


def _raise(number: int, frame: FrameType | None) -> None:
    if _state.heard_at is None:
        _state.heard_at = time.monotonic()
        raise KeyboardInterrupt
    if time.monotonic() - _state.heard_at > _SAME:
        _end()


def _watch(ends: int) -> None:
    while numbers := os.read(ends, 64):
        if _AGAIN in numbers:
            time.sleep(0.01)
            _state.heard_at = None
            wanted = {*numbers} - {_AGAIN}
            for number in (n for n in wanted if callable(signal.getsignal(n))):
                signal.pthread_kill(threading.main_thread().ident or 0, number)
        elif any(number in numbers for number in _SIGNALS):
            if not _state.in_charge:
                continue
            time.sleep(PATIENCE)
            while _state.busy():
                time.sleep(0.1)
            _end()


def _swallowed(lost: sys.UnraisableHookArgs) -> None:
    """What a signal raised in a destructor or a callback is raised once more, where it counts."""
    again = {KeyboardInterrupt: signal.SIGTERM, DeadlinePassed: signal.SIGALRM}
    if (number := again.get(lost.exc_type)) is not None and _state.pipe is not None:
        with suppress(OSError):
            os.write(_state.pipe, bytes([_AGAIN, number]))
        return
    sys.__unraisablehook__(lost)


def _end() -> NoReturn:
    from loader.listen import log

    code, what = _state.ended
    with suppress(OSError):  # not by logging: another thread may hold its lock for ever
        os.write(2, f"{log.error_line(what)}\n".encode(errors="replace"))
    os._exit(code)

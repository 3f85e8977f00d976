"""Waits that a signal can end, where a library would go on: its work is done in a thread that can
be left behind, and the server is asked to stop."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Final, Generic, TypeVar

from loader.db.executor import Executor

T = TypeVar("T")

#: Seconds for the server to hear of a cancel.
_HEARD: Final = 0.5
#: Seconds after which a thread that waits looks for signals again.
_LOOK: Final = 0.5


def cancellable(connection: Executor, work: Callable[[], T], others: Sequence[Executor] = ()) -> T:
    """Does `work` over `connection` in another thread, so that Ctrl-C can interrupt the wait.
    Returns or raises what `work` does. `others` are connections that `work` opens meanwhile."""
    with cancelling(connection, others):
        return apart(work)


@contextmanager
def cancelling(connection: Executor, others: Sequence[Executor] = ()) -> Iterator[None]:
    """If the block raises, asks the server to stop what other threads do over `connection` and
    over those that are among `others` by then."""
    try:
        yield
    except BaseException:
        for each in (connection, *others):
            stop(each)
        raise


def stop(connection: Executor) -> None:
    """Asks the server to stop what another thread does over `connection`."""
    with suppress(TooLate):  # a server that does not answer cannot be asked
        apart(connection.cancel, seconds=_HEARD)


class TooLate(Exception):
    """The work took longer than it may. It goes on, and nobody waits for it."""

    def __init__(self) -> None:
        super().__init__("no answer in time")


class _Work(Generic[T]):
    """One piece of work, and what has become of it."""

    def __init__(self, work: Callable[[], T], unwanted: Callable[[T], object]) -> None:
        self._work = work
        self._unwanted = unwanted
        self._lock = threading.Lock()
        self._left = False
        self._done: list[T] = []
        self._error: BaseException | None = None
        self.ended = threading.Event()

    def run(self) -> None:
        try:
            done = self._work()
        except BaseException as error:  # raised by `result`, in the thread that waits
            self._error = error
        else:
            with self._lock:
                self._done.append(done)
                left = self._left
            if left:
                self._unwanted(done)
        self.ended.set()

    def result(self) -> T:
        if self._error is not None:
            raise self._error
        return self._done[0]

    def leave(self) -> None:
        with self._lock:
            self._left = True
            done = list(self._done)
        for each in done:
            self._unwanted(each)


def apart(
    work: Callable[[], T],
    *,
    unwanted: Callable[[T], object] = lambda _: None,
    seconds: float | None = None,
) -> T:
    """Does `work` in a thread of its own, so that a signal can end the wait for it; it is then left
    behind, and `unwanted` gets what it may still return. Returns or raises what `work` does.

    Raises:
        TooLate: it took longer than `seconds`.
    """
    job = _Work(work, unwanted)
    threading.Thread(target=job.run, name="mdload-apart", daemon=True).start()
    try:
        left = seconds
        # In steps: a signal that comes just before a wait begins would be noticed at its end only.
        while not job.ended.wait(_LOOK if left is None else min(left, _LOOK)):
            if left is not None and (left := left - _LOOK) <= 0:
                raise TooLate
    except BaseException:
        job.leave()
        raise
    return job.result()


def on_main(work: Callable[[], T], *, unwanted: Callable[[T], object] = lambda _: None) -> T:
    """`apart` if this is the main thread, where signals are handled; else just `work`."""
    if threading.current_thread() is threading.main_thread():
        return apart(work, unwanted=unwanted)
    return work()

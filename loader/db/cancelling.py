"""Waits that a signal can end, where a library would go on: its work is done in a thread that can
be left behind, and the server is asked to stop."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Final, Generic, Protocol, TypeVar

T = TypeVar("T")

#: Seconds for the server to hear of a cancel.
_HEARD: Final = 0.5
#: Seconds for a cancelled statement to end: until then its session cannot be closed.
_ENDED: Final = 0.2
#: Seconds after which a thread that waits looks for signals again.
_LOOK: Final = 0.5


class Cancellable(Protocol):
    def cancel(self) -> None:
        """Asks the server to stop what this session is doing. For another thread to call."""


def cancellable(
    connection: Cancellable, work: Callable[[], T], others: Sequence[Cancellable] = ()
) -> T:
    """Does `work` over `connection` in another thread, so that Ctrl-C can interrupt the wait.
    Returns or raises what `work` does. `others` are connections that `work` opens meanwhile."""
    job = _Work(work, lambda _: None)
    try:
        return job.awaited()
    except BaseException:
        for each in others:
            stop(each)
        for _ in range(2):  # what comes to the server after the cancel needs another one
            if job.ended.is_set():  # a late cancel would end the next statement
                break
            stop(connection)
            job.ended.wait(_ENDED)
        raise


@contextmanager
def cancelling(connection: Cancellable, others: Sequence[Cancellable] = ()) -> Iterator[None]:
    """If the block raises, asks the server to stop what other threads do over `connection` and
    over those that are among `others` by then."""
    try:
        yield
    except BaseException:
        for each in (connection, *others):
            stop(each)
        raise


def stop(connection: Cancellable) -> None:
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
            if self._left:  # before it began
                return
            done = self._work()
        except BaseException as error:  # raised by `result`, in the thread that waits
            self._error = error
        else:
            with self._lock:
                self._done.append(done)
                left = self._left
            if left:
                self._unwanted(done)
        finally:
            self.ended.set()

    def awaited(self, seconds: float | None = None) -> T:
        """Runs in a thread of its own, and returns or raises what came of it.

        Raises:
            TooLate: that took longer than `seconds`.
        """
        try:  # a signal can also come while the thread starts
            threading.Thread(target=self.run, name="mdload-apart", daemon=True).start()
            left = seconds
            # In steps: a signal just before a wait begins would be noticed at its end only.
            while not self.ended.wait(_LOOK if left is None else min(left, _LOOK)):
                if left is not None and (left := left - _LOOK) <= 0:
                    raise TooLate
        except BaseException:
            self.leave()
            raise
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
    return _Work(work, unwanted).awaited(seconds)


def is_main() -> bool:
    """Whether this is the thread where signals are handled."""
    return threading.current_thread() is threading.main_thread()


def cancellable_on_main(connection: Cancellable, work: Callable[[], T]) -> T:
    """`cancellable` if this is the main thread; else just `work`."""
    return cancellable(connection, work) if is_main() else work()


def on_main(work: Callable[[], T], *, unwanted: Callable[[T], object] = lambda _: None) -> T:
    """`apart` if this is the main thread, where signals are handled; else just `work`."""
    if is_main():
        return apart(work, unwanted=unwanted)
    return work()

"""A time by which work must have ended."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from loader.errors import DeadlinePassed
from loader.text import duration


@contextmanager
def deadline(seconds: float | None, what: str) -> Iterator[None]:
    """Stops the block after `seconds` as Ctrl-C would: by an exception in the main thread, where
    this must be called.

    Raises:
        DeadlinePassed: the time was up.
    """
    if seconds is None:
        yield
        return

    def passed(number: int, frame: FrameType | None) -> None:
        raise DeadlinePassed(
            f"{what} was stopped at its deadline, {duration(1000 * seconds)} after it began",
            hint="run it again, it goes on where it stopped; or give it more time: deadline = …",
        )

    before = signal.signal(signal.SIGALRM, passed)
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.001))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)

"""What a transaction writes and how long that takes, told once it has ended."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

import polars as pl

from loader.errors import Cancelled, MdloadError
from loader.events import BarsWritten, Event, Method


class Write:
    """One way into the table during one transaction; entered for as long as it takes.

    Attributes:
        bars: so many were sent; whoever knows how many of them made a difference sets it to that.
    """

    def __init__(self, method: Method) -> None:
        self.method = method
        self.bars = 0
        self.seconds = 0.0
        self._began = 0.0

    def __enter__(self) -> Self:
        self._began = time.monotonic()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.seconds = time.monotonic() - self._began

    def sending(self, frames: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
        """`frames`, counted as they go by."""
        for frame in frames:
            self.bars += frame.height
            yield frame


@contextmanager
def telling(emit: Callable[[Event], None], path: str, *writes: Write) -> Iterator[None]:
    """Goes around a transaction: tells of its writes when it has committed, or was lost to an
    error. One that was given up on purpose (cancelled, to be taken another way) is not told."""

    def tell(*, committed: bool) -> None:
        for write in writes:
            if write.bars:
                emit(BarsWritten(path, write.method, write.bars, write.seconds, committed))

    try:
        yield
    except Cancelled:
        raise
    except MdloadError:
        tell(committed=False)
        raise
    tell(committed=True)

"""Measures the writes of a transaction and reports them when it ends."""

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
    """One method of writing during one transaction; entered while it runs.

    Attributes:
        bars: the number of bars sent; the caller may lower it to those that changed the table.
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
        """Passes `frames` through and counts their bars."""
        for frame in frames:
            self.bars += frame.height
            yield frame


@contextmanager
def telling(emit: Callable[[Event], None], path: str, *writes: Write) -> Iterator[None]:
    """Wraps a transaction and reports its writes after a commit or an error. A cancelled
    transaction is not reported."""

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

"""Measures what a transaction writes and for how long; emitted once the transaction has ended."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

import polars as pl

from loader.errors import Cancelled, MdloadError
from loader.results.events import BarsWritten, Event, Method


class Write:
    """One step of a transaction that writes bars. Enter it for as long as the step takes; several
    times, if it goes on later.

    Attributes:
        bars: bars sent; set it to the bars that were inserted or updated, once they are known.
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
        self.seconds += time.monotonic() - self._began

    def sending(self, frames: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
        """The same frames; counts their bars."""
        for frame in frames:
            self.bars += frame.height
            yield frame


@contextmanager
def telling(emit: Callable[[Event], None], path: str, *writes: Write) -> Iterator[None]:
    """Goes around a transaction and emits its writes once it has committed or failed. A transaction
    that was given up on purpose (cancelled, or to load the file in another mode) emits nothing."""

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

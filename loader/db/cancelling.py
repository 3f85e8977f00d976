"""Ctrl-C while the server works: the driver itself would wait for the server's answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from loader.db.arrow import Connection

T = TypeVar("T")


def cancellable(connection: Connection, work: Callable[[], T]) -> T:
    """Does `work` over `connection` in another thread, so that Ctrl-C can interrupt the wait.
    Returns or raises what `work` does."""
    with ThreadPoolExecutor(1, "mdload-work") as pool, cancelling(connection):
        return pool.submit(work).result()


@contextmanager
def cancelling(connection: Connection) -> Iterator[None]:
    """If the block raises, asks the server to stop what another thread does over `connection`."""
    try:
        yield
    except BaseException:
        connection.cancel()
        raise

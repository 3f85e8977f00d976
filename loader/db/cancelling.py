"""Ctrl-C while the server works: the driver would not let go before the server answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from loader.db.arrow import Connection

T = TypeVar("T")


def cancellable(connection: Connection, work: Callable[[], T]) -> T:
    """What `work` comes to, done over `connection` in a thread of its own, which this one waits for
    and can be interrupted. Raises what it raises."""
    with ThreadPoolExecutor(1, "mdload-work") as pool, cancelling(connection):
        return pool.submit(work).result()


@contextmanager
def cancelling(connection: Connection) -> Iterator[None]:
    """Asks the server to stop what another thread does over `connection` if the block raises."""
    try:
        yield
    except BaseException:
        connection.cancel()
        raise

"""What the files of a run share, and how one of them is to be taken."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from loader.db import Connection, connect
from loader.events import Event
from loader.settings import Settings


class Job:
    """What all files of a run share. `run_id` is None for a dry run."""

    def __init__(
        self,
        settings: Settings,
        url: str,
        run_id: int | None,
        fingerprint: str,
        emit: Callable[[Event], None],
    ) -> None:
        self.settings = settings
        self.url = url
        self.run_id = run_id
        self.fingerprint = fingerprint
        self.emit = emit
        self.cancelled = threading.Event()
        self._open: set[Connection] = set()

    @contextmanager
    def connection(
        self, *, autocommit: bool = False, cancellable: bool = True
    ) -> Iterator[Connection]:
        """A connection that `cancel` reaches, unless it is not `cancellable`."""
        with connect(self.url, autocommit=autocommit) as connection:
            if cancellable:
                self._open.add(connection)
            try:
                yield connection
            finally:
                self._open.discard(connection)

    def cancel(self) -> None:
        """Stops every file at its next batch, and what the server is doing for it now."""
        self.cancelled.set()
        for connection in list(self._open):
            connection.cancel()


@dataclass(frozen=True, slots=True)
class Way:
    """How to take a file: `partition` where keys may repeat across batches; `direct` lets new bars
    go straight into the table, which another writer of the same keys can spoil; `resume_at` is how
    far committed parts reach: the last raw row (of a partitioned file: the last piece)."""

    partition: bool = False
    direct: bool = True
    resume_at: int = 0

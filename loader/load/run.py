"""What the files of a run share, and how one of them is to be taken."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial

from loader.db.arrow import Connection, connect
from loader.dialects.filenames import said_by
from loader.dialects.known import known_dialects
from loader.dialects.own import from_tables
from loader.errors import DatabaseError
from loader.events import Event
from loader.read.sources import Source
from loader.settings import Settings
from loader.store.runs.fingerprint import compute_config_fingerprint
from loader.store.timescale.recompress import ChunkUpkeep


class LoadRun:
    """What all files of a run share. `run_id` is None for a dry run; `before` says of a path which
    content (its hash) a recent run of the job found there, and which run."""

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
        self.before: Mapping[str, tuple[str, int]] = {}
        self.cancelled = threading.Event()
        session = partial(self.connection, autocommit=True)
        self.behind = ChunkUpkeep(
            url, session, self.cancelled.is_set, recompress=settings.recompress
        )
        self._open: set[Connection] = set()
        self._idle: dict[bool, list[Connection]] = {True: [], False: []}

    def fingerprint_of(self, source: Source) -> str:
        """That of the job, and of what the file's name says: symbol, interval, day, side …

        Raises:
            SettingsError: a dialect of the person's own, or of another package, is none.
        """
        own = from_tables(self.settings.own_dialects)
        said = said_by(source.full_path, known_dialects(own).values())
        if not said:
            return self.fingerprint
        return compute_config_fingerprint({"settings": self.fingerprint, "name": said})

    @contextmanager
    def connection(
        self, *, autocommit: bool = False, cancellable: bool = True
    ) -> Iterator[Connection]:
        """A connection that `cancel` reaches, unless it is not `cancellable`.

        One that is given back whole serves again: opening one takes longer than a small file.
        """
        connection = self._taken_up(autocommit) or connect(self.url, autocommit=autocommit)
        if cancellable:
            self._open.add(connection)
        try:
            yield connection
        except BaseException:
            connection.failed = True
            raise
        finally:
            self._open.discard(connection)
            if connection.failed or self.cancelled.is_set():
                connection.close()
            else:
                self._idle[autocommit].append(connection)

    def _taken_up(self, autocommit: bool) -> Connection | None:
        while self._idle[autocommit]:
            with suppress(IndexError):  # another thread was faster
                connection = self._idle[autocommit].pop()
                with suppress(DatabaseError):
                    connection.renew()
                    return connection
                connection.close()
        return None

    def close(self) -> None:
        """Closes what serves no more; all files must have ended."""
        for connection in (*self._idle[True], *self._idle[False]):
            connection.close()

    def cancel(self) -> None:
        """Stops every file at its next batch, and what the server is doing for it now."""
        self.cancelled.set()
        for connection in list(self._open):
            connection.cancel()


@dataclass(frozen=True, slots=True)
class LoadMode:
    """How to take a file: `partition` where keys may repeat across batches; `direct` lets new bars
    go straight into the table, which another writer of the same keys can spoil; `resume_at` is how
    far committed parts reach: the last raw row (of a partitioned file: the last piece)."""

    partition: bool = False
    direct: bool = True
    resume_at: int = 0

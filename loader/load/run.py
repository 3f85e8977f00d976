"""State that the files of a run share, and the mode in which a file is loaded."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial

from loader.db.arrow import Connection, connect
from loader.dialects.filenames import path_facts
from loader.dialects.own import from_tables
from loader.dialects.recognition import known_dialects
from loader.errors import DatabaseError
from loader.events import Event
from loader.read.sources import Source
from loader.settings import Settings
from loader.store.runs.fingerprint import compute_config_fingerprint
from loader.store.timescale.recompress import ChunkUpkeep


class LoadRun:
    """State that all files of a run share. `run_id` is None for a dry run; `before` maps a path to
    the content hash that a recent run of the job found there, and to that run's id."""

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
        """The fingerprint of the settings and of the facts in the file's name: symbol, interval …

        Raises:
            SettingsError: a dialect of the person's or of another package is invalid.
        """
        own = from_tables(self.settings.own_dialects)
        said = path_facts(source.full_path, known_dialects(own).values())
        if not said:
            return self.fingerprint
        return compute_config_fingerprint({"settings": self.fingerprint, "name": said})

    @contextmanager
    def connection(
        self, *, autocommit: bool = False, cancellable: bool = True
    ) -> Iterator[Connection]:
        """A connection that `cancel` reaches if `cancellable`.

        An intact connection is reused, because opening one takes longer than a small file.
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
        """Closes the idle connections; all files must have ended."""
        for connection in (*self._idle[True], *self._idle[False]):
            connection.close()

    def cancel(self) -> None:
        """Stops every file at its next batch, and cancels its running statement."""
        self.cancelled.set()
        for connection in list(self._open):
            connection.cancel()


@dataclass(frozen=True, slots=True)
class LoadMode:
    """How to load a file: `partition` if keys may repeat across batches; `direct` sends new bars
    straight into the table, which fails if another writer stores the same keys; `resume_at` is how
    far committed parts reach: the last raw row (for a partitioned file, the last piece)."""

    partition: bool = False
    direct: bool = True
    resume_at: int = 0

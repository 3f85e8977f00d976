"""What the files of a load share, and how one of them is loaded."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Final

from loader.check.file import Checking
from loader.db.arrow import Connection, connect
from loader.db.retries import Outage
from loader.dialects.filenames import path_columns, path_facts
from loader.dialects.known import known_dialects
from loader.dialects.own import from_tables
from loader.dialects.siblings import Siblings
from loader.errors import Cancelled, DatabaseError
from loader.ingest.known_at import known_at
from loader.ingest.mergers import DryMerger, Keeper
from loader.ingest.run import durable
from loader.ingest.run.apart import Alone, unshared
from loader.ingest.run.losses import Losses
from loader.ingest.run.order import Order
from loader.ingest.tally import Tally
from loader.lazy import dataclass
from loader.read.formats import Reading
from loader.read.sources import Source
from loader.results import FileResult
from loader.results.events import Event
from loader.settings import Settings
from loader.store import quarantine
from loader.store.compare import Diff
from loader.store.runs.fingerprint import compute_config_fingerprint
from loader.store.timescale.chunks import chunked
from loader.store.timescale.recompress import ChunkUpkeep

if TYPE_CHECKING:
    from loader.ingest.run.hashed import HashedMeanwhile
    from loader.ingest.run.protocols import Others, Plans, Replaying
    from loader.ingest.run.small.patterns import Shown

STOPPED: Final = "cancelled before the file was committed; nothing more of it was kept"


class LoadRun:
    """What all files of a load share.

    Attributes:
        run_id: the run's row in `job_runs`; None for a dry run.
        earlier: by path, the hash of the content that a recent run of the job found there, and that
            run's id.
        siblings: the names of all files.
        defers_commits: whether a commit does not wait for the disk, so that `durable.confirmed`
            has to look for the files at the end.
        is_spread: whether Citus has distributed the bars, as far as a connection has seen.
        paths: by a file's name, its path (see `Source.full_path`).
        replay: what the files are if they are rejected rows, to be read as their files were.
        plan: what keeps the bars that a dry run would write.
        others: what the files are if they are not bars.
        upkeep: the chunks to look after once files have been committed.
        losses: tells whether bars of known files are gone.
        order: in which order the files were loaded.
        asks_ledger: whether a file that is loaded already is left out.
        shown: what small files of a kind have shown, see `small.patterns`.
        outage: how long the server has been away.
        meanwhile: the first file, if it is hashed while the run begins.
        leaves: whether another process records a file that was not loaded.
        alone: keeps other processes from contents; gives their results if one was faster.
    """

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
        self.earlier: Mapping[str, tuple[str, int]] = {}
        self.siblings = Siblings()
        self.paths: Mapping[str, str] = {}
        self.replay: Replaying | None = None
        self.plan: Plans | None = None
        self.defers_commits = self.is_spread = False
        self._named: tuple[str, str] | None = None  # the last file's path and fingerprint
        self.others: Others | None = None
        self.alone: Alone = unshared
        self.losses, self.outage, self.order = Losses(), Outage(), Order()
        self.asks_ledger = not settings.force
        self.meanwhile: HashedMeanwhile | None = None
        self.leaves: Callable[[FileResult], bool] = lambda result: False
        self.shown: dict[tuple[object, ...], Shown] = {}
        self.cancelled = threading.Event()
        session, stopped = partial(self.connection, autocommit=True), self.cancelled.is_set
        self.upkeep = ChunkUpkeep(url, session, stopped, recompress=settings.recompress)
        self._has_timescale: bool | None = None
        self._open: set[Connection] = set()
        self._idle: dict[bool, list[Connection]] = {True: [], False: []}

    def fingerprint_of(self, source: Source) -> str:
        """The fingerprint of the settings and of what the file's name says: symbol, interval, day …

        Raises:
            SettingsError: a dialect of the user, or of another package, is not valid.
        """
        last = self._named  # read once: other threads ask for their files
        if last is None or last[0] != source.full_path:
            self._named = last = (source.full_path, self._fingerprint_of(source))
        return last[1]

    def _fingerprint_of(self, source: Source) -> str:
        own = from_tables(self.settings.own_dialects)
        named = path_facts(source.full_path, known_dialects(own).values())
        columns = path_columns(source.full_path, self.settings)
        if not named and not columns:
            return self.fingerprint
        said: dict[str, object] = {"settings": self.fingerprint, "name": named}
        return compute_config_fingerprint(said | ({"path": columns} if columns else {}))

    def checking(self, reading: Reading, source: Source, cut_at: int = 0) -> Checking:
        """The checks of one file of this load."""
        if self.replay is not None:
            return self.replay.checking(reading, source, self.settings)
        unlike = self.siblings.unlike(source.full_path)
        alone = len(self.paths) < 2
        return Checking(reading, source, self.settings, cut_at, unlike=unlike, alone=alone)

    def keeper_of(self, source: Source) -> Keeper:
        """Who keeps the rejects of one file."""
        return quarantine.keep if self.replay is None else self.replay.keeper(source)

    @contextmanager
    def dry_merger(self, see: Callable[[Diff], None]) -> Iterator[DryMerger]:
        """What counts a merge that is not made. `see` is shown each piece once it is compared."""
        if self.plan is None:
            yield DryMerger(see)
            return
        with self.plan.merger(see) as merger:
            yield merger

    def would_load(self, result: FileResult, merger: DryMerger, tally: Tally) -> None:
        """Hands a file of a dry run to the plan, if there is one."""
        if self.plan is not None:
            self.plan.accept(result, merger, tally)

    def known_at_of(self, source: Source) -> datetime | None:
        """When the bars of the file were known (UTC); None for now.

        Raises:
            InputError: the settings look for it in the file's name, which does not say it.
        """
        return known_at(self.settings, source)

    @contextmanager
    def connection(
        self, *, autocommit: bool = False, cancellable: bool = True
    ) -> Iterator[Connection]:
        """A connection that `cancel` reaches if it is `cancellable`.

        It is used again unless it has failed: opening one takes longer than a small file.
        """
        if cancellable:
            self.stop_if_cancelled()
        connection = self._renewed(autocommit) or self._connected(autocommit)
        if cancellable:
            self._open.add(connection)
            if self.cancelled.is_set():  # while it was opened
                connection.stop()
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

    def _connected(self, autocommit: bool) -> Connection:
        connection = connect(self.url, autocommit=autocommit)
        self.is_spread = connection.shards is not None
        if self.defers_commits and not autocommit:
            try:
                durable.defer(connection)
            except BaseException:
                connection.close()
                raise
        return connection

    def in_chunks(self, session: Connection) -> bool:
        """Whether the bars are in chunks. A database without TimescaleDB is asked once."""
        if self._has_timescale is None:
            self._has_timescale = session.row("timescale_extension") is not None
        return self._has_timescale and chunked(session)

    def _renewed(self, autocommit: bool) -> Connection | None:
        while self._idle[autocommit]:
            with suppress(IndexError):  # another thread was faster
                connection = self._idle[autocommit].pop()
                with suppress(DatabaseError):
                    connection.renew()
                    return connection
                connection.close()
        return None

    def close(self) -> None:
        """Closes the idle connections, once all files have ended."""
        for connection in (*self._idle[True], *self._idle[False]):
            connection.close()

    def cancel(self) -> None:
        """Stops every file at its next batch, and the statements that are running for it. Nothing
        more is committed."""
        self.cancelled.set()
        for connection in list(self._open):
            # Apart, because a server that does not answer does not answer this either.
            threading.Thread(target=connection.stop, daemon=True).start()

    def stop_if_cancelled(self) -> None:
        """Raises:
        Cancelled: the load was cancelled.
        """
        if self.cancelled.is_set():
            raise Cancelled(STOPPED)


@dataclass(frozen=True, slots=True)
class LoadMode:
    """How to load a file.

    Attributes:
        partition: whether keys may repeat across batches, so that the file is first split by key.
        direct: whether new bars go into the table without a stage. If another writer adds one of
            their keys meanwhile, the transaction is lost.
        first: whether the table is empty, and held for this file alone: see `first_load.hold`.
        resume_at: how far committed parts reach: the last raw row (of a partitioned file: the last
            piece).
    """

    partition: bool = False
    direct: bool = True
    resume_at: int = 0
    first: bool = False

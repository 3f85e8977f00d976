"""`StoreClient`: writes bars, as Python objects or frames, into the store, and reads them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import count
from threading import RLock
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from loader.bars import forks
from loader.check.validate import CheckedBatch, RuleSettings
from loader.client import checks, frames
from loader.client.address import Address
from loader.client.bar import BarLike, Row, columns
from loader.client.checks.plain import PlainBatch
from loader.client.feed import Feed
from loader.client.reading import Reader
from loader.client.result import Rejects, WriteResult
from loader.client.sessions import Sessions
from loader.client.transaction import Spelling, Transaction
from loader.db import retries
from loader.errors import Cancelled, ConnectionLost, Contended, MdloadError
from loader.results import Counts
from loader.results.events import Event, FileNote, Listener
from loader.settings import Meaning
from loader.settings.terms import in_python_terms
from loader.store.metrics import Registry
from loader.store.runs.arguments import run_key

if TYPE_CHECKING:
    from loader.client.metrics import ClientMetrics

#: Seconds after which a write that is to end is cancelled again.
_AGAIN: Final = 0.1


class StoreClient(Reader):
    """Writes bars into one database, by the same rules and the same merge as `mdload backfill`, and
    reads them back: see `Reader`.

    Each batch is a transaction: its bars, the revisions of changed bars, its rejects and its new
    spellings commit together. If another writer is in the way or the server goes away, the batch
    is run again, up to eight times in about half a minute. After an error the client can be used
    again. Threads may share it; their batches are written one after the other.

    Args:
        dsn: a libpq URL or connection string. Without one the client finds the database as the
            command does: MDLOAD_DATABASE_URL, DATABASE_URL, libpq's environment, mdload.toml, or
            the embedded server, which then runs until `close`.
        run_id: a job run that is running. Rejects and revisions refer to it, and the counts of
            each batch are added to it in the batch's transaction.
        rules: what the rules allow.
        listeners: called with the events of each transaction, see `loader.results.events`.
        metrics: a registry of prometheus_client in which the written bars are counted, and with a
            `run_id` the rows of its job; by default the library's own. None for no metrics. A
            listener that counts in the same registry is not doubled.

    Every method that writes raises ConnectionLost when the server stays away and DatabaseError when
    it refuses. Batches before the one that failed are stored.

    Raises:
        SettingsError: `dsn` is not a valid connection string.
        ValueError: the registry has a metric of another kind under one of mdload's names.
    """

    def __init__(
        self,
        dsn: str | None = None,
        *,
        run_id: int | None = None,
        rules: RuleSettings | None = None,
        listeners: Iterable[Listener] = (),
        metrics: Registry = "default",
    ) -> None:
        forks.refuse()
        self._address = Address(dsn)
        self._run_id = None if run_id is None else run_key(run_id)
        self._rules = rules or RuleSettings()
        self._checks = checks.Checks(self._rules)
        self._listeners = tuple(listeners)
        self._metrics = _metrics(metrics, run_id, self._listeners)
        if self._metrics is not None:
            self._listeners += (self._metrics,)
        self._sessions = Sessions(self._address)
        self._remembered: set[Spelling] = set()
        self._turn = RLock()
        self._stop = threading.Event()
        #: The `_stop` of the write that goes on, if one does. It ends only while `_ending` is free.
        self._writing: threading.Event | None = None
        self._ending = RLock()

    def __enter__(self) -> Self:
        """Connects, so that a wrong address fails here."""
        forks.refuse()
        try:
            with self._turn, in_python_terms():
                self._sessions.prepared()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections; the next write opens new ones."""
        with self._turn:
            self._sessions.close()
            self._address.leave()

    def cancel(self) -> None:
        """Makes the current writes end with an error. For another thread to call."""
        stopped, self._stop = self._stop, threading.Event()
        stopped.set()
        with self._ending:  # a cancel that comes late would end the next write
            self._sessions.cancel()
        if self._writing is stopped:
            threading.Thread(
                target=self._cancel_again, args=[stopped], name="mdload-cancel", daemon=True
            ).start()

    def _cancel_again(self, stopped: threading.Event) -> None:
        """Cancels until that write has ended: between two statements the server ignores it."""
        while True:
            time.sleep(_AGAIN)
            with self._ending:
                if self._writing is not stopped:
                    return
                self._sessions.cancel()

    def write_bars(self, bars: Iterable[BarLike], batch_size: int = 1000) -> WriteResult:
        """Writes objects in batches, in their order; each batch is a transaction.

        If a batch has two bars for one key, the last one counts. Bars that break a rule go to
        `bars_rejected`, with their position (from 1) as row number.

        Raises:
            TypeError: an object lacks an attribute, or a value has a wrong type; the message names
                the attribute and the object's index. Nothing of its batch is stored.
            ValueError: a `ts` has no time zone (likewise), or `batch_size` is not positive.
        """
        checks.positive(batch_size)
        rejects = Rejects()
        if not isinstance(bars, Sequence) or len(bars) > batch_size:
            done = self._write_ahead(self._checks.objects(bars, batch_size), rejects)
        else:
            done = self.write_batch(bars, 0, rejects) if len(bars) else Counts()
        return WriteResult(done, rejects)

    def write_frame(
        self,
        frame: Any,
        *,
        provider: str | None = None,
        symbol: str | None = None,
        interval: str | None = None,
        timezone: str | None = None,
        columns: Mapping[str, str] | None = None,
        dialect: str | None = None,
        batch_size: int = 100_000,
    ) -> WriteResult:
        """Writes a frame of Polars or pandas, an Arrow table, a dict of columns, or another object
        with Arrow's C stream. The index of a pandas frame counts as columns; one of times without a
        name is `ts`.

        Columns have the names that `mdload backfill` understands. The arguments supply what the
        columns do not say: `columns` maps fields of a bar to names of columns, and `dialect` names
        the vendor format that the columns have (`mdload providers list`).

        Raises:
            ColumnMismatch: a column is missing, doubled, or has a wrong type; or rows of one bar or
                symbol are of several series, which another column tells apart.
            ProviderUnknown: neither `bars` nor an argument names the provider.
            UnknownDialect: there is no dialect of that name.
            SettingsError: an argument is wrong.
            ValueError: `batch_size` is not positive, or a pandas frame has two rows of names.
        """
        done, rejects, stop = Counts(), Rejects(), self._stop
        meaning = Meaning(
            provider=provider, symbol=symbol, interval=interval, timezone=timezone,
            columns=dict(columns or {}), dialect=dialect,
        )  # fmt: skip
        with in_python_terms():
            whole, layout = frames.understood(frame, meaning, batch_size)
        for note in layout.notes:
            self._emit(FileNote("frame", note))
        for batch in frames.batches(whole, layout, self._rules, checks.positive(batch_size)):
            done += self._write(batch, rejects, stop)
        return WriteResult(done, rejects)

    def buffered(self, max_rows: int = 1000, max_seconds: float | None = 1.0) -> Feed:
        """Takes bars one by one in a `with` block and writes them in batches: see `Feed`."""
        return Feed(self._write_rows, max_rows, max_seconds)

    def write_batch(self, bars: Sequence[BarLike], first: int, rejects: Rejects) -> Counts:
        """Writes one batch of a longer stream, in which its first bar has the index `first`."""
        stop = self._stop
        return self._write(self._checks.quickly(columns(bars, first), first), rejects, stop)

    def _write_rows(self, rows: Sequence[Row], rejects: Rejects) -> Counts:
        stop = self._stop
        checked = self._checks.quickly(list(zip(*rows, strict=True)), 0)
        return self._write(checked, rejects, stop)

    def _write_ahead(
        self, batches: Iterator[CheckedBatch | PlainBatch], rejects: Rejects
    ) -> Counts:
        """Writes each batch in another thread while this one checks the next."""
        done, stop = Counts(), self._stop
        pending: Future[Counts] | None = None
        before: Transaction | None = None

        def written() -> Counts:
            counts = pending.result() if pending else Counts()
            if before is not None:
                rejects.add(before.bad)  # a collision that the store shows makes more of them
            return counts

        with ThreadPoolExecutor(1, "mdload-store") as thread:
            try:
                for batch in batches:
                    transaction = self._transaction(batch)
                    done += written()
                    before, pending = transaction, thread.submit(self._commit, transaction, stop)
            except Exception:  # the bars come from the caller, who may raise anything
                if pending:
                    pending.result()  # its error comes first
                raise
            except BaseException:
                self.cancel()
                raise
            return done + written()

    def _write(
        self, batch: CheckedBatch | PlainBatch, rejects: Rejects, stop: threading.Event
    ) -> Counts:
        transaction = self._transaction(batch)
        counts = self._commit(transaction, stop)
        rejects.add(transaction.bad)
        return counts

    def _transaction(self, batch: CheckedBatch | PlainBatch) -> Transaction:
        return Transaction(batch, self._run_id, self._remembered, self._emit, "bars")

    def _commit(self, transaction: Transaction, stop: threading.Event) -> Counts:
        with self._turn:
            self._writing = stop
            try:
                return self._attempts(transaction, stop)
            finally:
                with self._ending:
                    self._writing = None

    def _attempts(self, transaction: Transaction, stop: threading.Event) -> Counts:
        try:
            for attempt in count(1):
                if stop.is_set():
                    raise Cancelled("cancelled; batches before this one are stored")
                try:
                    if self._metrics is not None:
                        self._metrics.learn_job(self._sessions)
                    transaction.run(self._sessions)
                    break
                except (Contended, ConnectionLost) as error:
                    if isinstance(error, ConnectionLost):
                        self._sessions.close()
                    if attempt == retries.ATTEMPTS:
                        raise
                    stop.wait(retries.pause(attempt))
        except MdloadError:
            raise
        except BaseException:  # the sessions may be in any state
            self._sessions.close()
            raise
        return transaction.counts

    def _emit(self, event: Event) -> None:
        for listener in self._listeners:
            listener(event)


def _metrics(
    metrics: Registry, run_id: int | None, listeners: Iterable[Listener]
) -> ClientMetrics | None:
    if metrics is None:
        return None
    # Imports prometheus_client, which a program without metrics does not need.
    from loader.client.metrics import client_metrics  # noqa: PLC0415

    return client_metrics(metrics, run_id, listeners)

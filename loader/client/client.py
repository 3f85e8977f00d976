"""`StoreClient`: writes bars, as Python objects or frames, into the store."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import count
from threading import RLock
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import polars as pl

from loader.bars import forks
from loader.check.layout.decide import decide
from loader.check.normalise import normalise
from loader.check.validate import CheckedBatch, RuleSettings, validate
from loader.client import checks
from loader.client.bar import Bar, Row, columns
from loader.client.feed import Feed
from loader.client.result import WriteResult
from loader.client.sessions import Sessions
from loader.client.transaction import Spelling, Transaction
from loader.db import retries
from loader.db.conninfo import conninfo
from loader.errors import Cancelled, ConnectionLost, Contended, MdloadError
from loader.events import Event, FileNote, Listener
from loader.read.batch import Location, RawBatch
from loader.results import Counts
from loader.store.metrics import Registry
from loader.store.runs.arguments import run_key

if TYPE_CHECKING:
    from loader.client.metrics import ClientMetrics
from loader.settings import Meaning


class StoreClient:
    """Writes bars into one database, by the same rules and the same merge as `mdload backfill`.

    Each batch is a transaction: its bars, the revisions of changed bars, its rejects and its new
    spellings commit together. If another writer is in the way or the server goes away, the batch
    is run again, up to eight times in about half a minute. After an error the client can be used
    again. Threads may share it; their batches are written one after the other.

    Args:
        dsn: a libpq URL or connection string.
        run_id: a job run that is running. Rejects and revisions refer to it, and the counts of
            each batch are added to it in the batch's transaction.
        rules: what the rules allow.
        listeners: called with the events of each transaction, see `loader.events`.
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
        dsn: str,
        *,
        run_id: int | None = None,
        rules: RuleSettings | None = None,
        listeners: Iterable[Listener] = (),
        metrics: Registry = "default",
    ) -> None:
        forks.refuse()
        conninfo(dsn)
        self._run_id = None if run_id is None else run_key(run_id)
        self._rules = rules or RuleSettings()
        self._checks = checks.Checks(self._rules)
        self._listeners = tuple(listeners)
        self._metrics = _metrics(metrics, run_id, self._listeners)
        if self._metrics is not None:
            self._listeners += (self._metrics,)
        self._sessions = Sessions(dsn)
        self._remembered: set[Spelling] = set()
        self._turn = RLock()
        self._stop = threading.Event()

    def __enter__(self) -> Self:
        """Connects, so that a wrong address fails here."""
        forks.refuse()
        with self._turn:
            self._sessions.prepared()
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

    def cancel(self) -> None:
        """Makes the current writes end with an error. For another thread to call."""
        stopped, self._stop = self._stop, threading.Event()
        stopped.set()
        self._sessions.cancel()

    def write_bars(self, bars: Iterable[Bar], batch_size: int = 1000) -> WriteResult:
        """Writes objects in batches, in their order; each batch is a transaction.

        If a batch has two bars for one key, the last one counts. Bars that break a rule go to
        `bars_rejected`, with their position (from 1) as row number.

        Raises:
            TypeError: an object lacks an attribute, or a value has a wrong type; the message names
                the attribute and the object's index. Nothing of its batch is stored.
            ValueError: a `ts` has no time zone (likewise), or `batch_size` is not positive.
        """
        batches = self._checks.objects(bars, batch_size)
        if isinstance(bars, Sequence) and len(bars) <= batch_size:
            return WriteResult(Counts.total(map(self._write, batches)))
        return WriteResult(self._write_ahead(batches))

    def write_frame(
        self,
        frame: Any,
        *,
        provider: str | None = None,
        symbol: str | None = None,
        interval: str | None = None,
        timezone: str | None = None,
        batch_size: int = 100_000,
    ) -> WriteResult:
        """Writes a Polars frame, an Arrow table, or another object with Arrow's C stream.

        Columns have the names that `mdload backfill` understands. `provider`, `symbol`, `interval`
        and `timezone` supply what the columns do not say.

        Raises:
            ColumnMismatch: a column is missing, doubled, or has a wrong type.
            ProviderUnknown: neither `bars` nor an argument names the provider.
            SettingsError: an argument is wrong.
            ValueError: `batch_size` is not positive.
        """
        done = Counts()
        whole = frame if isinstance(frame, pl.DataFrame) else pl.DataFrame(frame)
        meaning = Meaning(provider=provider, symbol=symbol, interval=interval, timezone=timezone)
        layout = decide(RawBatch(whole.head(batch_size), Location("frame", 0, 1)), meaning)
        for note in layout.notes:
            self._emit(FileNote("frame", note))
        for part in whole.iter_slices(checks.positive(batch_size)):
            batch = RawBatch(part, Location("frame", 0, done.read + 1))
            done += self._write(validate(batch, normalise(batch, layout), self._rules))
        return WriteResult(done)

    def buffered(self, max_rows: int = 1000, max_seconds: float | None = 1.0) -> Feed:
        """Takes bars one by one in a `with` block and writes them in batches: see `Feed`."""
        return Feed(self._write_rows, max_rows, max_seconds)

    def write_batch(self, bars: Sequence[Bar], first: int) -> Counts:
        """Writes one batch of a longer stream, in which its first bar has the index `first`."""
        return self._write(self._checks.batch(columns(bars, first), first))

    def _write_rows(self, rows: Sequence[Row]) -> Counts:
        return self._write(self._checks.batch(list(zip(*rows, strict=True)), 0))

    def _write_ahead(self, batches: Iterator[CheckedBatch]) -> Counts:
        """Writes each batch in another thread while this one checks the next."""
        done, stop = Counts(), self._stop
        pending: Future[Counts] | None = None
        with ThreadPoolExecutor(1, "mdload-store") as thread:
            try:
                for batch in batches:
                    transaction = self._transaction(batch)
                    done += pending.result() if pending else Counts()
                    pending = thread.submit(self._commit, transaction, stop)
            except Exception:  # the bars come from the caller, who may raise anything
                if pending:
                    pending.result()  # its error comes first
                raise
            except BaseException:
                self.cancel()
                raise
            return done + (pending.result() if pending else Counts())

    def _write(self, batch: CheckedBatch) -> Counts:
        return self._commit(self._transaction(batch), self._stop)

    def _transaction(self, batch: CheckedBatch) -> Transaction:
        return Transaction(batch, self._run_id, self._remembered, self._emit, "bars")

    def _commit(self, transaction: Transaction, stop: threading.Event) -> Counts:
        with self._turn:
            return self._attempts(transaction, stop)

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

"""One batch of a client, run until it is certain that it is in the store."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import polars as pl

from loader.check.unique import UniqueBatch, made_unique
from loader.check.validate import CheckedBatch
from loader.client.checks import keep_out
from loader.client.checks.plain import PlainBatch
from loader.client.sessions import Sessions
from loader.db.executor import Executor
from loader.errors import (
    BarsCompressed,
    ConnectionLost,
    Contended,
    DatabaseError,
    MdloadError,
    SymbolCollision,
)
from loader.ingest.mergers import CopyMerger, Merger, StatementMerger
from loader.ingest.part import Part, write_part
from loader.ingest.tally import Tally
from loader.results import Counts
from loader.results.events import BarsWritten, Committed, Event, Method
from loader.store import spellings
from loader.store.compare import PendingDiff
from loader.store.compare.reader import StoredReader
from loader.store.merge import Statement

#: Larger batches go by COPY, others as one prepared statement; see docs/store-client.md.
STATEMENT_ROWS: Final = 1_500
#: provider, source_symbol, symbol, convention
Spelling = tuple[str, str, str, str]
_IN_THE_FUTURE: Final = "22023"


class Transaction:
    """Brings one batch into the store, in one transaction.

    Attributes:
        remembered: spellings that are in the store; those of the batch are added.
        counts: what became of the batch, once `run` has returned.
    """

    def __init__(
        self,
        checked: CheckedBatch | PlainBatch,
        run_id: int | None,
        remembered: set[Spelling],
        emit: Callable[[Event], None],
        source: str,
    ) -> None:
        self.remembered = remembered
        self.counts = Counts()
        self._source = source
        self._method: Method = "UPSERT"
        self._rows, self._rejected = 0, dict[str, int]()
        self._statement: Statement | None = None
        self._plain: PlainBatch | None = None
        self._batch: UniqueBatch | None = None
        if not isinstance(checked, PlainBatch):
            self._prepare(made_unique(checked))
        elif checked.statement.rows > STATEMENT_ROWS:
            self._prepare(made_unique(checked.checked()))
        else:
            self._prepare_plain(checked)
        self._run_id = run_id
        self._emit = emit
        self._direct = True
        self._seconds = 0.0
        #: The number of a transaction that sent its commit and has had no answer.
        self._unanswered: str | None = None

    @property
    def batch(self) -> UniqueBatch:
        """The batch, one row per key."""
        if self._batch is None:
            assert self._plain is not None
            self._prepare(made_unique(self._plain.checked()))
        assert self._batch is not None
        return self._batch

    @property
    def bad(self) -> pl.DataFrame | None:
        """The batch's rejects, if it has some."""
        return None if self._batch is None else self._batch.bad

    def _prepare_plain(self, plain: PlainBatch) -> None:
        """`_prepare` for a batch that needs no frames."""
        self._plain = plain
        self._method = "UPSERT"
        self._statement = plain.statement
        self._rows = plain.statement.rows
        self._spelled = plain.spelled
        self._part = Part(self._source, [])
        providers, symbols, intervals = map(set, zip(*plain.series, strict=True))
        self._part.tally = Tally(
            self._rows, covered=plain.last_row,
            symbols=symbols, providers=providers, intervals=intervals,
            min_ts=plain.statement.lo, max_ts=plain.statement.hi,
        )  # fmt: skip

    def _prepare(self, batch: UniqueBatch) -> None:
        """Does ahead of the transaction what needs no session."""
        self._batch = batch
        self._part = Part(self._source, [], batch)
        self._rows = rows = batch.bars.height
        self._rejected = dict(batch.rejected)
        self._method = "UPSERT" if rows <= STATEMENT_ROWS else "COPY"
        self._spelled = [] if batch.spellings is None else batch.spellings.rows()
        self._statement = None
        if rows and self._method == "UPSERT":
            self._statement = Statement.of(batch.bars)

    def run(self, sessions: Sessions) -> None:
        """One attempt.

        Raises:
            Contended: another writer was in the way; run it again.
            ConnectionLost: the server is away; run it again, over new sessions. That attempt first
                finds out whether this one came through.
            DatabaseError: the server refused.
        """
        if self._unanswered is not None:
            committed = self._settle(sessions.prepared(), self._unanswered)
            self._unanswered = None
            self._tell(committed=committed)
            if committed:
                return
        began = time.monotonic()
        try:
            self._attempt(sessions)
        except SymbolCollision as collision:
            self._prepare(keep_out(self.batch, collision))
            self.run(sessions)
            return
        except BarsCompressed:
            if self._method == "COPY":
                raise
            self._prepare(self.batch)
            self._method = "COPY"
            self.run(sessions)
            return
        except MdloadError as error:
            self._seconds = time.monotonic() - began
            if not isinstance(error, ConnectionLost):
                self._unanswered = None  # the answer says that it has not committed
            if isinstance(error, Contended):
                self._direct = False
            if self._unanswered is None:
                self._tell(committed=False)
            raise
        self._seconds = time.monotonic() - began
        self._tell(committed=True)

    def _attempt(self, sessions: Sessions) -> None:
        self._part.tally.spellings = self._new_spellings()
        if self._method == "UPSERT":
            prepared = sessions.prepared()
            merger = StatementMerger(prepared, self._statement)
            with prepared.transaction():
                # A plain batch has been counted, and its statement has its bars.
                pieces = [] if self._batch is None else [PendingDiff(self._batch)]
                self._write(prepared, pieces, merger)
                self._unanswered = merger.transaction_id or _transaction_id(prepared)
        else:
            with StoredReader(sessions.reader) as stored:
                piece = stored.beside(self.batch)
            writer = sessions.writer()
            with writer.transaction():
                self._write(writer, [piece], CopyMerger(writer, [], direct=self._direct))
                self._unanswered = _transaction_id(writer)
        self._unanswered = None

    def _write(self, session: Executor, pieces: list[PendingDiff], merger: Merger) -> None:
        self.counts = write_part(session, pieces, self._run_id, part=self._part, merger=merger)

    def _new_spellings(self) -> pl.DataFrame | None:
        new = [row for row in self._spelled if row not in self.remembered]
        return pl.DataFrame(new, schema=spellings.SCHEMA, orient="row") if new else None

    def _settle(self, session: Executor, number: str) -> bool:
        """Whether transaction `number`, which had no answer to its commit, has committed."""
        try:
            (status,) = session.one("transaction_status", number)
        except DatabaseError as error:
            if error.sqlstate != _IN_THE_FUTURE:
                raise
            return False  # this server never saw it: a standby that was promoted
        if status == "in progress":
            raise ConnectionLost("the server has not noticed yet that it lost the connection")
        return bool(status == "committed")

    def _tell(self, *, committed: bool) -> None:
        rows = self.counts.written if committed else self._rows
        if rows:
            self._emit(BarsWritten(self._source, self._method, rows, self._seconds, committed))
        if committed:
            self.remembered.update(self._spelled)
            self._emit(Committed(self._source, self.counts, dict(self._rejected)))


def _transaction_id(session: Executor) -> str | None:
    """Asked last before the commit: what follows an answer can only be the commit."""
    (number,) = session.one("transaction_id")
    return None if number is None else str(number)

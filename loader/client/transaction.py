"""The transaction of one batch, run until it is certain that it is in the store."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import polars as pl

from loader import bars
from loader.check import rawjson
from loader.check.unique import UniqueBatch, made_unique
from loader.check.validate import CheckedBatch
from loader.client.sessions import Sessions
from loader.db.arrow import Connection
from loader.db.executor import Executor
from loader.db.prepared import Prepared
from loader.errors import (
    BarsCompressed,
    ConnectionLost,
    Contended,
    DatabaseError,
    MdloadError,
    SymbolCollision,
)
from loader.events import BarsWritten, Committed, Event, Method
from loader.results import Counts
from loader.store import merge, quarantine, spellings
from loader.store.compare import StoredReader, compare
from loader.store.runs.counts import add_counts
from loader.store.versions.loads import Load, record

#: Up to so many bars go as one prepared statement, more by COPY; see docs/store-client.md.
STATEMENT_ROWS: Final = 1_500
#: provider, source_symbol, symbol, convention
Spelling = tuple[str, str, str, str]
_IN_THE_FUTURE: Final = "22023"


class Transaction:
    """Brings one batch into the store: bars, revisions, rejects, spellings, the run's counts.

    Attributes:
        unique: the batch, one row per key.
        remembered: spellings that the store has; grows by those that it gets.
        counts: what became of the batch, once `run` has returned.
    """

    def __init__(
        self,
        checked: CheckedBatch,
        run_id: int | None,
        remembered: set[Spelling],
        emit: Callable[[Event], None],
        source: str,
    ) -> None:
        self.remembered = remembered
        self.counts = Counts()
        self._take(made_unique(checked))
        self._run_id = run_id
        self._emit = emit
        self._source = source
        self._direct = True
        self._seconds = 0.0
        #: The number of a transaction whose commit was sent off and not answered.
        self._unanswered: str | None = None

    def _take(self, unique: UniqueBatch) -> None:
        self.unique = unique
        bars_ = unique.bars
        self._method: Method = "UPSERT" if bars_.height <= STATEMENT_ROWS else "COPY"
        listed = self._method == "UPSERT" and bars_.height
        self._spelled = [] if unique.spellings is None else unique.spellings.rows()
        self._listed = bars_[list(bars.COLUMNS)].write_json() if listed else ""

    def run(self, sessions: Sessions) -> None:
        """One attempt.

        Raises:
            Contended: another writer was in the way; run it again.
            ConnectionLost: the server is away; run it again, over new sessions. Whether this
                attempt came through is found out then.
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
            self._keep_out(collision)
            self.run(sessions)
            return
        except BarsCompressed:
            if self._method == "COPY":
                raise
            self._method = "COPY"
            self.run(sessions)
            return
        except MdloadError as error:
            self._seconds = time.monotonic() - began
            if isinstance(error, Contended):
                self._direct = False
            if self._unanswered is None:
                self._tell(committed=False)
            raise
        self._seconds = time.monotonic() - began
        self._tell(committed=True)

    def _attempt(self, sessions: Sessions) -> None:
        session: Prepared | Connection
        if self._method == "UPSERT":
            session = sessions.prepared()
            with session.transaction():
                self._merge(session)
        else:
            with StoredReader(sessions.reader) as stored:
                compared = compare(stored.beside(self.unique))
            session = sessions.writer()
            with session.transaction():
                new = [compared.new] if compared.new.height else []
                staged = [compared.changed] if compared.changed.height else []
                copied = merge.copy_new(session, new if self._direct else [])
                staged += [] if self._direct else new
                upserted = merge.upsert(session, staged, self._run_id, None)
                written = upserted.inserted + upserted.updated
                raced = sum(frame.height for frame in staged) - written
                self._book(
                    session, copied + upserted.inserted, upserted.updated,
                    compared.unchanged + raced, None,
                )  # fmt: skip
        self._unanswered = None

    def _merge(self, session: Executor) -> None:
        inserted = updated = kept = unchanged = 0
        number: str | None = None
        if self._listed:
            ends = self.unique.series.select(pl.col("lo").min(), pl.col("hi").max()).row(0)
            inserted, updated, kept, unchanged, number = session.one(
                "bars_merge", self._listed, self._run_id, *ends
            )
        if inserted + updated + unchanged != self.unique.bars.height or updated != kept:
            raise Contended("another writer got in between the bars of a batch")
        self._book(session, inserted, updated, unchanged, number)

    def _book(
        self, session: Executor, inserted: int, updated: int, unchanged: int, number: str | None
    ) -> None:
        """What else belongs to the transaction, whose `number` is known already if it has one; or
        else it is the last thing to ask for before the commit."""
        unique = self.unique
        bad = unique.bad if unique.bad is not None and unique.bad.height else None
        self.counts = Counts(
            read=unique.read,
            inserted=inserted,
            updated=updated,
            unchanged=unchanged,
            duplicate=unique.duplicate,
            skipped=unique.skipped,
            rejected=bad.height if bad is not None else 0,
        ).check(self._source)
        if bad is not None:
            quarantine.add(session, bad, self._run_id)
        new = [row for row in self._spelled if row not in self.remembered]
        if new:
            frame = pl.DataFrame(new, schema=spellings.SCHEMA, orient="row")
            spellings.keep(session, frame, self._run_id)
        if self._run_id is not None:
            series = unique.series
            add_counts(
                session, self._run_id, self.counts, symbols=sorted(set(series["symbol"])),
                min_ts=series["lo"].min(), max_ts=series["hi"].max(),  # type: ignore[arg-type]
                load=Load(),
            )  # fmt: skip
        else:
            record(session, Load(), self.counts)
        self._unanswered = number or session.one("transaction_id")[0]

    def _settle(self, session: Executor, number: str) -> bool:
        """Whether the transaction committed whose commit was not answered."""
        try:
            (status,) = session.one("transaction_status", number)
        except DatabaseError as error:
            if error.sqlstate != _IN_THE_FUTURE:
                raise
            return False  # this server never saw it: a standby that was promoted
        if status == "in progress":
            raise ConnectionLost("the server has not noticed yet that it lost the connection")
        return bool(status == "committed")

    def _keep_out(self, collision: SymbolCollision) -> None:
        """Makes rejects of the bars of a symbol that is another one's already."""
        unique = self.unique
        assert unique.bad is not None
        assert unique.spellings is not None
        pair = ["provider", "symbol"]
        theirs = (pl.col("provider") == collision.provider) & (pl.col("symbol") == collision.symbol)
        lost = unique.bars.filter(theirs).join(
            unique.spellings.unique(pair), on=pair, how="left", maintain_order="left"
        )
        raw = lost.with_columns(symbol="source_symbol").select(bars.COLUMNS)
        bad = lost.select(
            "row_number",
            pl.lit([spellings.COLLISION], dtype=pl.List(pl.String)).alias("rules"),
        ).with_columns(rawjson.encode(raw))
        kept = replace(
            unique,
            bars=unique.bars.filter(~theirs),
            series=unique.series.filter(~theirs),
            spellings=unique.spellings.filter(~theirs),
            bad=pl.concat([unique.bad, bad]),
            rejected=Counter(unique.rejected) + Counter({spellings.COLLISION: bad.height}),
        )
        self._take(kept)

    def _tell(self, *, committed: bool) -> None:
        sent = self.unique.bars.height
        if bars_ := self.counts.written if committed else sent:
            self._emit(BarsWritten(self._source, self._method, bars_, self._seconds, committed))
        if committed:
            self.remembered.update(self._spelled)
            self._emit(Committed(self._source, self.counts, dict(self.unique.rejected)))

"""A session for small batches: it prepares each of its statements once, and waits for the server as
rarely as it can."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import chain, count
from typing import Any, Final

import psycopg
from psycopg.adapt import Transformer
from psycopg.pq import TransactionStatus

from loader.db.prepared.pipeline import Command, Pipeline, ask
from loader.db.queries import query, refuse_planted, shards
from loader.db.rows import Session, open_connection, translated

_BEGIN: Final = Command("BEGIN", "BEGIN", (), "beginning a transaction")
_COMMIT: Final = Command("COMMIT", "COMMIT", (), "committing")


class Prepared(Session):
    """Named queries over psycopg, each prepared by the server at its first use. The statement that
    begins a transaction travels with its first query, and the one that commits with `last`.

    Attributes:
        is_spread: whether Citus has distributed the bars over servers.
        has_triggers: whether triggers of others may change the bars, for whoever looks for them.
        new_in_a_row: how many of the last batches had new bars alone, see `loader.store.merge`.

    A prepared statement belongs to its server session: see `loader.db.pooler`.

    Raises:
        ConnectionLost: the server cannot be reached.
        DatabaseError: it refused.
    """

    def __init__(self, url: str) -> None:
        super().__init__(open_connection(url, "connecting", autocommit=False))
        self._pipeline = Pipeline(self._connection)
        self._loaded = Transformer(self._connection)
        self._waiting: list[Command] = []
        self.has_triggers = False
        self.new_in_a_row = 0
        try:
            with self.transaction():
                refuse_planted(self.row)
                self.is_spread = shards.found(self) is not None
                self.run("store_session")
        except BaseException:
            self.close()
            raise

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commits at the end of the block; rolls back if the block raises. An error of the rollback
        never hides the block's."""
        try:
            yield
            if self._waiting or not self.idle:
                self._run(_COMMIT)
        except BaseException:
            self._waiting.clear()
            with suppress(psycopg.Error):
                self._connection.rollback()
                # A table that was altered would be refused to the old plans for ever.
                self._pipeline.forget()
            raise

    def run(self, name: str, *params: object) -> None:
        """Executes query `name` and ignores its rows."""
        self.row(name, *params)

    def last(self, name: str, *params: object) -> None:
        """Executes query `name` before the next one, or with the commit, in one round trip."""
        self._waiting.append(ask(name, query(name), params))

    def row(self, name: str, *params: object) -> tuple[Any, ...] | None:
        """The first row of query `name`, or None."""
        result = self._run(ask(name, query(name), params))
        self._loaded.set_pgresult(result)
        return self._loaded.load_row(0, tuple) if result.ntuples else None

    def of_rows(
        self, name: str, rows: Sequence[Sequence[object]], *params: object
    ) -> tuple[Any, ...]:
        """The first row of query `name`, which has the values of `rows` as further parameters.
        It is planned anew each time."""
        numbers = count(1 + len(params))
        places = ", ".join(f"({', '.join(f'${next(numbers)}' for _ in row)})" for row in rows)
        sql = query(name, spread=True).replace(":rows", places)
        with translated(f"running {name}"), psycopg.RawCursor(self._connection) as cursor:
            cursor.execute(sql.encode(), [*params, *chain.from_iterable(rows)])
            return cursor.fetchone() or ()

    def _run(self, command: Command) -> psycopg.pq.abc.PGresult:
        commands = [*self._waiting, command]
        self._waiting.clear()
        if self._connection.pgconn.transaction_status == TransactionStatus.IDLE:
            commands.insert(0, _BEGIN)
        return self._pipeline.run(commands)

"""A session that prepares each of its statements once: small batches go through it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import chain, count
from typing import Any

import psycopg

from loader.db.queries import query, refuse_planted, shards
from loader.db.rows import Session, open_connection, translated


class Prepared(Session):
    """Named queries over psycopg, each prepared by the server at its first use.

    `is_spread`: whether Citus has distributed the bars over servers.

    A prepared statement belongs to its server session: see `loader.db.pooler`.

    Raises:
        ConnectionLost: the server cannot be reached.
        DatabaseError: it refused.
    """

    def __init__(self, url: str) -> None:
        super().__init__(open_connection(url, "connecting", autocommit=False))
        # Without a threshold psycopg would ignore `prepare=True`, and plan each batch anew.
        self._connection.prepare_threshold = 1
        try:
            self._cursor = psycopg.RawCursor(self._connection)
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
        never hides the block's.

        psycopg's own `transaction` would end without an error on a connection that `close` has
        closed from another thread; `commit` raises.
        """
        try:
            yield
        except BaseException:
            with suppress(psycopg.Error):
                self._connection.rollback()
            raise
        with translated("committing"):
            self._connection.commit()

    def run(self, name: str, *params: object) -> None:
        """Executes query `name` and ignores its rows."""
        with translated(f"running {name}"):
            self._cursor.execute(query(name).encode(), params, prepare=True)

    def of_rows(
        self, name: str, rows: Sequence[Sequence[object]], *params: object
    ) -> tuple[Any, ...]:
        """The first row of query `name`, which has the values of `rows` as further parameters.
        It is planned anew each time."""
        numbers = count(1 + len(params))
        places = ", ".join(f"({', '.join(f'${next(numbers)}' for _ in row)})" for row in rows)
        sql = query(name, spread=True).replace(":rows", places)
        with translated(f"running {name}"):
            self._cursor.execute(sql.encode(), [*params, *chain.from_iterable(rows)], prepare=False)
            return self._cursor.fetchone() or ()

    def row(self, name: str, *params: object) -> tuple[Any, ...] | None:
        """The first row of query `name`, or None."""
        self.run(name, *params)
        return self._cursor.fetchone()

"""A session whose statements are prepared once: what small batches go through."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg

from loader.db.conninfo import conninfo
from loader.db.executor import Param
from loader.db.queries import query
from loader.db.translate import translate_psycopg
from loader.errors import MdloadError


class Prepared:
    """Named queries over psycopg, each prepared by the server at its first use.

    Not for two threads at once, but for `cancel`. A statement that is prepared belongs to its
    server session, so a pooler in between has to keep the two together.

    Raises:
        ConnectionLost: the server cannot be reached.
        DatabaseError: it refused.
    """

    def __init__(self, url: str) -> None:
        with _translated("connecting"):
            self._connection = psycopg.connect(conninfo(url))
        try:
            self._cursor = psycopg.RawCursor(self._connection)
            with self.transaction():
                self.run("session_setup")
                self.run("store_session")
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """What was not committed is rolled back. Never raises."""
        with suppress(psycopg.Error):
            self._connection.close()

    def cancel(self) -> None:
        """Asks the server to stop what this session is doing. For another thread to call."""
        with suppress(psycopg.Error):
            self._connection.cancel_safe(timeout=5.0)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commits at the end; rolls back on any error, which is never hidden by the rollback's."""
        try:
            yield
        except BaseException:
            with suppress(psycopg.Error):
                self._connection.rollback()
            raise
        with _translated("committing"):
            self._connection.commit()

    def run(self, name: str, *params: Param) -> None:
        """Executes query `name`, whose rows (if any) are of no interest."""
        with _translated(f"running {name}"):
            self._cursor.execute(query(name).encode(), params, prepare=True)

    def row(self, name: str, *params: Param) -> tuple[Any, ...] | None:
        """The first row of query `name`, or None."""
        self.run(name, *params)
        return self._cursor.fetchone()

    def one(self, name: str, *params: Param) -> tuple[Any, ...]:
        """The row of a query that always has one.

        Raises:
            MdloadError: it had none.
        """
        row = self.row(name, *params)
        if row is None:
            raise MdloadError(f"query {name} gave no row")
        return row


@contextmanager
def _translated(doing: str) -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:
        raise translate_psycopg(error, doing) from error

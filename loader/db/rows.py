"""Named queries over psycopg, on a connection that comes back after a loss."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from threading import RLock
from typing import Any, Final

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.pq import TransactionStatus
from psycopg.rows import dict_row

from loader.db.conninfo import conninfo
from loader.db.queries import query
from loader.errors import DatabaseError

Row = dict[str, Any]

#: The server ended the session and says so: what it had not answered, it has not done.
_NOT_DONE: Final = ("57P01", "57P02", "57P03", "57P05")


class Session:
    """A connection of its own for a conninfo, or one that is borrowed and never closed here.

    An own connection is in autocommit mode, made at the first query and again after a loss. On a
    borrowed one each query is a transaction, or a part of the caller's where one is open. Threads
    may share a session.
    """

    def __init__(self, database: str | psycopg.Connection[Any]) -> None:
        self._lock = RLock()
        self._borrowed = None if isinstance(database, str) else database
        self._own: psycopg.Connection[Any] | None = None
        self.conninfo = _conninfo(database)

    def rows(self, name: str, *params: object, repeatable: bool = False) -> list[Row]:
        """The rows of query `name`, every datetime in UTC.

        After a loss the query runs once more on a new connection, if it is `repeatable` or if it
        is certain that it was not done.

        Raises:
            ConnectionLost: the server is away; a query that is not repeatable may have been done.
            DatabaseError: the server refused.
        """
        try:
            with self._lock:
                return self._rows(name, params, repeatable)
        except psycopg.Error as error:
            raise _translated(error, f"running {name}") from error

    def _rows(self, name: str, params: tuple[object, ...], repeatable: bool) -> list[Row]:
        if self._borrowed is not None:
            with self._borrowed.transaction():
                return _execute(self._borrowed, name, params)
        try:
            return _execute(self._connection(), name, params)
        except psycopg.OperationalError as error:
            if not self._lost() or not (repeatable or error.sqlstate in _NOT_DONE):
                raise
        return _execute(self._connection(), name, params)

    def close(self) -> None:
        """Closes an own connection; the next query makes a new one."""
        with self._lock:
            if self._own is not None:
                with suppress(psycopg.Error):
                    self._own.close()
                self._own = None

    def _connection(self) -> psycopg.Connection[Any]:
        if self._own is None or self._own.closed:
            self._own = _connect(self.conninfo)
        return self._own

    def _lost(self) -> bool:
        """Whether the own connection is of no use any more; it is given up then."""
        own = self._own
        if own is None:
            return False
        if not own.closed and own.info.transaction_status == TransactionStatus.IDLE:
            return False
        self.close()
        return True


def _connect(database: str) -> psycopg.Connection[Any]:
    try:
        # Prepared statements would fail behind a pooler that hands sessions round.
        connection = psycopg.connect(database, autocommit=True, prepare_threshold=None)
        try:
            _execute(connection, "session_for_runs", ())
        except psycopg.Error:
            connection.close()
            raise
        return connection
    except psycopg.Error as error:
        raise _translated(error, "connecting") from error


def _conninfo(database: str | psycopg.Connection[Any]) -> str:
    if isinstance(database, psycopg.Connection):
        return make_conninfo(database.info.dsn, password=database.info.password)
    return conninfo(database)


def _execute(
    connection: psycopg.Connection[Any], name: str, params: tuple[object, ...]
) -> list[Row]:
    with psycopg.RawCursor(connection, row_factory=dict_row) as cursor:
        cursor.execute(query(name).encode(), params)
        return [{key: _utc(value) for key, value in row.items()} for row in cursor]


def _utc(value: object) -> object:
    return value.astimezone(UTC) if isinstance(value, datetime) else value


def _translated(error: psycopg.Error, doing: str) -> DatabaseError:
    # Here, because the room of ADBC takes longer to import than most commands take to run.
    from loader.db.translate import translate_psycopg  # noqa: PLC0415

    return translate_psycopg(error, doing)

"""Named queries on a psycopg connection that comes back after a loss: for what lasts for hours."""

from __future__ import annotations

from threading import RLock
from typing import Final

from psycopg.conninfo import make_conninfo

from loader.db.conninfo import conninfo
from loader.db.rows import PsycopgConnection, Row, Session, connect
from loader.errors import DatabaseError

#: The server ended the session and says so: what it had not answered, it has not done.
_MOMENT: Final = 0.2
_NOT_DONE: Final = ("57P01", "57P02", "57P03", "57P05")


class ReconnectingSession:
    """A connection of its own for a conninfo, or one that is lent and never closed here.

    Its own connection is in autocommit mode; the first query opens it, and the first one after a
    loss opens it again. On a lent one each query is a transaction, or a savepoint of the caller's
    transaction where one is open. Threads may share a session.

    Raises:
        SettingsError: `database` is not a PostgreSQL URL or connection string.
    """

    def __init__(self, database: str | PsycopgConnection) -> None:
        self._lock = RLock()
        self._own: Session | None = None
        if isinstance(database, str):
            self._lent = None
            self.conninfo = conninfo(database)
        else:
            self._lent = database
            self.conninfo = make_conninfo(database.info.dsn, password=database.info.password)

    def rows(self, name: str, *params: object, repeatable: bool = False) -> list[Row]:
        """The rows of query `name`, with every datetime in UTC.

        After a loss the query runs once more on a new connection, if it is `repeatable` or if the
        server has certainly not executed it.

        Raises:
            ConnectionLost: the server is away; a query that is not repeatable may have been done.
            DatabaseError: the server refused.
        """
        with self._lock:
            if self._lent is not None:
                session = Session(self._lent)
                with session.transaction():
                    return session.rows(name, *params)
            session = self._session()
            try:
                return session.rows(name, *params)
            except DatabaseError as error:
                if not self._lost() or not (repeatable or error.sqlstate in _NOT_DONE):
                    raise
            return self._session().rows(name, *params)

    def close(self) -> None:
        """Closes its own connection; the next query opens a new one. A connection on which another
        thread waits for the server is left to it."""
        if not self._lock.acquire(timeout=_MOMENT):
            return
        try:
            if self._own is not None:
                self._own.close()
                self._own = None
        finally:
            self._lock.release()

    def _session(self) -> Session:
        if self._lost():
            self.close()
        if self._own is None:
            self._own = connect(self.conninfo)
        return self._own

    def _lost(self) -> bool:
        """Whether its own connection can no longer be used."""
        return self._own is not None and not self._own.idle

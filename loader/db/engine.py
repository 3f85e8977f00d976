"""Connections for alembic, which works through SQLAlchemy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import psycopg

from loader.db.queries import refuse_planted
from loader.db.rows import PsycopgConnection, Session, open_connection
from loader.db.translate import translate

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

#: The function of the server that carries out RAISE.
_RAISE: Final = "exec_stmt_raise"


def engine(url: str, notice: Callable[[str], None] | None = None) -> Engine:
    """A SQLAlchemy engine. libpq makes its connections, so that services, sockets and PG* work.

    `notice` receives what statements RAISE as notices and warnings.
    """
    from sqlalchemy import create_engine  # noqa: PLC0415 - takes longer than most commands
    from sqlalchemy.pool import NullPool  # noqa: PLC0415

    def hear(diagnostic: psycopg.errors.Diagnostic) -> None:
        raised = diagnostic.source_function == _RAISE  # Citus warns of each table that stays local
        if notice and raised and diagnostic.severity_nonlocalized in ("NOTICE", "WARNING"):
            notice(diagnostic.message_primary or "")

    def connect() -> PsycopgConnection:
        connection = open_connection(url, "connecting", autocommit=False)
        connection.add_notice_handler(hear)
        try:
            with Session(connection).transaction():
                refuse_planted(Session(connection).row)
        except BaseException:
            connection.close()
            raise
        return connection

    return create_engine(
        "postgresql+psycopg://",
        creator=connect,
        poolclass=NullPool,
        isolation_level="READ COMMITTED",
    )


@contextmanager
def connected(
    url: str, doing: str, notice: Callable[[str], None] | None = None
) -> Iterator[tuple[Connection, PsycopgConnection]]:
    """A connection of `engine`, and psycopg's own behind it.

    Raises:
        ConnectionLost, DatabaseError: the server is away, or refuses; `doing` completes "the
            database failed while …".
    """
    try:
        with engine(url, notice).connect() as connection:
            driver = connection.connection.driver_connection
            assert isinstance(driver, psycopg.Connection)
            yield connection, driver
    except Exception as error:
        cause = getattr(error, "orig", error)  # SQLAlchemy wraps the driver's errors
        if not isinstance(cause, psycopg.Error):
            raise
        raise translate(cause, doing) from error

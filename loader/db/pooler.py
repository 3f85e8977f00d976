"""A pooler between mdload and the server: whether it keeps a session together.

mdload sets up its sessions, prepares statements in them and holds a job's lock by one. A pooler
that hands each transaction to any session (pgbouncer's pool_mode=transaction) would leave all of
that on the sessions of other people. See docs/decisions/0013-poolers.md.
"""

from __future__ import annotations

import select
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from threading import Lock
from typing import Any, Final

import psycopg
from psycopg.pq import ExecStatus

from loader.errors import ConnectionLost, DatabaseError

#: Sessions at once of a command that loads nothing; with fewer the mode cannot be told.
FEWEST: Final = 2
#: Seconds to wait for each of the sessions, and for the first answer of a server that may be busy.
_PATIENCE: Final = 5.0
_FIRST_ANSWER: Final = 60.0
_BACKEND: Final = b"SELECT pg_catalog.pg_backend_pid()"
_ADDRESS: Final = (
    b"SELECT pg_catalog.host(pg_catalog.inet_server_addr()), pg_catalog.current_setting('port')"
)
_LIMITS: Final = (
    b"SELECT pg_catalog.current_setting('max_connections'),"
    b" pg_catalog.current_setting('superuser_reserved_connections'),"
    b" pg_catalog.current_setting('reserved_connections', true), rolsuper, rolconnlimit,"
    b" datconnlimit FROM pg_catalog.pg_roles, pg_catalog.pg_database"
    b" WHERE rolname OPERATOR(pg_catalog.=) CURRENT_USER"
    b" AND datname OPERATOR(pg_catalog.=) pg_catalog.current_database()"
)

#: By connection string: how many sessions at once are known to be had. Infinite without a pooler.
_known: dict[str, float] = {}
_lock = Lock()
#: Sessions that this process keeps beside those of a load: the lock of a job.
_kept = 0


class _NoSession(Exception):
    """The pooler has no session to give."""


class _NoTransaction(Exception):
    """The pooler refuses transactions."""


def sessions_of(workers: int) -> int:
    """How many sessions a load of so many files at a time has open at once: the run's record and
    its heartbeat, and for each file those that write, read the store and keep the books."""
    return 2 + 6 * workers


def keep(more: int) -> None:
    """Counts `more` sessions, which may be negative, to those that last while others come."""
    global _kept  # noqa: PLW0603 - as many as the process has
    with _lock:
        _kept += more


def check(given: str, connection: psycopg.Connection[Any], sessions: int = FEWEST) -> None:
    """Makes sure that `given`, a connection string, leads to `sessions` sessions that stay whole.
    Without a pooler this costs one question, once in the life of the process.

    Args:
        connection: one that was made by `given`, without a transaction.

    Raises:
        DatabaseError: a pooler gives each transaction another session, or too few sessions; or the
            server does not allow so many.
    """
    if _known.get(given, 0) >= sessions:
        return
    try:
        (backend,) = _asked(connection, _BACKEND, _FIRST_ANSWER)
    except _NoSession:
        raise ConnectionLost(
            f"the server, or a pooler before it, gives no session within {_FIRST_ANSWER:.0f} s",
            hint="see who holds its connections, then run the same command again",
        ) from None
    # Each server names its process when a session begins, and a pooler makes up a number.
    if backend == str(connection.info.backend_pid):
        _known[given] = FEWEST if sessions == FEWEST else _allowed(connection, sessions)
        return
    with _lock, ExitStack() as stack:
        if _known.get(given, 0) < sessions:
            _prove(given, connection, stack, sessions)
            _known[given] = sessions


def _allowed(connection: psycopg.Connection[Any], sessions: int) -> float:
    """How many sessions this role may have at once, whoever else is there.

    Raises:
        DatabaseError: fewer than `sessions`. Otherwise some of them would fail in the middle.
    """
    try:
        most, kept, kept_too, is_superuser, of_role, of_database = (
            _asked(connection, _LIMITS) or (None,) * 6
        )
    except (_NoSession, psycopg.Error):
        return float("inf")  # it goes on, and meets the limit or not
    limits = {"max_connections": int(most or 0) - int(kept or 0) - int(kept_too or 0)}
    if is_superuser == "t":
        limits = {"max_connections": int(most or 0)}
    else:
        limits |= {"the role's CONNECTION LIMIT": int(of_role or -1)}
        limits |= {"the database's CONNECTION LIMIT": int(of_database or -1)}
    allowed, what = min((number, what) for what, number in limits.items() if number >= 0)
    if allowed - _kept >= sessions:
        return float("inf")
    raise DatabaseError(
        f"the server allows {allowed} sessions at once, and this takes {sessions + _kept}: nothing "
        "was done",
        hint=f"{_fewer_workers(allowed - _kept)}raise {what}",
    )


def _fewer_workers(sessions: int) -> str:
    """The start of a hint: how many files at a time these sessions allow, if any."""
    fit = (sessions - sessions_of(0)) // (sessions_of(1) - sessions_of(0))
    return f"load with --workers {fit}, or " if fit > 0 else ""


def _prove(
    given: str, connection: psycopg.Connection[Any], stack: ExitStack, sessions: int
) -> None:
    server = _server(connection)
    shared = DatabaseError(
        "a pooler stands before the server and gives each transaction another session "
        "(pgbouncer's pool_mode=transaction), where mdload needs whole ones: nothing was done",
        hint=f"{server}; or give it a pool with pool_mode=session",
    )
    held: list[tuple[psycopg.Connection[Any], str | None]] = []
    while len(held) < sessions:
        try:
            one = connection
            if held:
                one = psycopg.connect(given, autocommit=True, prepare_threshold=None)
                stack.callback(one.close)
            _asked(one, b"BEGIN")
            held.append((one, _asked(one, _BACKEND)[0]))
        except _NoTransaction:
            raise shared from None
        except (_NoSession, psycopg.Error):
            raise DatabaseError(
                f"a pooler stands before the server and gives {len(held) + _kept} of the "
                f"{sessions + _kept} sessions that this takes at once: nothing was done",
                hint=f"{_fewer_workers(len(held))}raise its default_pool_size, or {server}",
            ) from None
    for one, _ in held:
        _asked(one, b"COMMIT")
    # All of its sessions are free now. A pooler that shares them gives the last or the first one.
    for one, before in reversed(held):
        now = None
        with suppress(_NoSession, psycopg.Error):
            _asked(one, b"BEGIN")
            (now,) = _asked(one, _BACKEND)
            _asked(one, b"COMMIT")
        if now != before:
            raise shared


def _server(connection: psycopg.Connection[Any]) -> str:
    """How to reach the server itself, as the pooler does."""
    try:
        host, port = _asked(connection, _ADDRESS)
    except _NoSession:
        return "connect to the server itself"
    return f"connect to the server itself: {f'host={host} ' if host else ''}port={port}"


def trust(given: str, sessions: int) -> None:
    """Takes over from another process of this machine what `check` has found there."""
    _known[given] = max(_known.get(given, 0), sessions)


def is_known(given: str, sessions: int = FEWEST) -> bool:
    """Whether `check` has found that `given` leads to `sessions` sessions that stay whole."""
    return _known.get(given, 0) >= sessions


def _asked(
    connection: psycopg.Connection[Any], sql: bytes, patience: float = _PATIENCE
) -> Sequence[str | None]:
    """The first row of the answer, or nothing.

    Raises:
        _NoSession: there is none in time.
        _NoTransaction: the pooler has no transactions.
    """
    pg = connection.pgconn
    pg.send_query(sql)
    until = time.monotonic() + patience
    result = None
    while True:
        while pg.is_busy():
            ready, _, _ = select.select([pg.socket], [], [], max(until - time.monotonic(), 0))
            if not ready:
                raise _NoSession
            pg.consume_input()
        further = pg.get_result()
        if further is None:
            break
        if b"pooling mode" in further.error_message:
            raise _NoTransaction  # and with that it closes the connection
        result = further
    if result is None or result.status not in (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK):
        raise _NoSession
    cells = (result.get_value(0, column) for column in range(result.nfields))
    return [None if cell is None else bytes(cell).decode() for cell in cells]

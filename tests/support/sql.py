"""Queries of tests to a database."""

from __future__ import annotations

import re
import time
from typing import Any

import psycopg

#: The sessions of a database that wait for a lock. Its server can have others, and processes of its
#: own.
WAITING = (
    "SELECT pid FROM pg_locks JOIN pg_stat_activity USING (pid)"
    " WHERE NOT granted AND datname = current_database() AND backend_type = 'client backend'"
)
WAITING_FOR_BARS = f"{WAITING} AND relation = 'bars_ohlcv'::regclass"


def at(url: str, database: str) -> str:
    """`url` with another database in place of its own, if it names one."""
    found = re.fullmatch(r"([a-z]+://[^/?]*)(/[^?]*)?(\?.*)?", url)
    assert found, url
    return f"{found[1]}/{database}{found[3] or ''}"


def fetch(url: str, sql: str, *params: object) -> list[tuple[Any, ...]]:
    """The rows of `sql`, times in UTC; none where it gives none. A transaction of its own."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        found = connection.execute(sql.encode(), params or None)
        return found.fetchall() if found.description else []


def wait_for(url: str, sql: str) -> list[tuple[Any, ...]]:
    """The rows of `sql`, as soon as it has any."""
    until = time.monotonic() + 60
    while not (rows := fetch(url, sql)):
        assert time.monotonic() < until, sql
        time.sleep(0.02)
    return rows


def wait_for_others(url: str) -> None:
    """Until nobody else is connected; a session tells what it did when it ends."""
    others = (
        "SELECT 1 FROM pg_stat_activity WHERE datname = current_database()"
        " AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
    )
    until = time.monotonic() + 60
    while fetch(url, others):
        assert time.monotonic() < until
        time.sleep(0.01)

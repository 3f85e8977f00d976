"""A session with a server that has TimescaleDB."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import psycopg
from psycopg.rows import DictRow, dict_row

from loader.db.conninfo import conninfo
from loader.db.queries import query
from loader.db.translate import translate_psycopg
from loader.errors import DatabaseError

Connection = psycopg.Connection[DictRow]
#: The oldest version that has what mdload asks for.
OLDEST: Final = (2, 16)


@dataclass(frozen=True, slots=True)
class Extension:
    """TimescaleDB as a database has it; `schema` is where its functions are."""

    version: str
    schema: str
    licence: str

    @property
    def number(self) -> tuple[int, ...]:
        return tuple(int(part) for part in self.version.split("-")[0].split(".")[:2])

    @property
    def compresses(self) -> bool:
        return self.licence != "apache"


@contextmanager
def connected(url: str) -> Iterator[Connection]:
    """In autocommit mode, because procedures of TimescaleDB commit as they go.

    Raises:
        ConnectionLost, DatabaseError: whatever the server says while it is open.
    """
    try:
        with psycopg.connect(
            conninfo(url), autocommit=True, row_factory=dict_row, prepare_threshold=None
        ) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            yield connection
    except psycopg.Error as error:
        raise translate_psycopg(error, "working with TimescaleDB") from error


def ask(connection: Connection, name: str, *params: object) -> list[dict[str, Any]]:
    """The rows of query `name`; none where it gives none."""
    with psycopg.RawCursor(connection, row_factory=dict_row) as cursor:
        cursor.execute(query(name).encode(), params)
        return cursor.fetchall() if cursor.description else []


def extension(connection: Connection) -> Extension:
    """TimescaleDB as this database has it, whose functions this session finds from now on.

    Raises:
        DatabaseError: it has none, or one that is too old.
    """
    if found := ask(connection, "timescale_extension"):
        installed = Extension(**found[0])
        if installed.number >= OLDEST:
            ask(connection, "timescale_reach", installed.schema)
            return installed
        raise DatabaseError(
            f"TimescaleDB {installed.version} is older than mdload works with (2.16)",
            hint="update it: ALTER EXTENSION timescaledb UPDATE",
        )
    name = connection.info.dbname
    ((available,),) = (row.values() for row in ask(connection, "timescale_available"))
    if available is None:
        raise DatabaseError(
            f"the server of database {name!r} has no TimescaleDB",
            hint="install it on the server first: https://docs.tigerdata.com",
        )
    raise DatabaseError(
        f"TimescaleDB {available} is on the server, but not in the database {name!r}",
        hint="as its owner run: CREATE EXTENSION timescaledb",
    )

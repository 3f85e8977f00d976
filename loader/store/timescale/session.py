"""A session with a server that has TimescaleDB."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from loader.db.rows import Session, connect
from loader.errors import DatabaseError
from loader.lazy import dataclass

#: The oldest version that has what mdload needs.
OLDEST: Final = (2, 16)


@dataclass(frozen=True, slots=True)
class Extension:
    """TimescaleDB as installed in a database; `schema` holds its functions."""

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
def connected(url: str) -> Iterator[Session]:
    """A session in autocommit mode, because procedures of TimescaleDB commit as they go.

    Raises:
        ConnectionLost, DatabaseError: the server is away, or refuses.
    """
    with connect(url, doing="working with TimescaleDB") as session:
        yield session


def extension(session: Session) -> Extension:
    """TimescaleDB as installed in this database; from now on the session finds its functions.

    Raises:
        DatabaseError: it has none, or one that is too old.
    """
    if found := session.rows("timescale_extension"):
        installed = Extension(**found[0])
        if installed.number >= OLDEST:
            session.run("timescale_reach", installed.schema)
            return installed
        raise DatabaseError(
            f"TimescaleDB {installed.version} is older than mdload works with (2.16)",
            hint="update it: ALTER EXTENSION timescaledb UPDATE",
        )
    name = session.database
    (available,) = session.one("timescale_available")
    if available is None:
        raise DatabaseError(
            f"the server of database {name!r} has no TimescaleDB",
            hint="install it on the server first: https://docs.tigerdata.com",
        )
    raise DatabaseError(
        f"TimescaleDB {available} is on the server, but not in the database {name!r}",
        hint="as its owner run: CREATE EXTENSION timescaledb",
    )

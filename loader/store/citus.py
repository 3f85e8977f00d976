"""The bars as a table that Citus distributes over servers by symbol."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from loader.db.rows import Row, Session, connect
from loader.errors import DatabaseError
from loader.lazy import dataclass
from loader.store.schema import require_head

#: The first version of PostgreSQL that returns what a row was before an update.
OLDEST: Final = 180000
#: Rows per second that a small machine copies to shards, beside the key.
_COPIED: Final = 150_000


@dataclass(frozen=True, slots=True)
class Server:
    """A server with shards of the bars, and their bytes with indexes."""

    host: str
    port: int
    shards: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Status:
    """How Citus has the bars.

    Attributes:
        version: of the extension.
        servers: how many of them take shards.
        by: the column by which the bars are distributed; None if they are not.
        on: the servers that have them.
        waiting: transactions that a server has prepared and not heard of again.
        lost: servers that do not answer.
    """

    version: str
    servers: int
    by: str | None
    on: tuple[Server, ...] = ()
    waiting: int = 0
    lost: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """What `enable` would do. `rows` is the server's last count, or an estimate by size."""

    version: str
    servers: int
    steps: tuple[str, ...]
    rows: int
    bytes: int

    @property
    def seconds(self) -> int:
        """About how long the bars are locked."""
        return 1 + self.rows // _COPIED if self.steps else 0


@contextmanager
def connected(url: str) -> Iterator[Session]:
    """
    Raises:
        SchemaOutOfDate: the tables are absent, older or newer.
        ConnectionLost, DatabaseError: the server is away, or refuses.
    """
    require_head(url)
    with connect(url, doing="working with Citus") as session:
        yield session


def plan(session: Session) -> Plan:
    """What `enable` would do to this database.

    Raises:
        DatabaseError: it has no Citus, or something that mdload does not support with it.
    """
    extension = _extension(session)
    (state,) = session.rows("citus_state")
    (size,) = session.rows("bars_size")
    if state["by"] == "symbol" and not state["touches"]:
        return Plan(extension["version"], state["servers"], (), size["rows"], size["bytes"])
    if (refused := unsupported(extension, state)) is not None:
        what, hint = refused
        raise DatabaseError(what, hint=hint)
    if not state["servers"]:
        raise DatabaseError(
            "the cluster has no server that takes shards",
            hint="add one: SELECT citus_add_node('HOST', 5432);",
        )
    steps = (
        "drop the trigger bars_ohlcv_updated_at: the merge writes updated_at itself",
        f"distribute bars_ohlcv by symbol over {state['servers']} servers, and copy its rows there",
        "make the functions that read bars (bars_ohlcv_as_of, …) anew, so that Citus can plan them",
    )
    return Plan(extension["version"], state["servers"], steps, size["rows"], size["bytes"])


def unsupported(extension: Row, state: Row) -> tuple[str, str] | None:
    """What of a cluster mdload does not work with, and the way out; None if there is nothing.
    The rows of `citus_extension` and `citus_state`."""
    return next(((what, hint) for holds, what, hint in _refusals(extension, state) if holds), None)


def _refusals(extension: Row, state: Row) -> list[tuple[bool, str, str]]:
    return [
        (
            extension["number"] < OLDEST,
            "mdload works with Citus on PostgreSQL 18 and newer only",
            "upgrade the servers",
        ),
        (
            not extension["prepared"],
            "the coordinator has max_prepared_transactions = 0: a load could not commit on several "
            "servers together",
            "set it on every server to max_connections or more, and restart them",
        ),
        (
            bool(state["unprepared"]),
            f"max_prepared_transactions is 0 on {state['unprepared']}: a load could not commit "
            "there together with the other servers",
            "set it there to max_connections or more, and restart",
        ),
        (
            state["timescale"],
            "the database has TimescaleDB: Citus cannot distribute a hypertable",
            "use a database of its own",
        ),
        (
            state["partitioned"],
            "bars_ohlcv is partitioned, which mdload does not support with Citus",
            "use a database of its own, made by: mdload migrate",
        ),
        (
            bool(state["books"]),
            f"Citus has {state['books']} in its metadata: mdload works with one entry node, and "
            "keeps its books and revisions there",
            "as its owner: SELECT undistribute_table('TABLE'); for each",
        ),
        (
            state["by"] not in (None, "symbol"),
            f"bars_ohlcv is distributed by {state['by']}; mdload needs symbol",
            "as its owner: SELECT alter_distributed_table('bars_ohlcv', 'symbol');",
        ),
        (
            bool(state["triggers"]),
            f"bars_ohlcv has triggers, which Citus does not distribute: {state['triggers']}",
            "drop them first",
        ),
    ]


def enable(session: Session, planned: Plan) -> None:
    """Does what is `planned`, in one transaction.

    Raises:
        DatabaseError: the server refused; nothing was changed.
    """
    if not planned.steps:
        return
    with session.transaction():
        (state,) = session.rows("citus_state")
        session.run("citus_trigger_drop")
        for row in session.rows("citus_functions"):  # first: afterwards Citus works in parallel
            session.composed(row["statement"])
        if state["by"] is None:
            session.run("citus_distribute")
            session.run("citus_truncate")


def status(session: Session) -> Status:
    """How Citus has the bars of this database.

    Raises:
        DatabaseError: it has no Citus.
    """
    extension = _extension(session)
    (state,) = session.rows("citus_state")
    (waiting,) = session.rows("citus_waiting")
    on = [Server(**row) for row in session.rows("citus_servers")] if state["by"] else []
    return Status(extension["version"], state["servers"], state["by"], tuple(on), **waiting)


def _extension(session: Session) -> Row:
    if found := session.rows("citus_extension"):
        return found[0]
    (available,) = session.one("citus_available")
    if available is None:
        raise DatabaseError(
            f"the server of database {session.database!r} has no Citus",
            hint="install it on every server first: https://docs.citusdata.com",
        )
    raise DatabaseError(
        f"Citus {available} is on the server, but not in the database {session.database!r}",
        hint="as a superuser, on every server run: CREATE EXTENSION citus",
    )

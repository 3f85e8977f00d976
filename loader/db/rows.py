"""One session over psycopg, for those who ask for rows. Importing ADBC takes longer than most of
their commands take to run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any, Final, Self

import psycopg
from psycopg import waiting
from psycopg.pq import ExecStatus, TransactionStatus
from psycopg.pq.abc import PGresult
from psycopg.rows import dict_row
from psycopg.types.string import TextLoader

from loader.db import pooler
from loader.db.cancelling import cancellable_on_main, on_main
from loader.db.conninfo import conninfo
from loader.db.queries import query, refuse_planted
from loader.db.translate import translate
from loader.errors import MdloadError, SettingsError
from loader.lazy import dataclass
from loader.settings.datasets import BARS_OHLCV, Dataset

#: Seconds for the server to cancel a statement after a signal.
_MOMENT = 0.4
Row = dict[str, Any]
#: The values of a row as the server writes them; None for NULL.
Texts = tuple[str | None, ...]
#: Rows of a stream that psycopg takes from the server at a time.
_CHUNK: Final = 1_000
#: A connection that a program has opened itself and lends to mdload.
PsycopgConnection = psycopg.Connection[Any]


def connect(url: str, *, doing: str | None = None, sessions: int = pooler.FEWEST) -> Session:
    """A session in autocommit mode with the server at `url`; `doing` as in `Session`.

    Raises:
        ConnectionLost: the server cannot be reached.
        DatabaseError: it refused (password, no such database), or does not give `sessions` at once.
        SettingsError: `url` is not a PostgreSQL URL or connection string.
    """
    connection = open_connection(url, doing or "connecting", autocommit=True, sessions=sessions)
    try:
        session = Session(connection, doing=doing or "connecting")
        refuse_planted(session.row, conninfo(url))
        session.run("session_for_rows")
    except BaseException:
        connection.close()
        raise
    return Session(connection, doing=doing)


def open_connection(
    url: str, doing: str, *, autocommit: bool, sessions: int = pooler.FEWEST
) -> PsycopgConnection:
    """A connection of psycopg's own. Raises as `connect`, and if a pooler does not give `sessions`
    of them that stay whole."""
    given = conninfo(url)

    def connect() -> PsycopgConnection:
        return _Stoppable.connect(given, autocommit=autocommit, prepare_threshold=None)

    with translated(doing):
        connection = on_main(connect, unwanted=_Stoppable.close)
        try:
            pooler.check(given, connection, sessions)
        except BaseException:
            connection.close()
            raise
    return connection


def expect_sessions(url: str, sessions: int = pooler.FEWEST) -> None:
    """Makes sure that the server at `url` gives `sessions` at once, unless that is known.
    Raises as `open_connection`."""
    if not pooler.is_known(conninfo(url), sessions):
        open_connection(url, "connecting", autocommit=True, sessions=sessions).close()


class _Stoppable(psycopg.Connection[Any]):
    """A connection that does not keep a signal waiting.

    psycopg's own gives the server ten seconds to cancel what a Ctrl-C interrupts, and does not
    cancel it at all where a signal's handler raises an error of another kind.
    """

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        try:
            return waiting.wait(gen, self.pgconn.socket, interval=interval, timeout=timeout)
        except psycopg.Error:
            raise
        except BaseException:
            if self.pgconn.transaction_status == TransactionStatus.ACTIVE:
                self._give_up(gen)
            raise

    def _give_up(self, gen: Any) -> None:
        """Leaves the connection ready for its rollback, or closed."""
        try:
            self.cancel_safe(timeout=_MOMENT)
            waiting.wait(gen, self.pgconn.socket, interval=_MOMENT, timeout=_MOMENT)
        except psycopg.errors.QueryCanceled:
            pass
        except BaseException:  # among them another signal
            self.pgconn.finish()


@dataclass(frozen=True, slots=True)
class Field:
    """A column of a result: its name, and its type as the server's catalogue has it (`int4`,
    `timestamptz`); `text` for types that psycopg does not know."""

    name: str
    type: str


class Session:
    """Named queries over a psycopg connection. One thread at a time, except for `cancel`.

    Args:
        connection: in autocommit mode, unless each use is within a `transaction`.
        doing: completes "the database failed while …" in errors; by default "running QUERY".

    Attributes:
        of: the dataset that the statements are about.
    """

    def __init__(self, connection: PsycopgConnection, *, doing: str | None = None) -> None:
        self.of: Dataset = BARS_OHLCV
        self._connection = connection
        self._doing = doing

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the session; what was not committed is rolled back. Never raises."""
        with suppress(psycopg.Error):
            self._connection.close()

    def cancel(self) -> None:
        """Asks the server to stop what this session is doing. For another thread to call."""
        with suppress(psycopg.Error):
            self._connection.cancel_safe(timeout=5.0)

    @property
    def database(self) -> str:
        """The name of the database."""
        return self._connection.info.dbname

    @property
    def idle(self) -> bool:
        """Whether it is open and has neither a transaction nor a query under way."""
        return self._connection.info.transaction_status == TransactionStatus.IDLE

    def answers(self) -> bool:
        """Whether the server still answers on this session."""
        try:
            self._connection.execute("SELECT")
        except psycopg.Error:
            return False
        return True

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commits at the end of the block; rolls back if the block raises. Within another one it is
        a savepoint."""
        with self._translated("committing"), self._connection.transaction():
            yield

    def run(self, name: str, *params: object) -> None:
        """Executes query `name` and ignores its rows."""
        self.row(name, *params)

    def last(self, name: str, *params: object) -> None:
        """`run`."""
        self.run(name, *params)

    def row(self, name: str, *params: object) -> tuple[Any, ...] | None:
        """The first row of query `name`, or None."""
        with self._translated(f"running {name}"), psycopg.RawCursor(self._connection) as cursor:
            cursor.execute(query(name, self.of).encode(), params)
            return cursor.fetchone() if cursor.description else None

    def one(self, name: str, *params: object) -> tuple[Any, ...]:
        """The first row of a query that always has one.

        Raises:
            MdloadError: it had none.
        """
        row = self.row(name, *params)
        if row is None:
            raise MdloadError(f"query {name} returned no row")
        return row

    def rows(self, name: str, *params: object) -> list[Row]:
        """All rows of query `name` by column, with every datetime in UTC; none for a statement that
        has no result."""
        with self._translated(f"running {name}"):
            return list(self._fetched(query(name, self.of), params))

    def composed(self, statement: str) -> Iterator[Row]:
        """Executes a `statement` that one of the named queries composed; its rows as in `rows`."""
        with self._translated("running a composed statement"):
            return self._fetched(statement, ())

    def _fetched(self, sql: str, params: tuple[object, ...]) -> Iterator[Row]:
        """Executes at once; the rows are converted one by one."""
        cursor = psycopg.RawCursor(self._connection, row_factory=dict_row)
        cursor.execute(sql.encode(), params)
        if not cursor.description:
            return iter(())
        return ({key: _utc(value) for key, value in row.items()} for row in cursor)

    @contextmanager
    def read_only(self) -> Iterator[None]:
        """A transaction in which nothing can be written, and that is rolled back at its end."""
        with self._translated("beginning a transaction"):
            self._connection.read_only = True
        with self._translated("reading"), self._connection.transaction(force_rollback=True):
            yield

    @contextmanager
    def streamed(self, statement: str) -> Iterator[tuple[tuple[Field, ...], Iterator[Texts]]]:
        """Executes a person's own `statement`, and no second one that stands behind it. The columns
        and, as they arrive, the rows of its result: each value as the server writes it. Without
        columns it gives no result, and is not executed."""
        with self._translated("running a statement"), psycopg.RawCursor(self._connection) as cursor:
            fields = self._fields(statement)
            if not fields:
                yield fields, iter(())
                return
            for kind in self._connection.adapters.types:
                for oid in (kind.oid, kind.array_oid):
                    cursor.adapters.register_loader(oid, TextLoader)
            rows = cursor.stream(statement.encode(), size=_CHUNK)
            try:
                yield fields, rows
            finally:
                rows.close()  # type: ignore[attr-defined]  # a generator

    def _fields(self, statement: str) -> tuple[Field, ...]:
        """The columns of what `statement` gives, as the server plans it.

        Raises:
            SettingsError: it has parameters, for which nobody gives values.
        """
        server = self._connection.pgconn

        def planned() -> PGresult:  # libpq waits for a table that is locked
            return server.prepare(b"", statement.encode())

        for described in (cancellable_on_main(self, planned), server.describe_prepared(b"")):
            if described.status != ExecStatus.COMMAND_OK:
                raise psycopg.errors.error_from_result(described)
        if several := described.nparams:
            named = "a parameter, $1" if several == 1 else f"{several} parameters, $1 to ${several}"
            hint = "write values in their place; quote the statement for the shell: '…'"
            raise SettingsError(f"the statement has {named}", hint=hint)
        return tuple(
            Field((described.fname(n) or b"").decode(), self._type(described.ftype(n)))
            for n in range(described.nfields)
        )

    def _type(self, oid: int) -> str:
        kind = self._connection.adapters.types.get(oid)
        if kind is None:
            return "text"
        return kind.name if oid == kind.oid else f"{kind.name}[]"

    @contextmanager
    def _translated(self, doing: str) -> Iterator[None]:
        with translated(self._doing or doing):
            yield


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Raises psycopg's errors as mdload's."""
    try:
        yield
    except psycopg.Error as error:
        raise translate(error, doing) from error


def _utc(value: object) -> object:
    return value.astimezone(UTC) if isinstance(value, datetime) else value

"""One connection over ADBC."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from datetime import datetime
from typing import Any

import polars as pl
import pyarrow as pa

from loader.bars import forks
from loader.db.adbc import (
    AdbcSession,
    Error,
    arrow_of,
    at_times,
    in_batches,
    parameters,
    values,
)
from loader.db.cancelling import on_main
from loader.db.conninfo import conninfo
from loader.db.executor import Param
from loader.db.queries import query, refuse_planted, shards
from loader.db.rows import expect_sessions
from loader.db.translate import translate
from loader.errors import Cancelled, MdloadError
from loader.lazy import regex
from loader.settings.datasets import BARS_OHLCV, Dataset

#: Seconds after which an idle session may be lost, as far as its next user cares.
_MOMENT = 0.5
#: The bars where they are read, and not where they are named as text.
_TABLE = regex(r"(?<!')\bbars_ohlcv\b(?!')")


def connect(url: str, *, autocommit: bool = False) -> Connection:
    """A connection to `url` (libpq URI; `postgresql://` leaves everything to libpq's environment).

    Raises:
        ConnectionLost: the server cannot be reached.
        DatabaseError: it refused (password, no such database), or a pooler does not keep sessions
            together.
        ForkedProcess: see `loader.bars.forks`.
    """
    forks.refuse()
    given = conninfo(url)
    expect_sessions(url)
    try:
        session = on_main(
            lambda: AdbcSession(given, autocommit=autocommit), unwanted=AdbcSession.close
        )
    except Error as error:
        raise translate(error, "connecting") from error
    connection = Connection(session)
    try:
        with nullcontext() if autocommit else connection.transaction():
            refuse_planted(connection.row, given)
            connection.shards = shards.found(connection)
    except BaseException:
        connection.close()
        raise
    return connection


class Connection:
    """Runs named queries and moves frames. One thread at a time, except for `cancel`.

    Attributes:
        failed: whether anything went wrong on it, or a result was not read to its end.
        is_copying: whether it is in the middle of `ingest`, and takes no other statement.
        bars: a function call that queries read in place of the table `bars_ohlcv`, or None.
        of: the dataset that the statements are about.
        shards: where the bars are, if Citus has distributed them; else None.
    """

    def __init__(self, session: AdbcSession) -> None:
        self._session = session
        self.failed = self.is_copying = False
        self._used = time.monotonic()
        self.bars: str | None = None
        self.of: Dataset = BARS_OHLCV
        self.shards: shards.Shards | None = None
        self._stopped = False

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection; what was not committed is rolled back. Never raises."""
        self._session.close()

    def cancel(self) -> None:
        """Asks the server to stop what this connection is doing. For another thread to call."""
        self._session.cancel()

    def stop(self) -> None:
        """Cancels, for good: it runs and commits nothing more. For another thread to call."""
        self._stopped = True
        self.cancel()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commits at the end of the block; rolls back if the block raises. An error of the rollback
        never hides the block's."""
        try:
            yield
        except BaseException:
            self.failed = True
            with suppress(Error):
                self._session.rollback()
            raise
        with self._translated("committing"):
            self._session.commit()

    def renew(self) -> None:
        """Prepares the connection for its next user: a transaction begins now, not when the last
        one ended. A session that has been idle for longer than a moment is asked whether it lives.

        Raises:
            ConnectionLost: the session is gone.
        """
        with self._translated("taking up a session again"):
            self._session.rollback()
        if time.monotonic() - self._used > _MOMENT:
            self.run("session_setup")

    def run(self, name: str, *params: Param) -> None:
        """Executes query `name` and ignores its rows."""
        if self.shards is not None and name == "wanted_set":
            self.shards.wanted = str(params[0])
        with self._translated(f"running {name}"):
            self._session.table(self._sql(name), parameters(params))

    last = run

    def changed(self, name: str, *params: Param) -> int:
        """Executes query `name`, which returns no rows. Gives how many it wrote or took away: the
        server need not keep rows to count them."""
        with self._translated(f"running {name}"):
            return self._session.changed(self._sql(name), parameters(params))

    def row(self, name: str, *params: Param) -> tuple[Any, ...] | None:
        """The first row of query `name`, or None."""
        return next(self.rows(name, *params), None)

    def rows(self, name: str, *params: Param) -> Iterator[tuple[Any, ...]]:
        """All rows of query `name`, which is executed at once: a few, in Python's types."""
        with self._translated(f"running {name}"):
            table = self._session.table(self._sql(name), parameters(params))
        return zip(*(values(column) for column in table.columns), strict=True)

    def one(self, name: str, *params: Param) -> tuple[Any, ...]:
        """The first row of a query that always has one.

        Raises:
            MdloadError: it had none.
        """
        row = self.row(name, *params)
        if row is None:
            raise MdloadError(f"query {name} returned no row")
        return row

    def frame(self, name: str, *params: Param) -> pl.DataFrame:
        """All rows of query `name`. A large result needs a query without parameters, which the
        server sends as one binary COPY, three times as fast (docs/decisions/0002-merge.md)."""
        with self._translated(f"running {name}"):
            if self._is_spread(name):
                frame = pl.from_arrow(pa.Table.from_batches(self._spread(name, str(params[0]))))
            else:
                frame = pl.from_arrow(self._session.table(self._sql(name), parameters(params)))
        assert isinstance(frame, pl.DataFrame)
        return frame

    def frames(self, name: str, *times: datetime) -> Iterator[pl.DataFrame]:
        """`batches` as frames."""
        if self.shards is not None and self.bars is None and shards.is_everywhere(name):
            with self._translated(f"running {name}"):
                found = shards.rows_of(self._answers(name, times))
            yield from (found,) * bool(found.height)  # without rows it has no columns either
            return
        for batch in self.batches(name, *times):
            frame = pl.from_arrow(batch)
            assert isinstance(frame, pl.DataFrame)
            yield frame

    def batches(self, name: str, *times: datetime) -> Iterator[pa.RecordBatch]:
        """The rows of query `name` as they arrive, about 16 MB at a time.

        `times` replace `$1`, `$2`, … as literals: bound parameters would be slow, see `frame`.
        """
        with self._translated(f"running {name}"):
            self.failed = True  # until all is read
            if self._is_spread(name):
                yield from self._spread(name, None, *times)
            else:
                yield from self._session.batches(at_times(self._sql(name), times))
            self.failed = False

    def ingest(
        self,
        table: str,
        schema: dict[str, pl.DataType],
        frames: Iterable[pl.DataFrame | pa.RecordBatch],
        *,
        temporary: bool = False,
    ) -> int:
        """Appends `frames` to `table` in one binary COPY. Returns the number of rows.

        An exception of the iterable is raised as it is. The driver encodes by the Arrow type, not
        by the column: `schema` must match the table, and every frame must have exactly `schema`,
        in its order.

        Raises:
            MdloadError: a frame does not have exactly `schema`.
            DatabaseError: the server refused; the transaction cannot go on.
        """
        rows = 0
        failure: BaseException | None = None

        def batches() -> Iterator[pa.RecordBatch]:
            nonlocal rows, failure
            try:
                for batch in in_batches(frames, schema, table):
                    rows += len(batch)
                    yield batch
            except BaseException as error:  # the driver would lose it: see docs/decisions
                failure = error
                raise

        stream = pa.RecordBatchReader.from_batches(arrow_of(schema), batches())
        self.is_copying = True
        try:
            self._session.ingest(table, stream, temporary=temporary)
        except Error as error:
            self.failed = True
            if failure is not None:
                raise failure from None
            raise translate(error, f"writing into {table}") from error
        finally:
            self.is_copying = False
        return rows

    def _sql(self, name: str) -> str:
        if self.bars is not None:
            return _TABLE.sub(self.bars, query(name, self.of))
        if self.shards is not None and self.of is BARS_OHLCV:
            return self.shards.on_coordinator(name)
        return query(name, self.of)

    def _is_spread(self, name: str) -> bool:
        return self.shards is not None and self.bars is None and shards.is_spread(name)

    def _spread(self, name: str, wanted: str | None, *times: datetime) -> list[pa.RecordBatch]:
        """The rows of query `name` from every shard that has wanted ones."""
        assert self.shards is not None
        texts = self.shards.statements(name, wanted, lambda sql: at_times(sql, times))
        return shards.in_order([self._session.table(text) for text in texts])

    def _answers(self, name: str, times: Sequence[datetime]) -> list[tuple[bool, str | None]]:
        assert self.shards is not None
        command = self.shards.everywhere(name, lambda sql: at_times(sql, times))
        table = self._session.table(query("every_shard"), parameters([command]))
        return list(zip(*(column.to_pylist() for column in table.columns), strict=True))

    @contextmanager
    def _translated(self, doing: str) -> Iterator[None]:
        if self._stopped:
            self.failed = True
            raise Cancelled(f"cancelled before {doing}")
        try:
            yield
            self._used = time.monotonic()
        except (Error, OSError, pa.ArrowException, shards.NoAnswer) as error:  # readers raise
            self.failed = True
            raise translate(error, doing) from error

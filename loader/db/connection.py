"""One connection over ADBC."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from datetime import datetime
from threading import Lock
from typing import Any

import adbc_driver_manager
import polars as pl
import pyarrow as pa
from adbc_driver_postgresql import dbapi

from loader.conninfo import conninfo
from loader.db.translate import translate
from loader.errors import MdloadError
from loader.queries import query

Param = int | str | float | datetime | None
_OLDEST = pl.CompatLevel.oldest()  # string_view is not understood by the driver's encoder


def connect(url: str, *, autocommit: bool = False) -> Connection:
    """A connection to `url` (libpq URI; `postgresql://` leaves all to libpq's environment).

    Raises:
        ConnectionLost: the server cannot be reached.
        DatabaseError: it refused (password, no such database).
    """
    try:
        driver = dbapi.connect(conninfo(url), autocommit=autocommit)
    except adbc_driver_manager.Error as error:
        raise translate(error, "connecting") from error
    connection = Connection(driver)
    try:
        with nullcontext() if autocommit else connection.transaction():
            connection.run("session_setup")
    except BaseException:
        connection.close()
        raise
    return connection


class Connection:
    """Runs named queries and moves frames. Not for two threads at once, but for `cancel`.

    Attributes:
        failed: whether anything over it went wrong or was left half read.
    """

    def __init__(self, driver: dbapi.Connection) -> None:
        self._driver = driver
        self._cursor = driver.cursor()
        self.failed = False
        self._closed = False
        self._closing = Lock()

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Gives the connection back; what was not committed is rolled back. Never raises."""
        with self._closing:
            if not self._closed:
                self._closed = True
                with suppress(adbc_driver_manager.Error):
                    self._cursor.close()
                with suppress(adbc_driver_manager.Error):
                    self._driver.close()

    def cancel(self) -> None:
        """Asks the server to stop what this connection is doing. For another thread to call."""
        with self._closing, suppress(adbc_driver_manager.Error):
            if not self._closed:
                self._driver.adbc_cancel()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commits at the end; rolls back on any error, which is never hidden by the rollback's."""
        try:
            yield
        except BaseException:
            self.failed = True
            with suppress(adbc_driver_manager.Error):
                self._driver.rollback()
            raise
        with self._translated("committing"):
            self._driver.commit()

    def renew(self) -> None:
        """For another user: the next transaction begins now and not when the last one ended.

        Raises:
            ConnectionLost: the session is gone.
        """
        with self._translated("taking up a session again"):
            self._driver.rollback()
        self.run("session_setup")

    def run(self, name: str, *params: Param) -> None:
        """Executes query `name`, whose rows (if any) are of no interest."""
        self._execute(name, params)
        with self._translated(f"running {name}"):
            self._cursor.fetchall()

    def row(self, name: str, *params: Param) -> tuple[Any, ...] | None:
        """The first row of query `name`, or None."""
        self._execute(name, params)
        with self._translated(f"running {name}"):
            row: tuple[Any, ...] | None = self._cursor.fetchone()
            return row

    def one(self, name: str, *params: Param) -> tuple[Any, ...]:
        """The row of a query that always has one.

        Raises:
            MdloadError: it had none.
        """
        row = self.row(name, *params)
        if row is None:
            raise MdloadError(f"query {name} gave no row")
        return row

    def frame(self, name: str, *params: Param) -> pl.DataFrame:
        """All rows of query `name`. Large results want a query without parameters: it comes as one
        binary COPY, three times as fast (docs/decisions/0002-merge.md)."""
        self._execute(name, params)
        with self._translated(f"running {name}"):
            frame = pl.from_arrow(self._cursor.fetch_arrow_table())
        assert isinstance(frame, pl.DataFrame)
        return frame

    def frames(self, name: str) -> Iterator[pl.DataFrame]:
        """The rows of query `name` as they come, some 16 MB at a time."""
        self._execute(name, ())
        self.failed = True  # until all is read
        try:
            for batch in self._cursor.fetch_record_batch():
                frame = pl.from_arrow(batch)
                assert isinstance(frame, pl.DataFrame)
                yield frame
        except (OSError, pa.ArrowException) as error:  # which the driver's come out as here
            raise translate(error, f"running {name}") from error
        self.failed = False

    def ingest(
        self,
        table: str,
        schema: dict[str, pl.DataType],
        frames: Iterable[pl.DataFrame],
        *,
        temporary: bool = False,
    ) -> int:
        """Appends `frames` to `table` in one binary COPY and gives the number of rows.

        An exception of the iterable comes out as itself. The driver encodes by the Arrow type and
        not by the column, so `schema` must be what the table holds, and every frame exactly that,
        in its order.

        Raises:
            MdloadError: a frame does not have exactly `schema`.
            DatabaseError: the server refused; the transaction cannot go on.
        """
        rows = 0
        failure: BaseException | None = None
        exact = tuple(schema.items())

        def batches() -> Iterator[pa.RecordBatch]:
            nonlocal rows, failure
            try:
                for frame in frames:
                    if tuple(frame.schema.items()) != exact:  # the order too: it is not by name
                        raise MdloadError(
                            f"a frame for {table} has the wrong columns: {frame.schema}"
                        )
                    rows += frame.height
                    yield from frame.to_arrow(compat_level=_OLDEST).to_batches()
            except BaseException as error:  # the driver would lose it: see docs/decisions
                failure = error
                raise

        arrow = pl.DataFrame(schema=schema).to_arrow(compat_level=_OLDEST).schema
        stream = pa.RecordBatchReader.from_batches(arrow, batches())
        try:
            self._cursor.adbc_ingest(table, stream, mode="append", temporary=temporary)
        except adbc_driver_manager.Error as error:
            self.failed = True
            if failure is not None:
                raise failure from None
            raise translate(error, f"writing into {table}") from error
        return rows

    def _execute(self, name: str, params: Sequence[Param]) -> None:
        sql = query(name)
        with self._translated(f"running {name}"):
            if params:
                self._cursor.execute(sql, _record(params))
            else:
                self._cursor.execute(sql)

    @contextmanager
    def _translated(self, doing: str) -> Iterator[None]:
        try:
            yield
        except adbc_driver_manager.Error as error:
            self.failed = True
            raise translate(error, doing) from error


def _record(params: Sequence[Param]) -> pa.RecordBatch:
    """Parameters `$1`, `$2`, … as one Arrow row: text, bigint, double precision, timestamptz."""
    arrays = []
    for value in params:
        if isinstance(value, datetime):
            arrays.append(pa.array([value], pa.timestamp("us", "UTC")))
        elif value is None:
            arrays.append(pa.array([None], pa.string()))
        else:
            arrays.append(pa.array([value]))
    return pa.record_batch(arrays, names=[f"${i}" for i in range(1, len(arrays) + 1)])

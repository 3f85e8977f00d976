"""One session of the ADBC driver, without its DB-API: that imports pyarrow.dataset and, if there is
one, pandas, which takes as long as everything else that a small load does."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from threading import Lock, Thread
from typing import Any, Final, TypeVar

import adbc_driver_manager as adbc
import adbc_driver_postgresql
import polars as pl
import pyarrow as pa
from adbc_driver_manager._reader import AdbcRecordBatchReader

from loader.db.cancelling import cancellable, is_main
from loader.db.conninfo import conninfo
from loader.db.executor import Param
from loader.errors import MdloadError

T = TypeVar("T")

#: The driver's encoder does not understand string_view.
_OLDEST: Final = pl.CompatLevel.oldest()
#: Rows that the driver encodes before it sends them. This few fit the socket's buffer (208 kB), and
#: the server reads them while the next are encoded; with more, each side waits for the other.
_SENT_ROWS = 1_000
_TEMPORARY = adbc.StatementOptions.INGEST_TEMPORARY.value
Error = adbc.Error


def learn_ahead(url: str) -> None:
    """Learns the types of the server at `url` in a thread of its own, for the first session there:
    the driver takes some 50 ms for it, half of them to wait. What goes wrong, that session meets
    again, and reports.

    Raises:
        SettingsError: `url` is not a PostgreSQL URL or connection string.
    """
    uri = conninfo(url)

    def learn() -> None:
        with suppress(Exception):  # a thread cannot report it: the first session will
            _database(uri)

    Thread(target=learn, name="mdload-types", daemon=True).start()


def _database(uri: str) -> adbc.AdbcDatabase:
    """Sessions of one database share the server's types: learning them takes a connection."""
    with _turn(uri):
        return _learned(uri)


@lru_cache(maxsize=8)
def _turn(uri: str) -> Lock:
    """Whoever comes second finds what the first one has learned, and waits for no other
    database."""
    return Lock()


@lru_cache(maxsize=8)
def _learned(uri: str) -> adbc.AdbcDatabase:
    database: adbc.AdbcDatabase = adbc_driver_postgresql.connect(uri)
    return database


class AdbcSession:
    """A connection and its one statement. Every method raises `Error` when the driver does.

    One thread at a time, except for `cancel`. In the main thread Ctrl-C ends a query, although the
    driver would wait for the server.
    """

    def __init__(self, uri: str, *, autocommit: bool) -> None:
        self._database = _database(uri)  # must outlive the connection
        self._connection = adbc.AdbcConnection(self._database)
        self._reader: AdbcRecordBatchReader | None = None
        self._statement = adbc.AdbcStatement(self._connection)
        self._autocommit = autocommit
        self._connection.set_autocommit(autocommit)
        self._closing = Lock()
        self._is_closed = self._is_left = False

    def close(self) -> None:
        """What was not committed is rolled back. Never raises."""
        with self._closing:
            if self._is_closed or self._is_left:
                return
            self._is_closed = True
            with suppress(Error):
                self._forget_result()
                self._statement.close()
                self._connection.close()

    def cancel(self) -> None:
        """Asks the server to stop what it does here. For another thread to call. Never raises."""
        with self._closing, suppress(Error):
            if not self._is_closed:
                self._connection.cancel()

    def commit(self) -> None:
        if not self._autocommit:
            self._connection.commit()

    def rollback(self) -> None:
        if not (self._autocommit or self._is_left):
            self._connection.rollback()

    def table(self, sql: str, params: pa.RecordBatch | None = None) -> pa.Table:
        """The whole result."""
        return self._awaited(lambda: self.execute(sql, params).read_all())

    def batches(self, sql: str) -> Iterator[pa.RecordBatch]:
        """The result as it arrives."""
        reader = iter(self._awaited(lambda: self.execute(sql)))
        while (batch := self._awaited(lambda: next(reader, None))) is not None:
            yield batch
            del batch

    def execute(self, sql: str, params: pa.RecordBatch | None = None) -> AdbcRecordBatchReader:
        """The result, which the next statement closes."""
        self._forget_result()
        self._statement.set_sql_query(sql)
        if params is not None:
            self._statement.bind(params)
        handle, _ = self._statement.execute_query()
        self._reader = AdbcRecordBatchReader._import_from_c(handle.address)
        return self._reader

    def changed(self, sql: str, params: pa.RecordBatch | None = None) -> int:
        """How many rows the server says that a statement wrote or took away."""

        def executed() -> int:
            self._forget_result()
            self._statement.set_sql_query(sql)
            if params is not None:
                self._statement.bind(params)
            return int(self._statement.execute_update())

        return self._awaited(executed)

    def _awaited(self, work: Callable[[], T]) -> T:
        """What `work` returns, which waits for the server."""
        if not is_main():
            return work()

        def waiting() -> T:
            # A server that does not answer keeps the thread in the driver: nobody else may enter.
            self._is_left = True
            try:
                return work()
            finally:
                self._is_left = False

        return cancellable(self, waiting)

    def ingest(self, table: str, stream: pa.RecordBatchReader, *, temporary: bool) -> None:
        """Appends `stream` to `table` in one binary COPY."""
        self._forget_result()
        self._statement.set_options(
            **{
                adbc.INGEST_OPTION_TARGET_TABLE: table,
                adbc.INGEST_OPTION_MODE: adbc.INGEST_OPTION_MODE_APPEND,
                _TEMPORARY: "true" if temporary else "false",
            }
        )
        self._statement.bind_stream(stream)
        self._statement.execute_update()

    def _forget_result(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None


_FIRST: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TICK: Final = timedelta(microseconds=1)
_NULL: Final = pa.py_buffer(b"\0")
_NO_BYTES: Final = pa.py_buffer(b"")
_TEXT, _BOOLEAN, _BIGINT = pa.large_string(), pa.bool_(), pa.int64()
_DOUBLE, _TIME = pa.float64(), pa.timestamp("us", "UTC")


def at_times(sql: str, times: Sequence[datetime]) -> str:
    """`sql` with `times` as literals in place of `$1`, `$2`, …"""
    for number, moment in enumerate(times, 1):
        sql = sql.replace(f"${number}", f"TIMESTAMPTZ '{moment.isoformat()}'")
    return sql


def arrow_of(schema: Mapping[str, pl.DataType]) -> pa.Schema:
    """Columns of frames as those of batches."""
    return pl.DataFrame(schema=schema).to_arrow(compat_level=_OLDEST).schema


def in_batches(
    frames: Iterable[pl.DataFrame | pa.RecordBatch], schema: Mapping[str, pl.DataType], table: str
) -> Iterator[pa.RecordBatch]:
    """The rows of frames, or of batches, as the driver takes them.

    Raises:
        MdloadError: one does not have exactly `schema`, in its order. `table` is where they go.
    """
    exact = (pl.Schema(schema), arrow_of(schema))
    for frame in frames:
        if frame.schema not in exact:
            raise MdloadError(f"a frame for {table} has the wrong columns: {frame.schema}")
        if isinstance(frame, pl.DataFrame):
            yield from frame.to_arrow(compat_level=_OLDEST).to_batches(_SENT_ROWS)
        else:
            yield from (frame.slice(at, _SENT_ROWS) for at in range(0, len(frame), _SENT_ROWS))


def values(column: pa.ChunkedArray) -> list[Any]:
    """As `to_pylist`, which imports pandas for the first time that it meets."""
    if column.type != _TIME:
        return list(column.to_pylist())
    ticks = (tick for chunk in column.chunks for tick in chunk.view(_BIGINT).to_pylist())
    return [None if tick is None else _FIRST + tick * _TICK for tick in ticks]


def parameters(given: Sequence[Param]) -> pa.RecordBatch | None:
    """The values `given` as one Arrow row of `$1`, `$2`, …: text, boolean, bigint, double precision
    or timestamptz; None is a text. None if there are none. Written byte by byte, because a
    statement has few values, for which Polars takes longer than the server; and `pyarrow.array`
    imports pandas."""
    columns = [_parameter(value) for value in given]
    return pa.RecordBatch.from_arrays(columns, _names(len(columns))) if columns else None


@lru_cache(maxsize=64)
def _names(count: int) -> list[str]:
    return [f"${number}" for number in range(1, count + 1)]


def _parameter(value: Param) -> pa.Array:
    if value is None:
        offsets = pa.py_buffer(bytes(16))
        return pa.Array.from_buffers(_TEXT, 1, [_NULL, offsets, _NO_BYTES], null_count=1)
    if isinstance(value, str):
        text = value.encode()
        offsets = pa.py_buffer(struct.pack("=qq", 0, len(text)))
        return pa.Array.from_buffers(_TEXT, 1, [None, offsets, pa.py_buffer(text)], null_count=0)
    if isinstance(value, bool):
        return pa.Array.from_buffers(_BOOLEAN, 1, [None, pa.py_buffer(bytes([value]))], 0)
    if isinstance(value, int):
        return _of_eight(_BIGINT, struct.pack("=q", value))
    if isinstance(value, float):
        return _of_eight(_DOUBLE, struct.pack("=d", value))
    return _of_eight(_TIME, struct.pack("=q", (value.astimezone(UTC) - _FIRST) // _TICK))


def _of_eight(kind: pa.DataType, data: bytes) -> pa.Array:
    return pa.Array.from_buffers(kind, 1, [None, pa.py_buffer(data)], null_count=0)

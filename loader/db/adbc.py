"""One session of the ADBC driver, without its DB-API: that imports pyarrow.dataset and, if there is
one, pandas, which takes as long as everything else that a small load does."""

from __future__ import annotations

from functools import lru_cache

import adbc_driver_manager as adbc
import adbc_driver_postgresql
import pyarrow as pa
from adbc_driver_manager._reader import AdbcRecordBatchReader

_TEMPORARY = adbc.StatementOptions.INGEST_TEMPORARY.value
Error = adbc.Error


@lru_cache(maxsize=8)
def _database(uri: str) -> adbc.AdbcDatabase:
    """Sessions of one database share the server's types: learning them takes a connection."""
    database: adbc.AdbcDatabase = adbc_driver_postgresql.connect(uri)
    return database


class AdbcSession:
    """A connection and its one statement. Every method raises `Error` when the driver does.

    One thread at a time, except for `cancel`.
    """

    def __init__(self, uri: str, *, autocommit: bool) -> None:
        self._database = _database(uri)  # must outlive the connection
        self._connection = adbc.AdbcConnection(self._database)
        self._reader: AdbcRecordBatchReader | None = None
        self._statement = adbc.AdbcStatement(self._connection)
        self._autocommit = autocommit
        self._connection.set_autocommit(autocommit)

    def close(self) -> None:
        self._forget_result()
        self._statement.close()
        self._connection.close()

    def cancel(self) -> None:
        self._connection.cancel()

    def commit(self) -> None:
        if not self._autocommit:
            self._connection.commit()

    def rollback(self) -> None:
        if not self._autocommit:
            self._connection.rollback()

    def execute(self, sql: str, params: pa.RecordBatch | None = None) -> AdbcRecordBatchReader:
        """The result, which the next statement closes."""
        self._forget_result()
        self._statement.set_sql_query(sql)
        if params is not None:
            self._statement.bind(params)
        handle, _ = self._statement.execute_query()
        self._reader = AdbcRecordBatchReader._import_from_c(handle.address)
        return self._reader

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

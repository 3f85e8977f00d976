"""Checks the table that a contender left, and counts the rows it touched."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from io import BytesIO

import polars as pl
import psycopg
from psycopg import sql

from benchmarks.made_bars import Stretch
from loader.bars import COLUMNS

_COLUMNS = sql.SQL(", ").join(map(sql.Identifier, COLUMNS))
# Sums of row hashes do not depend on order, and sums of disjoint parts add up.
_CHECKSUM = sql.SQL("SELECT count(*), coalesce(sum(hash_record_extended(ROW({}), 0)), 0) FROM {}")
# Written: row versions created since. Locked: old versions marked by a later transaction (the
# templates are frozen, so no row has an xmax before).
_TOUCHED = sql.SQL(
    "SELECT count(*) FILTER (WHERE age(xmin) <= age(%(since)s::xid)),"
    " count(*) FILTER (WHERE age(xmin) > age(%(since)s::xid) AND xmax <> 0) FROM {}"
)

_CHUNKS = (
    "SELECT nspname, relname FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid"
    " JOIN pg_namespace n ON n.oid = relnamespace WHERE inhparent = %s::regclass"
)


@dataclass(frozen=True)
class Checksum:
    rows: int
    hashes: int

    def __add__(self, other: Checksum) -> Checksum:
        return Checksum(self.rows + other.rows, self.hashes + other.hashes)


@dataclass(frozen=True)
class Mark:
    """A moment on the server: its next transaction id, and the end of the log."""

    xid: int
    lsn: int


def checksum(connection: psycopg.Connection, table: str) -> Checksum:
    """The sums of the bars in `table`, without created_at and updated_at."""
    row = connection.execute(_CHECKSUM.format(_COLUMNS, _name(table))).fetchone()
    assert row
    return Checksum(int(row[0]), int(row[1]))


def expected(connection: psycopg.Connection, stretches: Iterable[Stretch]) -> Checksum:
    """The sums of the generated bars. They are sent as text that the server parses, unlike in any
    contender."""
    total = Checksum(0, 0)
    connection.execute(
        "CREATE TEMPORARY TABLE IF NOT EXISTS made (LIKE bars_ohlcv INCLUDING DEFAULTS)"
    )
    for stretch in stretches:
        for frame in stretch.frames():
            connection.execute("TRUNCATE made")
            copy_text(connection, "made", frame)
            total += checksum(connection, "made")
    return total


def copy_text(connection: psycopg.Connection, table: str, frame: pl.DataFrame) -> None:
    """Appends bars as CSV text that the server parses."""
    text = BytesIO()
    frame.write_csv(text)
    copy = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT csv, HEADER match)")
    with connection.cursor().copy(copy.format(_name(table), _COLUMNS)) as stream:
        stream.write(text.getbuffer())


def mark(connection: psycopg.Connection) -> Mark:
    """The current moment, after a checkpoint."""
    connection.execute("CHECKPOINT")
    row = connection.execute(
        "SELECT pg_snapshot_xmax(pg_current_snapshot())::text,"
        " pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')"
    ).fetchone()
    assert row
    return Mark(int(row[0]), int(row[1]))


def touched(connection: psycopg.Connection, table: str, since: Mark) -> int:
    """Rows of `table` with an xmin or xmax after `since`: written, locked, or taken out of a
    compressed chunk."""
    since_xid = {"since": str(since.xid)}
    parts = [_name(table)]
    if chunks := connection.execute(_CHUNKS, [table]).fetchall():
        parts = [sql.SQL("ONLY {}").format(sql.Identifier(*chunk)) for chunk in chunks]
    rows = [connection.execute(_TOUCHED.format(part), since_xid).fetchone() for part in parts]
    return sum(row[0] + row[1] for row in rows if row)


def wal_bytes(connection: psycopg.Connection, since: Mark) -> int:
    """Bytes of log that the server wrote after `since`."""
    row = connection.execute(
        "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0') - %s", [since.lsn]
    ).fetchone()
    assert row
    return int(row[0])


def _name(table: str) -> sql.Composable:
    return sql.Identifier(*table.split("."))

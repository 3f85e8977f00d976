"""How often the server has gone to the stored bars, and which way, as it counted itself."""

from __future__ import annotations

import time
from typing import NamedTuple

import psycopg


class Accesses(NamedTuple):
    """Attributes:
    scans: sequential ones.
    scanned: rows that they read.
    entries: read from the index.
    fetched: rows found by the index.
    blocks: of the table, from memory or not.
    """

    scans: int
    scanned: int
    entries: int
    fetched: int
    blocks: int

    def __sub__(self, before: Accesses) -> Accesses:
        return Accesses(*(now - then for now, then in zip(self, before, strict=True)))


def accesses(url: str) -> Accesses:
    """So far; waits for the sessions that are ending, as each tells what it did when it ends."""
    others = (
        "SELECT 1 FROM pg_stat_activity WHERE datname = current_database()"
        " AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
    )
    until = time.monotonic() + 30
    with psycopg.connect(url, autocommit=True) as watcher:
        while watcher.execute(others).fetchall():
            assert time.monotonic() < until
            time.sleep(0.01)
        found = watcher.execute(
            "SELECT t.seq_scan, t.seq_tup_read, i.idx_tup_read, t.idx_tup_fetch,"
            "       b.heap_blks_read + b.heap_blks_hit"
            "  FROM pg_stat_user_tables t JOIN pg_stat_user_indexes i USING (relid)"
            "  JOIN pg_statio_user_tables b USING (relid) WHERE t.relname = 'bars_ohlcv'"
        ).fetchone()
    assert found
    return Accesses(*found)

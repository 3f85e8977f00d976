"""The server's own counts of accesses to the stored bars, by kind."""

from __future__ import annotations

from typing import NamedTuple

from tests.support.sql import fetch, wait_for_others


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
    """So far; waits for sessions that are still ending."""
    wait_for_others(url)
    ((*found,),) = fetch(
        url,
        "SELECT t.seq_scan, t.seq_tup_read, i.idx_tup_read, t.idx_tup_fetch,"
        "       b.heap_blks_read + b.heap_blks_hit"
        "  FROM pg_stat_user_tables t JOIN pg_stat_user_indexes i USING (relid)"
        "  JOIN pg_statio_user_tables b USING (relid) WHERE t.relname = 'bars_ohlcv'",
    )
    return Accesses(*found)

"""Rows that broke a rule: kept with their rules and their raw text, in the file's transaction."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from loader.db.arrow import Connection
from loader.db.executor import Executor

#: Rows per statement.
_ROWS_AT_ONCE = 10_000
BAD = {"row_number": pl.Int64(), "rules": pl.List(pl.String()), "raw": pl.String()}


def keep(writer: Connection, frames: Iterable[pl.DataFrame], run_id: int, file_id: int) -> int:
    """Moves rejected rows (schema `BAD`) into `bars_rejected`. Returns their number."""
    writer.run("rejected_create")
    writer.ingest("mdload_rejected", BAD, frames, temporary=True)
    (kept,) = writer.one("rejected_keep", run_id, file_id)
    return int(kept)


def add(writer: Executor, bad: pl.DataFrame, run_id: int | None) -> None:
    """Keeps a few rejected rows (schema `BAD`) that did not come from a file. A stage would cost
    more than the rows."""
    for rows in bad.iter_slices(_ROWS_AT_ONCE):
        writer.run("rejected_add", rows.write_json(), run_id)

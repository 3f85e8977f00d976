"""Rows that broke a rule, kept with their rules and raw text in the transaction of their batch."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from loader.db.arrow import Connection
from loader.db.executor import Executor

#: Rows per statement.
_ROWS_AT_ONCE = 10_000
BAD = {"row_number": pl.Int64(), "rules": pl.List(pl.String()), "raw": pl.String()}


def keep(
    session: Executor, frames: Iterable[pl.DataFrame], run_id: int | None, file_id: int | None
) -> int:
    """Moves rejected rows (schema `BAD`) into `bars_rejected` and returns their number.

    A session that can COPY sends them through a stage. Any other session belongs to a client and
    has small batches without a file, for which a stage would cost more than the rows.
    """
    if isinstance(session, Connection):
        session.run("rejected_create")
        session.ingest("mdload_rejected", BAD, frames, temporary=True)
        (kept,) = session.one("rejected_keep", run_id, file_id)
        return int(kept)
    assert file_id is None
    kept = 0
    for frame in frames:
        for rows in frame.iter_slices(_ROWS_AT_ONCE):
            (added,) = session.one("rejected_add", rows.write_json(), run_id)
            kept += int(added)
    return int(kept)

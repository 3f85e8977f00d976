"""Rows that broke a rule, kept with their rules and raw text in the transaction of their batch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import polars as pl
import pyarrow as pa

from loader.check.validate import BAD
from loader.db.arrow import Connection
from loader.db.executor import Executor
from loader.store.quarantine.waiting import SENT, Waiting, as_sent

__all__ = ["BAD", "Waiting", "keep"]

#: Rows per statement.
_ROWS_AT_ONCE = 10_000
_IDS: Final = ("run_id", "file_id")
#: What is copied into the table.
INGESTED: Final = {**dict.fromkeys(_IDS, pl.Int64()), **SENT}


def keep(
    session: Executor, frames: Iterable[pl.DataFrame], run_id: int | None, file_id: int | None
) -> int:
    """Puts rejected rows (schema `BAD`) into `bars_rejected` and returns how many there are.

    A session that can COPY sends them straight into the table. Any other session belongs to a
    client and has small batches without a file, which go as JSON.
    """
    if isinstance(session, Connection):
        before = session.one("rejected_held", run_id, file_id)[0]
        session.ingest("bars_rejected", INGESTED, _ingested(frames, run_id, file_id))
        return int(session.one("rejected_held", run_id, file_id)[0]) - int(before)
    assert file_id is None
    kept = 0
    for frame in frames:
        for rows in frame.iter_slices(_ROWS_AT_ONCE):
            (added,) = session.one("rejected_add", rows.write_json(), run_id)
            kept += int(added)
    return int(kept)


def _ingested(
    frames: Iterable[pl.DataFrame], run_id: int | None, file_id: int | None
) -> Iterator[pl.DataFrame | pa.RecordBatch]:
    if not isinstance(frames, Waiting):
        ids = [pl.lit(each, pl.Int64()) for each in (run_id, file_id)]
        for frame in frames:
            yield as_sent(frame).select(*map(pl.Expr.alias, ids, _IDS), *list(SENT))
        return
    for batch in frames.batches():
        # By Polars: the first value that pyarrow makes of Python's imports pandas.
        made = (
            pl.repeat(each, len(batch), dtype=pl.Int64, eager=True).to_arrow()
            for each in (run_id, file_id)
        )
        yield pa.RecordBatch.from_arrays([*made, *batch.columns], [*INGESTED])

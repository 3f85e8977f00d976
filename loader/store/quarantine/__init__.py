"""Rows that broke a rule, kept with their rules and raw text in the transaction of their batch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import polars as pl

from loader.check.validate import BAD
from loader.db.arrow import Connection
from loader.db.executor import Executor

__all__ = ["AT_ONCE", "BAD", "keep"]

#: Rows to read back at once from where rejects wait: more take new memory for each frame, which
#: costs as much as reading them.
AT_ONCE: Final = 10_000

#: Rows per statement.
_ROWS_AT_ONCE = 10_000
#: What COPY sends: jsonb in its binary form, which is a byte for the version before the text.
INGESTED: Final = {"run_id": pl.Int64(), "file_id": pl.Int64(), **BAD}
_VERSION: Final = "\x01"


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
) -> Iterator[pl.DataFrame]:
    ids = (pl.lit(run_id, pl.Int64()).alias("run_id"), pl.lit(file_id, pl.Int64()).alias("file_id"))
    for frame in frames:
        yield frame.select(*ids, *list(BAD)).with_columns(raw=pl.lit(_VERSION) + pl.col("raw"))

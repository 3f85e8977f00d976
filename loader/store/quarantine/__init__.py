"""Rows that broke a rule, kept with their rules and raw text in the transaction of their batch."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from loader.check.validate import BAD
from loader.db.arrow import Connection
from loader.db.executor import Executor
from loader.store.quarantine.waiting import Sender, Waiting

__all__ = ["BAD", "Sender", "Waiting", "keep"]

#: Rows per statement.
_ROWS_AT_ONCE = 10_000


def keep(
    session: Executor, frames: Iterable[pl.DataFrame], run_id: int | None, file_id: int | None
) -> int:
    """Puts rejected rows (schema `BAD`) into `bars_rejected` and returns how many there are, with
    those that their sender has sent before.

    A session that can COPY sends them straight into the table. Any other session belongs to a
    client and has small batches without a file, which go as JSON.
    """
    if isinstance(session, Connection):
        sender = frames.sender if isinstance(frames, Waiting) else None
        sender = sender or Sender(session, run_id, file_id)
        sender.send(frames)
        return sender.kept
    assert file_id is None
    kept = 0
    for frame in frames:
        for rows in frame.iter_slices(_ROWS_AT_ONCE):
            (added,) = session.one("rejected_add", rows.write_json(), run_id)
            kept += int(added)
    return int(kept)

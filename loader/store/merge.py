"""Writes bars: new ones straight into the table, others by a stage and the diff-aware upsert."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain

import polars as pl

from loader import bars
from loader.db.arrow import Connection
from loader.errors import Contended
from loader.store.timescale import chunks

#: Rows per COPY, about. The driver does not listen to the server during a COPY, so a conflict is
#: noticed at its end; between two of them encoder and server wait for each other.
_COPY_ROWS = 1_000_000
_ALWAYS = (datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC))


@dataclass(frozen=True, slots=True)
class Upserted:
    inserted: int
    updated: int


def copy_new(writer: Connection, frames: Iterable[pl.DataFrame]) -> int:
    """Copies bars straight into the table. Returns their number.

    Raises:
        Contended: another writer has stored one of the keys; the transaction is lost.
    """
    rows = 0
    pending = iter(frames)
    for first in pending:
        # A COPY opens only once there is something to copy: a replay opens none.
        rows += writer.ingest("bars_ohlcv", bars.SCHEMA, _one_copy(first, pending))
    return rows


def _one_copy(first: pl.DataFrame, pending: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    yield first
    rows = first.height
    while rows < _COPY_ROWS and (frame := next(pending, None)) is not None:
        yield frame
        rows += frame.height


def upsert(
    writer: Connection,
    frames: Iterable[pl.DataFrame],
    run_id: int | None,
    file_id: int | None,
) -> Upserted:
    """Merges bars that may be stored already, and keeps old and new values of those that change.

    Raises:
        Contended: another writer changed these bars in between; run the transaction again.
    """
    pending: Iterator[pl.DataFrame] = iter(frames)
    first = next(pending, None)
    if first is None:
        return Upserted(0, 0)
    writer.run("stage_create")
    hours = chunks.HourCounts()
    staged = hours.counting(chain([first], pending))
    writer.ingest("mdload_stage", bars.SCHEMA, staged, temporary=True)
    added, spans = 0, [_ALWAYS]
    if chunks.chunked(writer):
        added, spans = _met(writer, hours)
    elif returns_old(writer):
        return Upserted(*writer.one("bars_revise", run_id, file_id))
    revised = sum(writer.one("revisions_keep", run_id, file_id, *span)[0] for span in spans)
    inserted, updated = writer.one("bars_upsert")
    if updated != revised:
        raise Contended(
            f"another writer changed {abs(updated - revised)} of the bars during the merge",
            hint="run the same command again",
        )
    return Upserted(added + inserted, updated)


def returns_old(writer: Connection) -> bool:
    """Whether one statement can update bars and return their old values: no second search."""
    return bool(writer.one("returns_old")[0])


def _met(
    writer: Connection, hours: chunks.HourCounts
) -> tuple[int, list[tuple[datetime, datetime]]]:
    """Prepares compressed chunks for the merge. Returns the number of bars inserted and the time
    spans to merge: one per chunk, because to find a row the server looks at every chunk that the
    statement does not exclude."""
    met = chunks.touched(chunks.chunks(writer), hours)
    added = 0
    if compressed := [chunk.hi for chunk in met if chunk.compressed]:
        writer.run("decompression_unlimited")
        (added,) = writer.one("bars_meet", max(compressed))
    if len(met) > 1:
        writer.run("stage_by_time")
    return added, [(chunk.lo, chunk.hi) for chunk in met]

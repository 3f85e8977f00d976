"""Writes bars into the table: new ones by COPY, others through a stage and the diff-aware upsert,
small batches by one statement."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import chain
from typing import Any, Self

import polars as pl

from loader import bars
from loader.bars.columns import TYPES
from loader.db.arrow import Connection
from loader.db.prepared import Prepared
from loader.db.prepared.arrays import Array, array
from loader.errors import Contended
from loader.lazy import dataclass
from loader.store import shape
from loader.store.timescale import chunks

#: Approximate rows per COPY. The driver learns of a conflict only at the end of a COPY; between two
#: of them the encoder and the server wait for each other.
_COPY_ROWS = 1_000_000
#: After this many batches of new bars alone, a batch is first only inserted, which takes a tenth
#: less time than the whole merge. If some of its bars are stored, it takes one more round trip.
LIKELY_NEW = 3
_ALWAYS = (datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC))


@dataclass(frozen=True, slots=True)
class Merged:
    """What became of the bars of one transaction. Each bar is in exactly one of the three."""

    inserted: int = 0
    updated: int = 0
    unchanged: int = 0

    def __add__(self, other: Self) -> Self:
        """The sum of both."""
        return type(self)(
            self.inserted + other.inserted,
            self.updated + other.updated,
            self.unchanged + other.unchanged,
        )


@dataclass(frozen=True, slots=True)
class Statement:
    """A small batch, encoded for `merge_statement`.

    Attributes:
        columns: the values of its bars in the order of `bars.COLUMNS`, one bar per key, sorted by
            key.
        arrays: the same as parameters.
        lo, hi: their first and last ts.
    """

    columns: Sequence[Sequence[Any]]
    arrays: Sequence[Array]
    lo: datetime
    hi: datetime

    @classmethod
    def of(cls, frame: pl.DataFrame) -> Self:
        """The statement for the bars of `frame`, which has some, one per key and sorted by key."""
        columns = [frame[name].to_list() for name in bars.COLUMNS]
        arrays = [array(kind, each) for kind, each in zip(TYPES.values(), columns, strict=True)]
        ts = columns[bars.COLUMNS.index("ts")]
        return cls(columns, arrays, min(ts), max(ts))

    @property
    def rows(self) -> int:
        """Number of bars."""
        return len(self.columns[0])


def copy_new(writer: Connection, frames: Iterable[pl.DataFrame]) -> int:
    """Copies bars straight into the table and returns their number.

    Raises:
        Contended: another writer has already inserted one of the keys; the transaction is lost.
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
    *,
    again: bool = False,
) -> Merged:
    """Merges bars that may be stored already. Changed bars leave their old and new values in the
    revisions. `again` says that the transaction has done so before.

    Raises:
        Contended: another writer added or changed one of these keys in between; run the transaction
            again.
    """
    pending: Iterator[pl.DataFrame] = iter(frames)
    first = next(pending, None)
    if first is None:
        return Merged()
    writer.run("stage_clear" if again else "stage_create")
    hours = chunks.HourCounts()
    staged = hours.counting(chain([first], pending))
    rows = writer.ingest("mdload_stage", bars.SCHEMA, staged, temporary=True)
    added, spans = 0, [_ALWAYS]
    if chunks.chunked(writer):
        added, spans = _met(writer, hours)
    elif returns_old(writer):
        inserted, updated, kept = writer.one("bars_revise", run_id, file_id)
        shape.insist_kept(writer, updated, kept)
        return Merged(inserted, updated, rows - inserted - updated)
    revised = sum(writer.one("revisions_keep", run_id, file_id, *span)[0] for span in spans)
    inserted, updated = upsert_stage(writer)
    if updated != revised:
        if triggers := shape.check(writer).triggers:
            raise shape.kept_out(triggers, abs(updated - revised))
        shape.insist_kept(writer, updated, revised)
    inserted += added
    return Merged(inserted, updated, rows - inserted - updated)


def upsert_stage(writer: Connection) -> tuple[int, int]:
    """Writes the stage into its dataset's table, once `revisions_keep` has kept what differs.
    Returns rows inserted and rows updated."""
    parts = writer.one("bars_partitioned")[0]
    inserted, updated = writer.one("bars_upsert_parts" if parts else "bars_upsert")
    return inserted, updated


def merge_statement(
    session: Prepared, statement: Statement, run_id: int | None
) -> tuple[Merged, str | None]:
    """Merges a small batch in one statement, or two. Returns the transaction's number too, which is
    None if nothing was written.

    Raises:
        Contended: another writer inserted or changed one of these keys in between; run the
            transaction again.
    """
    if session.is_spread:
        return _merged_rows(session, statement, run_id), None
    added, ends = 0, (statement.lo, statement.hi)
    lately, session.new_in_a_row = session.new_in_a_row, 0
    if lately >= LIKELY_NEW and not session.has_triggers:
        added, number = session.one("bars_add", *ends, *statement.arrays)
        if added == statement.rows:
            session.new_in_a_row = lately
            return Merged(added), number
    # Those that were added just now are unchanged to it, unless a trigger has changed them.
    inserted, updated, revised, unchanged, number = session.one(
        "bars_merge", run_id, *ends, *statement.arrays
    )
    missing = statement.rows - inserted - updated - unchanged
    if missing or updated != revised:
        if triggers := shape.check(session).triggers:
            raise shape.kept_out(triggers, missing)
        shape.insist_kept(session, updated, revised)
        raise Contended("another writer changed some of the batch's bars during the merge")
    session.new_in_a_row = lately + 1 if inserted == statement.rows else 0
    return Merged(added + inserted, updated, unchanged - added), number


def _merged_rows(session: Prepared, statement: Statement, run_id: int | None) -> Merged:
    """`merge_statement` where Citus has distributed the bars. The transaction's number is the one
    of its load, which is on the coordinator."""
    session.run("two_phases")
    rows = list(zip(*statement.columns, strict=True))
    inserted, updated, revised = session.of_rows("bars_merge_rows", rows, run_id)
    shape.insist_kept(session, updated, revised)
    return Merged(inserted, updated, statement.rows - inserted - updated)


def returns_old(writer: Connection) -> bool:
    """Whether one statement can update bars and return their old values."""
    return bool(writer.one("returns_old")[0])


def _met(
    writer: Connection, hours: chunks.HourCounts
) -> tuple[int, list[tuple[datetime, datetime]]]:
    """Prepares compressed chunks for the merge. Returns the number of bars that this inserted, and
    the time spans to merge: one per chunk, because to find a row the server searches every chunk
    that the query does not exclude."""
    met = chunks.touched(chunks.chunks(writer), hours)
    added = 0
    if compressed := [chunk.hi for chunk in met if chunk.compressed]:
        writer.run("decompression_unlimited")
        (added,) = writer.one("bars_meet", max(compressed))
    if len(met) > 1:
        writer.run("stage_by_time")
    return added, [(chunk.lo, chunk.hi) for chunk in met]

"""How the bars of a part are merged: by COPY and a stage, by one statement, or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

import polars as pl

from loader.db.arrow import Connection
from loader.db.executor import Executor
from loader.db.prepared import Prepared
from loader.ingest.writes import Write
from loader.store import merge, shape
from loader.store.compare import Diff, PendingDiff, compare
from loader.store.merge import Merged, Statement, first_load
from loader.store.merge.early import Early
from loader.store.timescale.chunks import HourCounts


class Frames(Protocol):
    """Frames in the order in which they were appended: a list, or a `Spool` for many rows."""

    def append(self, frame: pl.DataFrame, /) -> None: ...

    def __iter__(self) -> Iterator[pl.DataFrame]: ...


class Keeper(Protocol):
    """Keeps the rejects of a part in its transaction; returns how many they are."""

    def __call__(
        self, session: Executor, frames: Frames, run_id: int | None, file_id: int | None, /
    ) -> int: ...


class Merger(Protocol):
    """Merges the bars of one part, in two steps within one transaction."""

    def send(self, pieces: Iterable[PendingDiff]) -> None:
        """Goes through all pieces, and may write bars that are certain to be new."""

    def merge(self, run_id: int | None, file_id: int | None) -> Merged:
        """Writes the other bars and all revisions. Returns what became of every bar."""


class CopyMerger:
    """New bars go into the table by COPY while pieces are read; changed ones wait in `staged`, are
    copied into a stage and merged from there.

    Attributes:
        early: merges changed bars before all pieces are read; None if all of them wait.

    Args:
        direct: whether new bars may skip the stage. If another writer inserts one of them
            meanwhile, the transaction is lost.
        hours: counts the bars that are sent, for the upkeep of chunks.
        see: is shown each piece once it is compared.
        first: whether the session has the empty table for itself, by `first_load.hold`.
    """

    def __init__(
        self,
        session: Connection,
        staged: Frames,
        *,
        direct: bool,
        first: bool = False,
        hours: HourCounts | None = None,
        see: Callable[[Diff], None] | None = None,
    ) -> None:
        self.writes = self._copy, self._upsert = Write("COPY"), Write("UPSERT")
        self._session = session
        self._staged = staged
        self._direct = direct
        self._first = first
        self._hours = hours
        self._see = see
        self._copied = self._unchanged = 0
        self.early: Early | None = None

    def send(self, pieces: Iterable[PendingDiff]) -> None:
        self._before = shape.held(self._session)
        if self._before.triggers:  # they are asked about all bars of the stage at once
            self.early = None
        with self._copy:
            if self._first:
                first_load.drop_key(self._session)
            new = self._counted(self._copy.sending(self._new_bars(pieces)))
            self._copied = merge.copy_new(self._session, new)
            if self._first:
                first_load.make_key(self._session)
        for frame in self.early.waiting if self.early is not None else ():
            self._stage(frame)

    def merge(self, run_id: int | None, file_id: int | None) -> Merged:
        early = self.early.merged if self.early is not None else Merged()
        with self._upsert:
            staged = self._sent(self._staged)
            again = early != Merged()
            late = merge.upsert(self._session, staged, run_id, file_id, again=again)
        upserted = early + late
        self._upsert.bars = upserted.inserted + upserted.updated
        inserted = self._copied + upserted.inserted
        shape.insist_stored(self._session, self._before, inserted, staged=upserted != Merged())
        return Merged(
            inserted,
            upserted.updated,
            self._unchanged + upserted.unchanged,
        )

    def _new_bars(self, pieces: Iterable[PendingDiff]) -> Iterator[pl.DataFrame]:
        for diff in map(compare, pieces):
            if self._see is not None:
                self._see(diff)
            self._unchanged += diff.unchanged
            if self.early is None or not self.early.takes(diff):
                self._stage(diff.changed)
            elif self.early.is_ready:
                with self._upsert:
                    self.early.merge(self._sent)
            if not self._direct:
                self._stage(diff.new)
            elif diff.new.height:
                yield diff.new
            del diff

    def _stage(self, frame: pl.DataFrame) -> None:
        if frame.height:
            self._staged.append(frame)

    def _sent(self, frames: Iterable[pl.DataFrame]) -> Iterable[pl.DataFrame]:
        return self._counted(self._upsert.sending(frames))

    def _counted(self, frames: Iterable[pl.DataFrame]) -> Iterable[pl.DataFrame]:
        return frames if self._hours is None else self._hours.counting(frames)


class StatementMerger:
    """A small batch of a client is merged by one prepared statement, which compares the bars with
    the stored ones itself.

    Args:
        statement: the batch's bars; None if it has none.

    Attributes:
        transaction_id: the number of the transaction, if the statement has written anything.
    """

    def __init__(self, session: Prepared, statement: Statement | None) -> None:
        self._session = session
        self._statement = statement
        self.transaction_id: str | None = None

    def send(self, pieces: Iterable[PendingDiff]) -> None:
        for _ in pieces:
            pass

    def merge(self, run_id: int | None, file_id: int | None) -> Merged:
        assert file_id is None  # the statement's revisions belong to no file
        if self._statement is None:
            return Merged()
        merged, self.transaction_id = merge.merge_statement(self._session, self._statement, run_id)
        return merged


class DryMerger:
    """Counts what a merge would do. `see` is shown each piece once it is compared."""

    def __init__(self, see: Callable[[Diff], None]) -> None:
        self.see = see
        self._merged = Merged()

    def send(self, pieces: Iterable[PendingDiff]) -> None:
        inserted = updated = unchanged = 0
        for diff in map(compare, pieces):
            self.see(diff)
            inserted += diff.new.height
            updated += diff.changed.height
            unchanged += diff.unchanged
        self._merged = Merged(inserted, updated, unchanged)

    def merge(self, run_id: int | None, file_id: int | None) -> Merged:
        return self._merged

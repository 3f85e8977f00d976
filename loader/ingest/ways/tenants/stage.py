"""Merges rows of a tenant through the stage, in the transaction of their file or batch.

COPY into a table with forced row-level security is refused by the server, so new rows take this
way too.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, datetime
from itertools import chain

import polars as pl

from loader.db.arrow import Connection
from loader.db.executor import Executor
from loader.errors import Contended, DatabaseError, MergeFailed
from loader.ingest.tally import Tally
from loader.ingest.ways.tenants.periods import refuse_other_periods
from loader.ingest.ways.tenants.rows import BAD, schema
from loader.ingest.writes import Write
from loader.settings.datasets import Dataset
from loader.store import shape
from loader.store.compare import PendingDiff
from loader.store.merge import Merged, returns_old, upsert_stage

_ALWAYS = (datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC))


class StageMerger:
    """Rows go into the stage as they come; the rest is done by the server.

    Args:
        session: in a transaction in which `app.tenant_id` is set.
        tally: gets the duplicates, which only the whole stage shows.
        where: names the rows in errors.
        accept: findings that refuse nothing.
        dry: whether to count what a merge would do, and write nothing.
    """

    def __init__(
        self, session: Connection, of: Dataset, tally: Tally, where: str,
        accept: Collection[str] = (), *, dry: bool,
    ) -> None:  # fmt: skip
        self.writes = self._copy, self._upsert = Write("COPY"), Write("UPSERT")
        self._session = session
        self._of = of
        self._tally = tally
        self._where = where
        self._accept = accept
        self._dry = dry
        self._rows = 0

    def send(self, pieces: Iterable[PendingDiff]) -> None:
        """Raises:
        DatabaseError: the tables are not as they were made, or the server refused.
        """
        self._before = shape.held(self._session, self._of)
        guarded, self._chunked = self._session.one("dataset_guarded")
        if not guarded:
            raise DatabaseError(
                f"row-level security is not forced on {self._of.table} and its revisions",
                hint=f"ALTER TABLE {self._of.table} ENABLE ROW LEVEL SECURITY, "
                "FORCE ROW LEVEL SECURITY; and the same for its revisions",
            )
        self._session.run("stage_create")
        frames = (piece.unique.bars for piece in pieces if piece.unique.bars.height)
        first = next(frames, None)
        if first is None:
            return
        with self._copy:
            self._rows = self._session.ingest(
                "mdload_stage", schema(self._of), self._copy.sending(chain([first], frames)),
                temporary=True,
            )  # fmt: skip

    def merge(self, run_id: int | None, file_id: int | None) -> Merged:
        """Raises:
        Contended: another writer was in the way; run the transaction again.
        HistoryRefused: they are figures of periods of another length.
        MergeFailed: a trigger keeps rows out.
        """
        if not self._rows:
            return Merged()
        session, tally = self._session, self._tally
        if self._of.flows and "period" not in self._accept:
            refuse_other_periods(session.frame("stage_growth"), self._where)
        with self._upsert:
            duplicate, conflicting = session.one("stage_single")
            tally.duplicate += duplicate
            tally.conflicting += conflicting
            late = unchanged = 0
            if self._of.known is not None:
                late, unchanged = self._late()
            unchanged += session.one("stage_unchanged")[0]
            left = self._rows - duplicate - late - unchanged
            inserted, updated = self._merged(run_id, file_id) if left else (0, 0)
            if late and not self._dry:  # behind what the merge replaced, which they may correct
                session.one("late_keep", run_id, file_id)
        self._upsert.bars = inserted + updated + late
        # What another writer has made equal meanwhile is unchanged.
        unchanged += left - inserted - updated
        return Merged(inserted + late, updated, unchanged)

    def _late(self) -> tuple[int, int]:
        """Sets versions aside that were known before the newest one: they go into the history.
        Returns how many, and how many are there already."""
        session = self._session
        session.run("versions_hold")
        session.run("stage_same_facts")
        session.run("late_create")
        session.run("late_taken")
        known = session.one("late_known")[0]
        return int(session.one("late_count")[0]), int(known)

    def _merged(self, run_id: int | None, file_id: int | None) -> tuple[int, int]:
        session = self._session
        if self._dry:
            inserted, updated = session.one("stage_would")
            return int(inserted), int(updated)
        if returns_old(session) and not self._chunked:
            inserted, updated, kept = session.one("bars_revise", run_id, file_id)
        else:
            (kept,) = session.one("revisions_keep", run_id, file_id, *_ALWAYS)
            inserted, updated = upsert_stage(session)
        if updated != kept:
            raise Contended(f"another writer changed rows of {self._of.table} meanwhile")
        if self._before.triggers and (missing := session.one("stage_unmet")[0]):
            names = ", ".join(map(repr, self._before.triggers))
            raise MergeFailed(
                f"{missing:,} rows did not reach {self._of.table} as they were sent: a trigger "
                f"there keeps rows out or changes them ({names}); nothing was kept",
                hint="drop the trigger, or disable it",
            )
        return int(inserted), int(updated)


def keep_rejects(
    session: Executor, of: Dataset, frames: Iterable[pl.DataFrame], run_id: int | None,
    file_id: int | None,
) -> int:  # fmt: skip
    """Keeps rejected rows (schema `BAD`) where only their tenant sees them; returns how many."""
    assert isinstance(session, Connection)
    pending: Iterator[pl.DataFrame] = iter(frames)
    first = next(pending, None)
    if first is None:
        return 0
    session.run("rejects_create")
    session.ingest("mdload_rejects", BAD, chain([first], pending), temporary=True)
    return int(session.one("rejects_keep", of.name, run_id, file_id)[0])

"""Changed bars that are merged before all pieces of a file are read: the server works on them
while the next pieces are read and compared."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import polars as pl

from loader import bars
from loader.db.arrow import Connection
from loader.store import merge
from loader.store.compare import Diff
from loader.store.merge import Merged
from loader.store.timescale.chunks import chunked

#: Bars that are merged at a time: for fewer, the statements cost more than the bars.
AT_ONCE = 1_000
#: The largest share of a piece's rows. A file that changes more of them may yet be refused, and
#: what it wrote until then would stay in the table as dead rows.
FEW = 1 / 20


class Early:
    """Takes the changed bars of a part as long as few change, and they come in the order of their
    keys: then two loaders lock them in one order. Not for chunks nor a cluster, nor before
    PostgreSQL 18, where it takes more statements.

    Attributes:
        waiting: frames that were taken and are not merged.
        merged: what became of those that are.
    """

    def __init__(self, session: Connection, run_id: int | None, file_id: int | None) -> None:
        self._session = session
        self._of = run_id, file_id
        self._last: tuple[Any, ...] | None = None
        self._may: bool | None = None
        self._goes_on = True
        self.waiting: list[pl.DataFrame] = []
        self.merged = Merged()

    def takes(self, diff: Diff) -> bool:
        """Takes the changed bars of a piece, or says that from now on it takes none."""
        changed = diff.changed
        if changed.is_empty():
            return True
        first, last = (changed.select(bars.KEY).row(at) for at in (0, -1))
        few = changed.height <= FEW * diff.unique.bars.height
        in_order = self._last is None or first > self._last
        # They would fill the memory while a COPY of new bars lasts: a million rows, or the file.
        has_room = not (self._are_enough and self._session.is_copying)
        self._goes_on &= few and in_order and has_room
        if self._goes_on:
            self._last = last
            self.waiting.append(changed)
        return self._goes_on

    @property
    def is_ready(self) -> bool:
        """Whether enough wait, and the session can take them."""
        return self._are_enough and not self._session.is_copying and self._may_merge()

    def merge(self, sent: Callable[[Iterable[pl.DataFrame]], Iterable[pl.DataFrame]]) -> None:
        """Merges those that wait, `sent` through that function.

        Raises:
            Contended: as `upsert`.
        """
        frames, self.waiting = self.waiting, []
        again = self.merged != Merged()
        self.merged += merge.upsert(self._session, sent(frames), *self._of, again=again)

    @property
    def _are_enough(self) -> bool:
        return sum(frame.height for frame in self.waiting) >= AT_ONCE

    def _may_merge(self) -> bool:
        if self._may is None:
            session = self._session
            self._may = (
                session.shards is None and merge.returns_old(session) and not chunked(session)
            )
            self._goes_on = self._may
        return self._may

"""The guard of one file: what it does to stored bars, and whether it may."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import TracebackType
from typing import Final

import polars as pl

from loader.bars import SERIES
from loader.check.unique import UniqueBatch
from loader.db.arrow import Connection
from loader.results.history import History, SeriesHistory
from loader.settings import Settings
from loader.store.compare import Diff
from loader.store.guard.watch import Watch

#: Series that a result lists, those with most changes first.
LISTED: Final = 1_000


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a file does to stored bars, up to the part in hand."""

    history: History
    series: tuple[SeriesHistory, ...]


class Guard:
    """Watches one attempt at a file.

    Args:
        session: opens a session that sees what is committed.
        scattered: whether a series comes in pieces that do not follow each other in time.
        before: what parts of the file did that were committed before.
    """

    def __init__(
        self,
        settings: Settings,
        session: Callable[[], AbstractContextManager[Connection]],
        *,
        scattered: bool,
        before: History,
    ) -> None:
        self._before = before
        self._watch = Watch(session, scattered=scattered)
        self.see: Callable[[Diff], None] = self._watch.see
        self.passed: Callable[[UniqueBatch], None] = self._watch.passed
        self.next_part: Callable[[], None] = self._watch.next_part

    def __enter__(self) -> Guard:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._watch.close()

    def judge(self, *, is_last: bool) -> Judgement:
        """What all pieces so far do to stored bars. Call it before any of the part's bars is
        committed; `is_last` says that the file ends with the part.

        Raises:
            DatabaseError: the server refused, or went away.
        """
        if is_last:
            self._watch.count_gone()
        return _counted(self._watch.series(), self._before)


def _counted(series: pl.DataFrame, before: History) -> Judgement:
    touched = pl.col("changed") + pl.col("between") + pl.col("gone")
    some = series.filter(touched > 0)
    totals = some.select(pl.col("changed", "between", "gone").sum()).row(0)
    most = some.with_columns(touched=touched).sort(
        ["touched", *SERIES], descending=[True, False, False, False]
    )
    listed = most.head(LISTED).select(*SERIES, "changed", "between", "gone")
    histories = tuple(SeriesHistory(*row) for row in listed.iter_rows())
    return Judgement(before + History(*totals), histories)

"""The guard of one file: what it does to stored bars, and whether it may."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from itertools import chain
from types import TracebackType
from typing import TYPE_CHECKING

import polars as pl

from loader.check.unique import UniqueBatch
from loader.db.arrow import Connection
from loader.errors import HistoryRefused
from loader.ingest.guard.findings import HINTS, findings, gone, notes, restated
from loader.ingest.run.shorter import Extent, shorter
from loader.lazy import dataclass
from loader.results import Note
from loader.results.history import Finding, History, SeriesHistory
from loader.store.compare import Diff
from loader.store.guard.counts import LISTED, counts
from loader.store.guard.delete import delete_gone
from loader.store.guard.signs import signs
from loader.store.guard.watch import EVIDENCE, Watch
from loader.text import counted

if TYPE_CHECKING:
    from loader.ingest.run import LoadMode, LoadRun
    from loader.read.sources import Source


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a file does to stored bars, up to the part in hand, and what it looks like."""

    history: History = History()
    series: tuple[SeriesHistory, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def notes(self) -> tuple[Note, ...]:
        """What people should know of a file that is not refused."""
        return tuple(Note("history", text) for text in notes(self.findings))

    def refusal(self, path: str, *, is_whole: bool) -> HistoryRefused | None:
        """The error of the file at `path`, if a finding refuses it; `is_whole` says that no part
        of it was committed before."""
        refused = [each for each in self.findings if each.action == "refused"]
        if not refused:
            return None
        kinds = list(dict.fromkeys(each.kind for each in refused))
        more = f" (and {counted(len(refused) - 1, 'more finding')})" if refused[1:] else ""
        kept = (
            "nothing of the file was merged"
            if is_whole
            else "its parts that were committed before stay"
        )
        hint = f"{HINTS[kinds[0]]}; or, if it is right: --accept {','.join(kinds)} (docs/guard.md)"
        return HistoryRefused.at(path, f"{refused[0].text}{more}; {kept}", hint=hint)


class Guard:
    """Watches one attempt at a file.

    Args:
        before: what parts of the file did that were committed before.

    Attributes:
        judgement: the last one.
        writer: the session of the part's transaction, for `delete_gone`.
    """

    def __init__(
        self,
        run: LoadRun,
        source: Source,
        mode: LoadMode,
        *,
        before: History,
    ) -> None:
        self.judgement = Judgement()
        self.writer: Connection | None = None
        settings = self._settings = run.settings
        self._session: Callable[[], AbstractContextManager[Connection]]
        self._session = session = partial(run.connection, autocommit=True)
        self._shorter = partial(shorter, run, source)
        self._is_resumed = mode.resume_at > 0
        # Rejected rows are some of their file: that others are absent from them says nothing.
        self._is_whole = run.replay is None
        self._before = before
        self._earlier = pl.DataFrame(schema=EVIDENCE)
        self._sampled = self._earlier
        self._watch = Watch(session, scattered=mode.partition, keeps_keys=settings.delete_gone)
        self.see: Callable[[Diff], None] = self._watch.see
        self.passed: Callable[[UniqueBatch], None] = self._watch.passed

    def __enter__(self) -> Guard:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._watch.close()

    def next_part(self) -> None:
        """A part was committed. Its evidence counts in the next ones too."""
        self._earlier = self._sampled
        self._watch.next_part()

    def judge(self, extent: Extent, *, is_last: bool) -> Judgement:
        """What all pieces so far, of this `extent`, do to stored bars. Call it before any of the
        part's bars is committed; `is_last` says that the file ends with the part.

        Raises:
            DatabaseError: the server refused, or went away.
        """
        if not self._watch.has_seen:
            lacking = self._lacking(extent, History()) if is_last else ()
            self.judgement = Judgement(self._before, findings=tuple(lacking))
            return self.judgement
        if is_last and self._is_whole:
            settings = self._settings
            exact = settings.delete_gone or settings.max_gone is not None
            self._watch.count_gone(all_of_them=exact)
        series = self._watch.series()
        if not self._is_whole:
            series = series.with_columns(gone=pl.lit(0, series.schema["gone"]))
        history, listed = counts(series)
        found = tuple(chain(self._seen(series), self._limits(series, history, is_last=is_last)))
        if is_last:
            found = (*found[: LISTED - 1], *self._lacking(extent, history))
        self.judgement = Judgement(self._before + history, listed, found[:LISTED])
        return self.judgement

    def delete_gone(self, run_id: int | None, file_id: int | None) -> int:
        """Deletes the bars that are gone, if asked to, once the file has been seen to its end.
        Returns how many.

        Raises:
            DatabaseError: the server refused, or went away.
        """
        if not self._settings.delete_gone or not self.judgement.history.gone:
            return 0
        assert self.writer is not None
        series = self._watch.series().filter(pl.col("gone") > 0)
        return delete_gone(self.writer, series, self._watch.keys, run_id, file_id)

    def _seen(self, series: pl.DataFrame) -> Iterator[Finding]:
        rows = self._watch.evidence.rows + self._earlier.height
        if not rows:
            return
        evidence: Iterable[pl.DataFrame] = chain([self._earlier], self._watch.evidence)
        found = signs(series, evidence, rows, self._session)
        self._sampled = found.sample.rows.select(list(EVIDENCE))
        for group, sign in found.seen:
            yield from findings(group, sign, self._settings.accept)

    def _lacking(self, extent: Extent, history: History) -> Iterator[Finding]:
        found = None if self._is_resumed else self._shorter(extent, history.gone)
        if found is not None:
            yield found

    def _limits(
        self, series: pl.DataFrame, history: History, *, is_last: bool
    ) -> Iterator[Finding]:
        settings = self._settings
        met = int(series["found"].sum())
        limit = settings.max_restated
        if limit is not None and limit.exceeded(history.changed, met):
            yield restated(history.changed, met, limit, settings.accept)
        if is_last and history.gone:
            yield gone(series, settings)

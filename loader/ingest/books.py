"""The books of a file: its result and its row in the ledger, as parts are added."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import replace
from shlex import quote
from typing import Final, Literal

from loader.check.reasons import FILE_REFUSED
from loader.db.executor import Executor
from loader.errors import HistoryRefused, TooManyRejects
from loader.ingest.guard import Guard, Judgement
from loader.ingest.notes import FileNotes
from loader.ingest.run.shorter import Extent
from loader.ingest.tally import Tally, only
from loader.results import Counts, FileResult, Note
from loader.results.history import History
from loader.settings import RejectLimit
from loader.store.runs import ledger
from loader.text import redact

Ending = Literal["loaded", "partial"]
#: The rule about prices that spreads and some futures break rightly.
_SIGN: Final = "price_not_positive"


class FileEntry:
    """One file in the books while a part of it is written.

    Attributes:
        result: the file with the part, once it was added or refused.
        covered: how far the file is read then, as `LoadMode.resume_at`.
    """

    def __init__(
        self,
        before: FileResult,
        state: Ending,
        *,
        limit: RejectLimit,
        notes: FileNotes,
        covered: int,
        partitioned: bool,
        run_id: int | None = None,
    ) -> None:
        """`before` is the file without the part, and `state` what it is with the part."""
        self.result = before
        self.covered = covered
        self._before = before
        self._state: Ending = state
        self._limit = limit
        self._notes = notes
        self._partitioned = partitioned
        self._run_id = run_id
        self._about_history: tuple[Note, ...] = ()

    @property
    def file_id(self) -> int | None:
        """The row's id; None in a dry run."""
        return self._before.file_id

    @property
    def is_last(self) -> bool:
        """Whether the file ends with the part."""
        return self._state == "loaded"

    def judge(self, guard: Guard, tally: Tally) -> None:
        """Takes over what the file does to stored bars, up to the end of the part that `tally` saw.

        Raises:
            HistoryRefused: it may not.
            DatabaseError: the server refused, or went away.
        """
        before = self._before
        min_ts = min((t for t in (before.min_ts, tally.min_ts) if t), default=None)
        extent = Extent(before.counts.read + tally.read, min_ts)
        judgement = guard.judge(extent, is_last=self.is_last)
        self.judged(judgement)
        is_whole = not self._before.counts.read
        if (refusal := judgement.refusal(self._before.path, is_whole=is_whole)) is not None:
            raise refusal

    def judged(self, judgement: Judgement) -> None:
        """Takes over a judgement."""
        self._about_history = judgement.notes
        self._before = replace(
            self._before,
            history=judgement.history,
            series=judgement.series,
            findings=judgement.findings,
        )

    def delete_gone(self, guard: Guard, run_id: int | None) -> int:
        """Deletes what is gone, once the file ends. Returns how many bars.

        Raises:
            DatabaseError: the server refused, or went away.
        """
        if not self.is_last:
            return 0
        deleted = guard.delete_gone(run_id, self.file_id)
        history = self._before.history
        self._before = replace(self._before, history=history + History(deleted=deleted))
        return deleted

    def check_limit(self, tally: Tally) -> None:
        """Earlier parts count as well, and so do good rows that are set aside. Skipped rows do
        not: those of other instruments, or fillers, must not hide the rejects among the rest.

        Raises:
            TooManyRejects: more rows broke a rule than the limit allows.
        """
        before, limit = self._before, self._limit
        rejected = before.counts.rejected + tally.rejected
        read = max(before.counts.read + tally.read, tally.seen)
        read -= before.counts.skipped + tally.skipped
        if limit.exceeded(rejected, read):
            most = (Counter(before.rejected) + tally.rules).most_common(3)
            rules = ", ".join(f"{rule} {n:,}" for rule, n in most)
            kept = (
                "its parts that were committed before stay"
                if before.counts.read
                else "nothing of the file was merged"
            )
            raise TooManyRejects.at(
                before.path,
                f"{rejected:,} of {read:,} rows were rejected ({rules}), "
                f"more than --max-rejects {limit} allows; {kept}",
                hint=refused_hint(before.path, self._run_id, [rule for rule, _ in most]),
            )

    def add(self, tally: Tally, counts: Counts) -> None:
        """Adds a part that was merged."""
        notes = (*self._notes.with_part(tally), *self._about_history)
        before = replace(self._before, state=self._state, notes=notes)
        self.covered = max(self.covered, tally.covered)
        self.result = joined(before, tally, counts)

    def refuse(self, tally: Tally, counts: Counts, error: TooManyRejects | HistoryRefused) -> None:
        """Adds a part that was not merged. The file ends here: `refused`, or `partial` if earlier
        parts were committed, which stay."""
        tally.rules[FILE_REFUSED] = counts.rejected - tally.rejected
        self.result = replace(
            joined(self._before, tally, counts),
            state="partial" if self._before.counts.read else "refused",
            error=redact(str(error)),
            fault=redact(error.fault),
            hint=error.hint,
            exit_code=error.exit_code,
        )

    def record(self, session: Executor, counts: Counts) -> None:
        """Writes the result into the ledger. A later run can skip the rows that were covered, but
        not if they came out of partitions, of which it knows nothing.

        Raises:
            DatabaseError: the server refused, or went away.
        """
        assert self.file_id is not None
        rows_resumable = 0 if self._partitioned else self.covered
        ledger.end(session, self.file_id, self.result, counts, rows_resumable)


def refused_hint(path: str, run_id: int | None, rules: Collection[str] = ()) -> str:
    """What to do about too many rejects, which `run_id` has, or None if nothing has them; `rules`
    are those that most of them broke."""
    look = (
        f"mdload rejects show {run_id}" if run_id is not None else f"mdload inspect {quote(path)}"
    )
    signs = "; if prices of zero and below are right: --allow-nonpositive-prices"
    return (
        f"see them: {look}; then read the file otherwise, or allow more: --max-rejects N|P%"
        f"{signs if _SIGN in rules else ''}"
    )


def joined(before: FileResult, tally: Tally, counts: Counts) -> FileResult:
    """`before` with the rows of one more part."""
    return replace(
        before,
        counts=before.counts + counts,
        provider=_agreed(before, before.provider, tally.providers),
        interval=_agreed(before, before.interval, tally.intervals),
        symbols=tuple(sorted({*before.symbols, *tally.symbols})),
        min_ts=min((t for t in (before.min_ts, tally.min_ts) if t), default=None),
        max_ts=max((t for t in (before.max_ts, tally.max_ts) if t), default=None),
        rejected=dict(Counter(before.rejected) + tally.rules),
        conflicting=before.conflicting + tally.conflicting,
        conflicts=before.conflicts or tuple(tally.conflicts),
    )


def _agreed(before: FileResult, value: str | None, found: set[str]) -> str | None:
    """The one value of the file, where the parts `before` had `value`; None if there are several,
    whatever the next parts have."""
    has_parts = bool(before.symbols) or before.min_ts is not None
    if not has_parts:
        return value or only(found)
    return value if value is not None and found <= {value} else None

"""The books of a file: counts that balance, the ledger, the run's counts, rejects and spellings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

import polars as pl

from loader.check.unique import LISTED
from loader.db.arrow import Connection
from loader.errors import MergeFailed, TooManyRejects
from loader.read.spool import Spool
from loader.results import Counts, FileResult
from loader.settings import RejectLimit
from loader.store import quarantine, spellings
from loader.store.compare import Diff
from loader.store.runs import ledger
from loader.store.runs.counts import add_counts
from loader.store.versions.loads import Load
from loader.text import redact


@dataclass(slots=True)
class Tally:
    """Rows of one part of a file. Symbols, span and rules are of its good and bad rows alike."""

    read: int = 0
    skipped: int = 0
    duplicate: int = 0
    conflicting: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    rejected: int = 0
    last_row: int = 0
    seen: int = 0
    rules: Counter[str] = field(default_factory=Counter)
    conflicts: list[str] = field(default_factory=list)
    symbols: set[str] = field(default_factory=set)
    providers: set[str] = field(default_factory=set)
    intervals: set[str] = field(default_factory=set)
    min_ts: datetime | None = None
    max_ts: datetime | None = None
    spellings: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=spellings.SCHEMA))

    def add(self, compared: Diff) -> None:
        unique = compared.unique
        self.read += unique.read
        self.skipped += unique.skipped
        self.last_row = max(self.last_row, unique.last_row)
        self.seen = max(self.seen, unique.seen)
        self.duplicate += unique.duplicate
        self.conflicting += unique.conflicting
        self.conflicts = [*self.conflicts, *unique.conflicts][:LISTED]
        self.rules.update(unique.rejected)
        self.rejected += unique.bad.height if unique.bad is not None else 0
        self.new += compared.new.height
        self.changed += compared.changed.height
        self.unchanged += compared.unchanged
        series = unique.series
        self.symbols.update(series["symbol"])
        self.providers.update(series["provider"])
        self.intervals.update(series["interval"])
        self.min_ts = _least([self.min_ts, series["lo"].min()])
        self.max_ts = _greatest([self.max_ts, series["hi"].max()])
        if unique.spellings is not None and unique.spellings.height:
            self.spellings = pl.concat(
                [self.spellings, unique.spellings.select(*spellings.SCHEMA)]
            ).unique()


def _least(values: Iterable[object]) -> datetime | None:
    return min((v for v in values if isinstance(v, datetime)), default=None)


def _greatest(values: Iterable[object]) -> datetime | None:
    return max((v for v in values if isinstance(v, datetime)), default=None)


def only(values: set[str]) -> str | None:
    """The one value, or None where there are none or several."""
    return next(iter(values)) if len(values) == 1 else None


Ending = Literal["loaded", "partial"]
#: The rule under which a refused file's other rows are counted.
REFUSED = "file_refused"


def check_limit(limit: RejectLimit, tally: Tally, before: FileResult) -> None:
    """Parts that were committed `before` count with it, and so do good rows that are set aside.

    Raises:
        TooManyRejects: more rows broke a rule than `limit` allows.
    """
    rejected = before.counts.rejected + tally.rejected
    read = max(before.counts.read + tally.read, tally.seen)
    if limit.exceeded(rejected, read):
        most = (Counter(before.rejected) + tally.rules).most_common(3)
        rules = ", ".join(f"{rule} {n:,}" for rule, n in most)
        kept = (
            "its parts that were committed before stay"
            if before.counts.read
            else "nothing of the file was merged"
        )
        raise TooManyRejects(
            f"{before.path}: {rejected:,} of {read:,} rows were rejected ({rules}), "
            f"more than {limit} allows; {kept}",
            hint="see them with: mdload job-runs inspect RUN; or allow more: --max-rejects N|P%",
        )


def part_result(
    before: FileResult, state: Ending, tally: Tally, *, inserted: int, updated: int, raced: int
) -> FileResult:
    """`before` and one more part. `raced` staged rows turned out to be stored already.

    Raises:
        MergeFailed: the counts do not balance.
    """
    counts = Counts(
        read=tally.read,
        inserted=inserted,
        updated=updated,
        unchanged=tally.unchanged + raced,
        duplicate=tally.duplicate,
        skipped=tally.skipped,
        rejected=tally.rejected,
    ).check(before.path)
    return _joined(replace(before, state=state), tally, counts)


def _joined(before: FileResult, tally: Tally, counts: Counts) -> FileResult:
    return replace(
        before,
        counts=before.counts + counts,
        provider=before.provider or only(tally.providers),
        interval=before.interval or only(tally.intervals),
        symbols=tuple(sorted({*before.symbols, *tally.symbols})),
        min_ts=min((t for t in (before.min_ts, tally.min_ts) if t), default=None),
        max_ts=max((t for t in (before.max_ts, tally.max_ts) if t), default=None),
        rejected=dict(Counter(before.rejected) + tally.rules),
        conflicting=before.conflicting + tally.conflicting,
        conflicts=before.conflicts or tuple(tally.conflicts),
    )


def book(
    writer: Connection,
    run_id: int,
    before: FileResult,
    state: Ending,
    tally: Tally,
    bad: Spool,
    *,
    inserted: int,
    updated: int,
    raced: int,
    rows_resumable: int,
) -> FileResult:
    """Writes a part's rejects, spellings, ledger row and run counts, before they commit with it."""
    assert before.file_id is not None
    whole = part_result(before, state, tally, inserted=inserted, updated=updated, raced=raced)
    if bad.rows and quarantine.keep(writer, bad, run_id, before.file_id) != tally.rejected:
        raise MergeFailed(f"{before.path}: not all rejected rows reached the quarantine")
    spellings.keep(writer, tally.spellings, run_id)
    _close(writer, run_id, whole, whole.counts - before.counts, rows_resumable)
    return whole


def refused(before: FileResult, tally: Tally, error: TooManyRejects) -> FileResult:
    """A file that is not merged: all its rows count as rejected, those that broke no rule under
    `file_refused`. Parts that were committed before stay,
    and the file `partial`."""
    rejected = tally.read - tally.skipped
    counts = Counts(read=tally.read, skipped=tally.skipped, rejected=rejected).check(before.path)
    tally.rules[REFUSED] = rejected - tally.rejected
    return replace(
        _joined(before, tally, counts),
        state="partial" if before.counts.read else "refused",
        error=redact(str(error)),
        hint=error.hint,
        exit_code=error.exit_code,
    )


def refuse(
    writer: Connection,
    run_id: int,
    before: FileResult,
    tally: Tally,
    bad: Spool,
    error: TooManyRejects,
    *,
    rows_resumable: int,
) -> FileResult:
    """Writes a refusal into the books, with the rows that broke a rule."""
    assert before.file_id is not None
    whole = refused(before, tally, error)
    quarantine.keep(writer, bad, run_id, before.file_id)
    _close(writer, run_id, whole, whole.counts - before.counts, rows_resumable)
    return whole


def _close(
    writer: Connection, run_id: int, whole: FileResult, part: Counts, rows_resumable: int
) -> None:
    assert whole.file_id is not None
    ledger.end(writer, whole.file_id, whole, part, rows_resumable)
    add_counts(
        writer, run_id, part, symbols=whole.symbols, min_ts=whole.min_ts, max_ts=whole.max_ts,
        load=Load(file_id=whole.file_id),
    )  # fmt: skip

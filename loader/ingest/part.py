"""The transaction of one part of a file, or of one batch of a client, on one page.

Files and clients differ in who feeds the pieces, in how the bars are merged (`mergers`), and in the
file's row in the ledger, which a client does not have.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from loader.check.unique import UniqueBatch
from loader.db.executor import Executor
from loader.errors import HistoryRefused, MergeFailed, TooManyRejects
from loader.ingest.books import FileEntry
from loader.ingest.guard import Guard
from loader.ingest.mergers import Frames, Keeper, Merger
from loader.ingest.tally import Tally
from loader.results import Counts
from loader.store import quarantine, spellings
from loader.store.compare import PendingDiff
from loader.store.merge import Merged
from loader.store.runs.counts import add_counts
from loader.store.runs.loads import Load, record
from loader.store.versions import forward


class Part:
    """The rows of one transaction: counted and, if rejected, set aside as they pass.

    Attributes:
        name: of the file or client, for error messages.
        rejects: frames of `quarantine.BAD`.

    Args:
        only: the part's one batch, if it is at hand. It is counted here and not as it passes: a
            client's writing thread must not wait for the interpreter lock at each column.
        keeper: puts the rejects where they belong, and gives how many they are.
        reading: how the file is read, to be kept with its rejects; asked once all have passed.
        of_bars: whether the transaction is recorded as a load of bars.
    """

    def __init__(
        self,
        name: str,
        rejects: Frames,
        only: UniqueBatch | None = None,
        known_at: datetime | None = None,
        keeper: Keeper = quarantine.keep,
        reading: Callable[[], Mapping[str, Any] | None] = lambda: None,
        of_bars: bool = True,
    ) -> None:
        self.name = name
        self.of_bars = of_bars
        self.rejects = rejects
        self.known_at = known_at
        self.keeper = keeper
        self.reading = reading
        self.tally = Tally()
        self._is_counted = only is not None
        if only is not None:
            self._count(only)

    def passing(self, pieces: Iterable[PendingDiff]) -> Iterator[PendingDiff]:
        """The pieces, unchanged."""
        for piece in pieces:
            if not self._is_counted:
                self._count(piece.unique)
            yield piece
            del piece

    def _count(self, batch: UniqueBatch) -> None:
        self.tally.add(batch)
        if batch.bad is not None and batch.bad.height:
            self.rejects.append(batch.bad)


def write_part(
    session: Executor,
    pieces: Iterable[PendingDiff],
    run_id: int | None,
    entry: FileEntry | None = None,
    *,
    part: Part,
    merger: Merger,
    guard: Guard | None = None,
) -> Counts:
    """Writes all that belongs to `pieces` in the transaction that is open on `session`: bars and
    revisions, rejects, spellings, the file's row in the ledger, the run's counts, the load.

    Returns:
        What became of each row, balanced. After an error the transaction must be rolled back.

    Raises:
        TooManyRejects: more rows were rejected than the file may have.
        HistoryRefused: the guard refuses what the file does to stored bars.
        Contended: another writer was in the way; run the transaction again.
        SymbolCollision: two spellings mean one symbol.
        MergeFailed: the counts do not balance, or the run has ended.
        KnownLater: the part has a `known_at`, and the store knows more of one of its series since.
        DatabaseError: the server refused, or went away.
    """
    tally = part.tally
    merger.send(part.passing(pieces))  # all rows have been seen after this
    if entry is not None:
        entry.check_limit(tally)
        if guard is not None:
            entry.judge(guard, tally)
    merged = merger.merge(run_id, entry.file_id if entry is not None else None)
    deleted = 0
    if entry is not None and guard is not None:
        deleted = entry.delete_gone(guard, run_id)
    counts = counts_of(part, merged)
    _keep_rejects(session, part, run_id, entry)
    if tally.spellings is not None:
        spellings.keep(session, tally.spellings, run_id)
    if entry is not None:
        entry.add(tally, counts)
    if part.known_at is not None:
        forward.insist(session, tally, part.known_at, part.name)
    file_id = entry.file_id if entry is not None else None
    load = Load(file_id=file_id, deleted=deleted, known_at=part.known_at) if part.of_bars else None
    _record(session, run_id, entry, tally, counts, load)
    return counts


def refuse_part(
    session: Executor,
    error: TooManyRejects | HistoryRefused,
    run_id: int,
    entry: FileEntry,
    *,
    part: Part,
) -> Counts:
    """Records a part that `write_part` refused with `error`, in a transaction of its own: the
    file's row in the ledger, the run's counts, and rejects where there were too many. No bar is
    merged.

    Raises:
        MergeFailed: the counts do not balance, or the run has ended.
        DatabaseError: the server refused, or went away.
    """
    counts = counts_of(part, None)
    # Another keeper marks what got in: nothing did.
    keeps = part.keeper is quarantine.keep or not part.of_bars
    if isinstance(error, TooManyRejects) and keeps:
        _keep_rejects(session, part, run_id, entry)
    entry.refuse(part.tally, counts, error)
    _record(session, run_id, entry, part.tally, counts)
    return counts


def counts_of(part: Part, merged: Merged | None) -> Counts:
    """The rows of `part`, each in exactly one count. If the part was refused (`merged` is None),
    all its rows but the skipped ones are rejected.

    Raises:
        MergeFailed: the counts do not balance.
    """
    tally = part.tally
    if merged is None:
        rejected = tally.read - tally.skipped
        return Counts(tally.read, skipped=tally.skipped, rejected=rejected).check(part.name)
    return Counts(
        read=tally.read,
        inserted=merged.inserted,
        updated=merged.updated,
        unchanged=merged.unchanged,
        duplicate=tally.duplicate,
        skipped=tally.skipped,
        rejected=tally.rejected,
    ).check(part.name)


def _keep_rejects(
    session: Executor, part: Part, run_id: int | None, entry: FileEntry | None
) -> None:
    if not part.tally.rejected and part.keeper is quarantine.keep:
        return
    file_id = entry.file_id if entry is not None else None
    if part.keeper(session, part.rejects, run_id, file_id) != part.tally.rejected:
        raise MergeFailed(f"{part.name}: not all rejected rows reached the quarantine")
    if file_id is not None and (reading := part.reading()) is not None:
        session.run("file_reading", file_id, json.dumps(reading, ensure_ascii=False))


def _record(
    session: Executor,
    run_id: int | None,
    entry: FileEntry | None,
    tally: Tally,
    counts: Counts,
    load: Load | None = None,
) -> None:
    """The ledger first: `add_counts` locks the run's row until the transaction ends, and records
    the load, which must come last."""
    if entry is not None:
        entry.record(session, counts)
    if run_id is not None:
        add_counts(
            session, run_id, counts,
            symbols=tally.symbols, min_ts=tally.min_ts, max_ts=tally.max_ts, load=load,
        )  # fmt: skip
    elif load is not None:
        record(session, load, counts)

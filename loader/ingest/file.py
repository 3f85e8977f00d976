"""One attempt at one source file: each part of it is read, compared and merged in one transaction.

`pieces` feeds it, `part` is the transaction, `books` keeps the file's result.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import replace
from itertools import chain
from typing import Final

from loader import bars
from loader.check.file import Checking
from loader.db.arrow import Connection
from loader.errors import HistoryRefused, TooManyRejects, Unfinished
from loader.ingest.books import Ending, FileEntry
from loader.ingest.guard import Guard
from loader.ingest.guard.laid_over import insist_on_one_series
from loader.ingest.mergers import CopyMerger, Merger
from loader.ingest.notes import FileNotes
from loader.ingest.part import Part, counts_of, refuse_part, write_part
from loader.ingest.pieces import compared_pieces, in_parts, prove_order
from loader.ingest.run import LoadMode, LoadRun
from loader.ingest.run.first import table_alone
from loader.ingest.writes import telling
from loader.lazy import dataclass
from loader.read.formats import Reading, read
from loader.read.sources import Identity, Source, identity
from loader.read.spool import Spool
from loader.results import FileResult
from loader.results.events import Committed, FileOpened, RowsDone
from loader.settings.part import WHOLE
from loader.store import quarantine, shape, spellings
from loader.store.compare import PendingDiff
from loader.store.merge.early import Early
from loader.store.runs import ledger
from loader.store.timescale.chunks import HourCounts

#: How many times more rows are read at a time where Citus has the bars: each piece takes one
#: statement per shard that it touches, and those cost more than the bars of a small piece.
_SPREAD: Final = 2


@dataclass(frozen=True, slots=True)
class PendingCommit:
    """What is true of the file once the current transaction has committed."""

    done: FileResult
    covered: int
    rules: Mapping[str, int]
    hours: HourCounts


class FileWork:
    """One attempt at one file.

    Attributes:
        done: what has been committed of the file, by earlier attempts of this run as well.
        covered: how far that reaches, as `LoadMode.resume_at`.
        ended: whether there is nothing left to do.
    """

    def __init__(
        self, run: LoadRun, source: Source, as_hashed: Identity, done: FileResult, mode: LoadMode
    ) -> None:
        self.run = run
        self.source = source
        self.mode = mode
        self.done = done
        self.covered = mode.resume_at
        self.ended = False
        self._began = time.monotonic()
        self._as_hashed = as_hashed
        self._rows_shown = self._bytes_shown = 0
        self._rows_read = 0 if mode.partition else mode.resume_at
        self._lets_pass = False
        self._reached: Callable[[int], int] = lambda rows: 0
        self._pending: PendingCommit | None = None
        named = run.settings.part if len(run.paths) < 2 else WHOLE
        self._notes = FileNotes(source.name, run.emit, named)

    def load(self) -> None:
        """Loads the file in one part, or in parts of `commit_every` raw rows.

        Raises:
            MayRepeat: the file must be partitioned; nothing was kept.
            MdloadError: nothing of the current part was kept.
        """
        run, settings = self.run, self.run.settings
        rows = settings.piece_rows
        if run.is_spread and not settings.commit_every:
            rows *= _SPREAD
        with read(self.source, rows) as reading:
            run.emit(FileOpened(self.source.name, None if settings.part else reading.rows))
            self._lets_pass = settings.max_rejects.allows_all(reading.rows)
            size = self.source.size_bytes
            self._reached = lambda rows: reading.part(rows, size)
            resumable = 0 if self.mode.partition else self.mode.resume_at
            checking = self._checking = run.checking(reading, self.source, resumable)
            if settings.commit_every and not self.mode.partition and not self.done.file_id:
                prove_order(run, self.source)
            with table_alone(run, self.source, reading, self.mode) as alone:
                self.mode = replace(self.mode, first=alone is not None)
                self._load(reading, checking, alone)

    def _load(self, reading: Reading, checking: Checking, alone: Connection | None) -> None:
        """`alone` is the session that has the empty table for itself, if one has."""
        run, settings, mode = self.run, self.run.settings, self.mode
        with (
            Guard(run, self.source, mode, before=self.done.history) as guard,
            compared_pieces(run, self.source, mode, reading, checking, guard.passed) as compared,
        ):
            self._guard = guard
            pieces = self._opened(compared, checking)
            if run.run_id is None:
                self.done, self.ended = self._dry(pieces), True
                self._notes.tell_parts(self.done.notes)
                return
            with nullcontext(alone) if alone is not None else run.connection() as writer:
                if settings.commit_every:
                    self._parts(writer, run.run_id, pieces, settings.commit_every)
                else:
                    self._part(writer, run.run_id, pieces, "loaded")

    def forget_progress(self) -> None:
        """Takes back the progress that was shown and not committed: the next attempt shows it."""
        self.run.emit(RowsDone(self.source.name, -self._rows_shown, -self._bytes_shown))

    def settle(self) -> None:
        """Finds out whether a commit came through when the connection was lost before its answer.

        Raises:
            DatabaseError: the server cannot say.
        """
        if self._pending is None or self.run.run_id is None:
            return
        with self.run.connection(autocommit=True, cancellable=False) as reader:
            if ledger.committed(reader, self.run.run_id, self._pending.done):
                # They were taken back too soon.
                self.run.emit(RowsDone(self.source.name, self._rows_shown, self._bytes_shown))
                self._accept(self._pending)
        self._pending = None

    def _opened(self, pieces: Iterator[PendingDiff], checking: Checking) -> Iterator[PendingDiff]:
        """The same pieces. The layout is known once the first one is there: notes it."""
        first = next(pieces, None)
        layout = checking.layout
        notes = checking.notes
        self._notes.late = lambda: checking.late_notes
        self._notes.set_layout(notes, layout.skip if layout else (), self.done.notes)
        self.done = replace(self.done, notes=notes, dialect=layout.dialect.name if layout else None)
        return chain([first] if first is not None else [], pieces)

    def _watched(self, pieces: Iterator[PendingDiff]) -> Iterator[PendingDiff]:
        """The same pieces, until the load is cancelled. Shows progress."""
        for piece in pieces:
            self.run.stop_if_cancelled()
            yield piece
            self._show(piece.unique.read, 0 if self.mode.partition else piece.unique.last_row)
            del piece

    def _show(self, rows: int, last_row: int) -> None:
        """Shows progress by `rows` more rows, up to raw row `last_row` at least."""
        before = self._reached(self._rows_read)
        self._rows_read = max(self._rows_read + rows, last_row)
        more = self._reached(self._rows_read) - before
        self._rows_shown += rows
        self._bytes_shown += more
        self.run.emit(RowsDone(self.source.name, rows, more))

    def _parts(
        self, writer: Connection, run_id: int, pieces: Iterator[PendingDiff], every: int
    ) -> None:
        for part in in_parts(pieces, every):
            self._part(writer, run_id, part, "partial")
            if self.ended:
                return
        self._part(writer, run_id, iter(()), "loaded")

    def _part(
        self, writer: Connection, run_id: int, pieces: Iterator[PendingDiff], state: Ending
    ) -> None:
        """One transaction; and a second one, to record a part that was refused."""
        name, hours = self.source.name, HourCounts()
        with Spool(bars.SCHEMA) as staged, quarantine.Waiting() as rejects:
            part = Part(
                name,
                rejects,
                known_at=self.run.known_at_of(self.source),
                keeper=self.run.keeper_of(self.source),
                reading=lambda: self._checking.record,
            )
            self._guard.writer = writer
            merger = CopyMerger(
                writer,
                staged,
                direct=self.mode.direct,
                first=self.mode.first,
                hours=hours,
                see=self._guard.see,
            )
            try:
                with telling(self.run.emit, name, *merger.writes), writer.transaction():
                    entry = self._entry(self._begun(writer, run_id), state)
                    if self._lets_pass and part.keeper is quarantine.keep:
                        rejects.sender = quarantine.Sender(writer, run_id, entry.file_id)
                    if self.mode.direct and not self.mode.first:
                        merger.early = Early(writer, run_id, entry.file_id)
                    watched = self._watched(pieces)
                    counts = write_part(
                        writer, watched, run_id, entry,
                        part=part, merger=merger, guard=self._guard,
                    )  # fmt: skip
                    insist_on_one_series(writer, self.run, self.source, entry.result, counts)
                    self._insist_on_unchanged()
                    self._expect(entry, part, hours)
            except (TooManyRejects, HistoryRefused) as error:
                with writer.transaction():
                    entry = self._entry(self._begun(writer, run_id), state)
                    entry.judged(self._guard.judgement)
                    refuse_part(writer, error, run_id, entry, part=part)
                    self._expect(entry, part, HourCounts())
        assert self._pending is not None
        self._accept(self._pending)

    def _dry(self, pieces: Iterator[PendingDiff]) -> FileResult:
        """What a load would come to. The pieces are read and compared, and nothing is written."""
        with self.run.connection(autocommit=True) as reader:
            shape.check(reader)
        with Spool(quarantine.BAD) as rejects, self.run.dry_merger(self._guard.see) as merger:
            part = Part(self.source.name, rejects)
            merger.send(part.passing(self._watched(pieces)))
            result = self._dry_result(part, merger)
            if result.exit_code == 0:
                self.run.would_load(result, merger, part.tally)
        return result

    def _dry_result(self, part: Part, merger: Merger) -> FileResult:
        entry = self._entry(self.done, "loaded")
        try:
            entry.check_limit(part.tally)
            entry.judge(self._guard, part.tally)
        except (TooManyRejects, HistoryRefused) as error:
            entry.refuse(part.tally, counts_of(part, None), error)
            return entry.result
        if part.tally.spellings is not None:
            with self.run.connection(autocommit=True) as reader:
                spellings.check(reader, part.tally.spellings)
        entry.add(part.tally, counts_of(part, merger.merge(None, None)))
        return entry.result

    def _begun(self, writer: Connection, run_id: int) -> FileResult:
        """The file with its row in the ledger, which the first part of it opens."""
        if self.done.file_id:
            return self.done
        file_id = ledger.begin(
            writer, run_id, self.source, self.done.content_hash,
            self.run.fingerprint_of(self.source), time.monotonic() - self._began,
        )  # fmt: skip
        return replace(self.done, file_id=file_id)

    def _entry(self, before: FileResult, state: Ending) -> FileEntry:
        return FileEntry(
            before,
            state,
            limit=self.run.settings.max_rejects,
            notes=self._notes,
            covered=self.covered,
            partitioned=self.mode.partition,
            run_id=self.run.run_id,
        )

    def _expect(self, entry: FileEntry, part: Part, hours: HourCounts) -> None:
        """Remembers what to accept if the commit succeeds."""
        self._pending = PendingCommit(entry.result, entry.covered, dict(part.tally.rules), hours)

    def _accept(self, committed: PendingCommit) -> None:
        counts = committed.done.counts - self.done.counts
        self.done, self.covered = committed.done, committed.covered
        self.ended = self.done.state != "partial" or self.done.error is not None
        self._pending = None
        self._rows_shown = self._bytes_shown = 0
        self._guard.next_part()
        if self.ended:
            self._notes.tell_parts(self.done.notes)
        self.run.emit(Committed(self.source.name, counts, committed.rules))
        self.run.upkeep.committed(committed.hours)

    def _insist_on_unchanged(self) -> None:
        if identity(self.source) != self._as_hashed:
            raise Unfinished.of(
                self.source.name,
                "changed while it was being read; nothing of it was kept",
                hint="wait until it is written whole, then run the same command again",
            )

"""One source file: read, check, compare, merge and book it, in one transaction."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from typing import Final

import polars as pl

from loader import bars
from loader.check import spellings as respelled
from loader.check.file import Checking
from loader.check.unique import in_order, partitioned
from loader.db.arrow import Connection
from loader.errors import Cancelled, TooManyRejects, Unfinished
from loader.events import Committed, FileNote, FileOpened, RowsDone
from loader.load import books
from loader.load.books import Tally
from loader.load.run import LoadMode, LoadRun
from loader.load.writes import Write, telling
from loader.read.ahead import ahead
from loader.read.formats import Reading, read
from loader.read.sources import Source
from loader.read.sources.source import no_access
from loader.read.spool import Spool
from loader.results import FileResult
from loader.store import merge, quarantine, spellings
from loader.store.compare import Diff, PendingDiff, StoredReader, compare
from loader.store.runs import ledger
from loader.store.timescale.chunks import HourCounts

#: Fewest bytes per row, for files that do not tell their number of rows.
_ROW_BYTES: Final = 20
Identity = tuple[int, int]
STOPPED: Final = "cancelled before the file was committed; nothing more of it was kept"


@dataclass(frozen=True, slots=True)
class PendingCommit:
    """The file's state once the current transaction commits."""

    done: FileResult
    covered: int
    rules: Mapping[str, int]
    hours: HourCounts


class FileWork:
    """One attempt at one file.

    Attributes:
        done: the committed state of the file, including earlier attempts of this run.
        covered: how far the commits reach, in terms of `LoadMode.resume_at`.
        ended: whether the file is finished.
    """

    def __init__(
        self, job: LoadRun, source: Source, as_hashed: Identity, done: FileResult, way: LoadMode
    ) -> None:
        self.job = job
        self.source = source
        self.way = way
        self.done = done
        self.covered = way.resume_at
        self.ended = False
        self._began = time.monotonic()
        self._as_hashed = as_hashed
        self._rows_shown = 0
        self._booked: PendingCommit | None = None
        self._notes: tuple[str, ...] = ()
        self._spelled = pl.DataFrame(schema=spellings.SCHEMA)

    def load(self) -> None:
        """Loads the file in one part, or in parts of `commit_every` raw rows.

        Raises:
            MayRepeat: the file needs `LoadMode.partition`; nothing was kept.
            MdloadError: nothing of the current part was kept.
        """
        settings = self.job.settings
        with read(self.source, settings.piece_rows) as reading:
            self.job.emit(FileOpened(self.source.name, reading.rows))
            checking = Checking(reading, self.source, settings, self._resumable(self.way.resume_at))
            if settings.commit_every and not self.way.partition and not self.done.file_id:
                self._prove_order()
            with closing(ahead(self._beside_stored(reading, checking))) as pieces:
                noted = self._noting(map(compare, pieces), reading, checking)
                if self.job.run_id is None:
                    self.done, self.ended = self._dry(noted), True
                    self._tell_spellings()
                    return
                with self.job.connection() as writer:
                    if settings.commit_every:
                        self._parts(writer, self.job.run_id, noted, settings.commit_every)
                    else:
                        self._part(writer, self.job.run_id, noted, "loaded")

    def forget_progress(self) -> None:
        """Takes back progress that was shown but not committed: the next attempt shows it again."""
        self.job.emit(RowsDone(self.source.name, -self._rows_shown))

    def settle(self) -> None:
        """Finds out whether a commit succeeded when the connection broke before its answer.

        Raises:
            DatabaseError: the server cannot tell.
        """
        if self._booked is None or self.job.run_id is None:
            return
        with self.job.connection(autocommit=True) as reader:
            if ledger.committed(reader, self.job.run_id, self._booked.done):
                self.job.emit(RowsDone(self.source.name, self._rows_shown))  # was taken back
                self._accept(self._booked)
        self._booked = None

    def _prove_order(self) -> None:
        """Looks for repeated keys first, because committed parts cannot be undone."""
        with read(self.source, self.job.settings.piece_rows) as reading:
            checking = Checking(reading, self.source, self.job.settings)
            with closing(ahead(checking.pieces())) as pieces:
                for _ in in_order(pieces):
                    self._stop_if_asked()

    def _beside_stored(
        self, reading: Reading, checking: Checking
    ) -> Generator[PendingDiff, None, None]:
        session = partial(self.job.connection, autocommit=True)
        with closing(ahead(checking.pieces())) as checked, StoredReader(session) as stored:
            if self.way.partition:
                rows = reading.rows or self.source.size_bytes // _ROW_BYTES
                settings = self.job.settings
                unique = partitioned(checked, rows, settings.piece_rows, by_time=settings.by_time)
            else:
                unique = in_order(checked)
            with closing(unique):
                for piece in unique:
                    if not 0 < piece.last_row <= self.way.resume_at:
                        yield stored.beside(piece)

    def _noting(
        self, pieces: Iterator[Diff], reading: Reading, checking: Checking
    ) -> Iterator[Diff]:
        """Emits the notes on the file's layout after its first batch."""
        first = next(pieces, None)
        layout = checking.layout
        notes = (*reading.notes, *(layout.notes if layout else ()))
        if self.done.notes[: len(notes)] != notes:  # unless an earlier attempt emitted them
            for note in notes:
                self.job.emit(FileNote(self.source.name, note))
        self._notes = notes
        self.done = replace(self.done, notes=notes, dialect=layout.dialect.name if layout else None)
        if first is not None:
            yield first
            yield from pieces

    def _parts(self, writer: Connection, run_id: int, pieces: Iterator[Diff], every: int) -> None:
        rows = 0

        def part_of(piece: Diff) -> int:
            nonlocal rows
            rows += piece.unique.read or piece.unique.bars.height
            return (rows - 1) // every

        for _, part in groupby(pieces, key=part_of):
            self._part(writer, run_id, part, "partial")
            if self.ended:
                return
        self._part(writer, run_id, iter(()), "loaded")

    def _part(
        self, writer: Connection, run_id: int, pieces: Iterator[Diff], state: books.Ending
    ) -> None:
        """One transaction."""
        tally = Tally()
        copy, upsert = Write("COPY"), Write("UPSERT")
        hours = HourCounts()
        with Spool(bars.SCHEMA) as staged, Spool(quarantine.BAD) as bad:
            try:
                with telling(self.job.emit, self.source.name, copy, upsert), writer.transaction():
                    file_id = self.done.file_id or self._begin(writer, run_id)
                    with copy:
                        new = copy.sending(self._new_bars(pieces, tally, staged, bad))
                        new = hours.counting(new)
                        copied = merge.copy_new(writer, new)
                    before = replace(self.done, file_id=file_id, notes=self._noted(tally))
                    books.check_limit(self.job.settings.max_rejects, tally, before)
                    with upsert:
                        staging = hours.counting(upsert.sending(staged))
                        upserted = merge.upsert(writer, staging, run_id, file_id)
                    upsert.bars = upserted.inserted + upserted.updated
                    covered = max(self.covered, tally.last_row)
                    done = books.book(
                        writer, run_id, before, state, tally, bad,
                        inserted=copied + upserted.inserted,
                        updated=upserted.updated,
                        raced=staged.rows - upserted.inserted - upserted.updated,
                        rows_resumable=self._resumable(covered),
                    )  # fmt: skip
                    self._unchanged_meanwhile()
                    self._booked = PendingCommit(done, covered, dict(tally.rules), hours)
            except TooManyRejects as error:
                with writer.transaction():
                    file_id = self.done.file_id or self._begin(writer, run_id)
                    done = books.refuse(
                        writer, run_id, replace(self.done, file_id=file_id), tally, bad, error,
                        rows_resumable=self._resumable(self.covered),
                    )  # fmt: skip
                    self._booked = PendingCommit(
                        done, self.covered, dict(tally.rules), HourCounts()
                    )
        self._accept(self._booked)

    def _accept(self, booked: PendingCommit) -> None:
        """Marks the booked state as committed."""
        counts = booked.done.counts - self.done.counts
        self.done, self.covered = booked.done, booked.covered
        self.ended = self.done.state != "partial" or self.done.error is not None
        self._booked = None
        self._rows_shown = 0
        if self.ended:
            self._tell_spellings()
        self.job.emit(Committed(self.source.name, counts, booked.rules))
        self.job.behind.committed(booked.hours)

    def _resumable(self, covered: int) -> int:
        """Raw rows that a later run may skip; it cannot use pieces of partitions."""
        return 0 if self.way.partition else covered

    def _begin(self, writer: Connection, run_id: int) -> int:
        return ledger.begin(
            writer, run_id, self.source, self.done.content_hash,
            self.job.fingerprint_of(self.source), time.monotonic() - self._began,
        )  # fmt: skip

    def _new_bars(
        self, pieces: Iterable[Diff], tally: Tally, staged: Spool, bad: Spool
    ) -> Iterator[pl.DataFrame]:
        """Yields bars that can go straight into the table, and stages all others."""
        for piece in pieces:
            self._stop_if_asked()
            tally.add(piece)
            if piece.unique.bad is not None:
                bad.append(piece.unique.bad)
            staged.append(piece.changed)
            if self.way.direct and piece.new.height:
                yield piece.new
            else:
                staged.append(piece.new)
            self._rows_shown += piece.unique.read
            self.job.emit(RowsDone(self.source.name, piece.unique.read))

    def _dry(self, pieces: Iterator[Diff]) -> FileResult:
        tally = Tally()
        with Spool(bars.SCHEMA) as staged, Spool(quarantine.BAD) as bad:
            for _ in self._new_bars(pieces, tally, staged, bad):
                pass
        try:
            books.check_limit(self.job.settings.max_rejects, tally, self.done)
        except TooManyRejects as error:
            return books.refused(self.done, tally, error)
        with self.job.connection(autocommit=True) as reader:
            spellings.check(reader, tally.spellings)
        before = replace(self.done, notes=self._noted(tally))
        return books.part_result(
            before, "loaded", tally, inserted=tally.new, updated=tally.changed, raced=0
        )

    def _noted(self, tally: Tally) -> tuple[str, ...]:
        """The notes on the file's layout and on the spellings in its parts so far."""
        self._spelled = pl.concat([self._spelled, tally.spellings]).unique()
        return (*self._notes, *respelled.notes(self._spelled))

    def _tell_spellings(self) -> None:
        for note in self.done.notes[len(self._notes) :]:
            self.job.emit(FileNote(self.source.name, note))

    def _stop_if_asked(self) -> None:
        if self.job.cancelled.is_set():
            raise Cancelled(STOPPED)

    def _unchanged_meanwhile(self) -> None:
        if identity(self.source) != self._as_hashed:
            raise Unfinished(
                f"{self.source.name} changed while it was being read; nothing of it was kept",
                hint="wait until it is complete, then run the same command again",
            )


def identity(source: Source) -> Identity:
    """Size and time of the last change, to notice a file that is still being written.

    Raises:
        UnreadableFile: the file is missing or unreadable.
    """
    try:
        stat = source.path.stat()
    except OSError as exc:
        raise no_access(source.name, exc) from exc
    return stat.st_size, stat.st_mtime_ns

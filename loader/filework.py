"""One source file: read, checked, compared, merged and booked, in one transaction."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from itertools import groupby

import polars as pl

from loader import bars, booking, files, merge, quarantine
from loader.checking import Checking
from loader.db import Connection
from loader.duplicates import in_order, partitioned
from loader.errors import Cancelled, TooManyRejects, UnreadableFile
from loader.events import Committed, FileNote, RowsDone
from loader.flow import ahead
from loader.job import Job, Way
from loader.readers import Reading, read
from loader.results import FileResult
from loader.sources import Source
from loader.spool import Spool
from loader.stored import Beside, Compared, Stored, compare
from loader.tally import Tally
from loader.writes import Write, telling


class FileWork:
    """One attempt at one file.

    Attributes:
        done: what is committed of the file so far (parts of earlier attempts of this run included).
        covered: the last raw row that committed parts cover.
    """

    def __init__(self, job: Job, source: Source, done: FileResult, way: Way) -> None:
        self.job = job
        self.source = source
        self.way = way
        self.done = done
        self.covered = way.resume_at
        self._began = time.monotonic()
        self._stat = identity(source)
        self._rows_shown = 0

    def load(self) -> FileResult:
        """Loads the file in one part, or in parts of `commit_every` raw rows.

        Raises:
            MayRepeat: the file must be taken the other way; nothing was kept.
            MdloadError: nothing of the part in hand was kept.
        """
        settings = self.job.settings
        with read(self.source, settings.piece_rows) as reading:
            checking = Checking(reading, settings, self.way.resume_at)
            if settings.commit_every and not self.way.partition:
                self._prove_order()
            with closing(ahead(self._beside_stored(reading, checking))) as pieces:
                noted = self._noting(map(compare, pieces), reading, checking)
                if self.job.run_id is None:
                    return self._dry(noted)
                with self.job.connection() as writer:
                    if not settings.commit_every:
                        return self._part(writer, self.job.run_id, noted, "loaded")
                    return self._parts(writer, self.job.run_id, noted, settings.commit_every)

    def forget_progress(self) -> None:
        """Takes back what was shown of this attempt, for the next one starts over."""
        self.job.emit(RowsDone(self.source.name, -self._rows_shown))

    def _prove_order(self) -> None:
        """Parts that are committed cannot be taken back, so repeated keys are looked for first."""
        with read(self.source, self.job.settings.piece_rows) as reading:
            checking = Checking(reading, self.job.settings)
            with closing(ahead(checking.pieces())) as pieces:
                for _ in in_order(pieces):
                    self._stop_if_asked()

    def _beside_stored(self, reading: Reading, checking: Checking) -> Generator[Beside, None, None]:
        session = partial(self.job.connection, autocommit=True)
        with closing(ahead(checking.pieces())) as checked, Stored(session) as stored:
            unique = partitioned(checked, reading.rows) if self.way.partition else in_order(checked)
            with closing(unique):
                for piece in unique:
                    if not 0 < piece.last_row <= self.way.resume_at:
                        yield stored.beside(piece)

    def _noting(
        self, pieces: Iterator[Compared], reading: Reading, checking: Checking
    ) -> Iterator[Compared]:
        """Tells what was understood of the file once its first batch is through."""
        first = next(pieces, None)
        layout = checking.layout
        notes = (*reading.notes, *(layout.notes if layout else ()))
        for note in notes:
            self.job.emit(FileNote(self.source.name, note))
        self.done = replace(self.done, notes=notes, dialect=layout.dialect.name if layout else None)
        if first is not None:
            yield first
            yield from pieces

    def _parts(
        self, writer: Connection, run_id: int, pieces: Iterator[Compared], every: int
    ) -> FileResult:
        rows = 0

        def part_of(piece: Compared) -> int:
            nonlocal rows
            rows += piece.unique.read or piece.unique.bars.height
            return (rows - 1) // every

        for _, part in groupby(pieces, key=part_of):
            if self._part(writer, run_id, part, "partial").error:
                return self.done
        return self._part(writer, run_id, iter(()), "loaded")

    def _part(
        self, writer: Connection, run_id: int, pieces: Iterator[Compared], state: booking.Ending
    ) -> FileResult:
        """One transaction; gives the file's result so far."""
        tally = Tally()
        copy, upsert = Write("COPY"), Write("UPSERT")
        with Spool(bars.SCHEMA) as staged, Spool(quarantine.BAD) as bad:
            try:
                with telling(self.job.emit, self.source.name, copy, upsert), writer.transaction():
                    file_id = self.done.file_id or self._begin(writer, run_id)
                    with copy:
                        new = copy.sending(self._new_bars(pieces, tally, staged, bad))
                        copied = merge.copy_new(writer, new)
                    booking.check_limit(self.job.settings.max_rejects, tally, self.source.name)
                    with upsert:
                        upserted = merge.upsert(writer, upsert.sending(staged), run_id, file_id)
                    upsert.bars = upserted.inserted + upserted.updated
                    done = booking.book(
                        writer, run_id, replace(self.done, file_id=file_id), state, tally, bad,
                        inserted=copied + upserted.inserted,
                        updated=upserted.updated,
                        raced=staged.rows - upserted.inserted - upserted.updated,
                    )  # fmt: skip
                    self._unchanged_meanwhile()
            except TooManyRejects as error:
                with writer.transaction():
                    file_id = self.done.file_id or self._begin(writer, run_id)
                    done = replace(self.done, file_id=file_id)
                    done = booking.refuse(
                        writer, run_id, done, tally, bad, error, rows_resumable=self.covered
                    )
            else:
                self.covered = max(self.covered, tally.last_row)
            counts = done.counts - self.done.counts
            self.done = done
        self.job.emit(Committed(self.source.name, counts, dict(tally.rules)))
        return done

    def _begin(self, writer: Connection, run_id: int) -> int:
        return files.begin(
            writer, run_id, self.source, self.done.content_hash, self.job.fingerprint,
            time.monotonic() - self._began,
        )  # fmt: skip

    def _new_bars(
        self, pieces: Iterable[Compared], tally: Tally, staged: Spool, bad: Spool
    ) -> Iterator[pl.DataFrame]:
        """Bars that can go straight into the table; all others are set aside."""
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

    def _dry(self, pieces: Iterator[Compared]) -> FileResult:
        tally = Tally()
        with Spool(bars.SCHEMA) as staged, Spool(quarantine.BAD) as bad:
            for _ in self._new_bars(pieces, tally, staged, bad):
                pass
        try:
            booking.check_limit(self.job.settings.max_rejects, tally, self.source.name)
        except TooManyRejects as error:
            return booking.refused(self.done, tally, error)
        return booking.part_result(
            self.done, "loaded", tally, inserted=tally.new, updated=tally.changed, raced=0
        )

    def _stop_if_asked(self) -> None:
        if self.job.cancelled.is_set():
            raise Cancelled("cancelled before the file was committed; nothing of it was kept")

    def _unchanged_meanwhile(self) -> None:
        if identity(self.source) != self._stat:
            raise UnreadableFile(
                f"{self.source.name} changed while it was being read; nothing of it was kept",
                hint="wait until it is written whole, then run the same command again",
            )


def identity(source: Source) -> tuple[int, int]:
    """Size and time of the last change, to notice a file that is still being written."""
    stat = source.path.stat()
    return stat.st_size, stat.st_mtime_ns

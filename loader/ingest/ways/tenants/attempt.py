"""One attempt at one file of a tenant: it is read, checked and merged in one transaction."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial

import polars as pl

from loader.check.instruments.apart import selected
from loader.check.instruments.unwanted import Unwanted
from loader.check.ragged import from_first_fit
from loader.check.unique import UniqueBatch
from loader.db.arrow import Connection
from loader.errors import TooManyRejects, Unfinished
from loader.ingest.books import FileEntry
from loader.ingest.notes import FileNotes
from loader.ingest.part import Part, counts_of, refuse_part, write_part
from loader.ingest.run import LoadMode, LoadRun
from loader.ingest.ways.tenants.layout import decide
from loader.ingest.ways.tenants.periods import Periods
from loader.ingest.ways.tenants.rows import BAD, Rows, rounded_notes, rows, schema, series_of
from loader.ingest.ways.tenants.stage import StageMerger, keep_rejects
from loader.ingest.writes import telling
from loader.lazy import dataclass
from loader.read.batch import Reading
from loader.read.formats import read
from loader.read.sources import Identity, Source, identity
from loader.read.spool import Spool
from loader.results import FileResult, noted
from loader.results.events import Committed, FileOpened, RowsDone
from loader.settings.datasets import BARS_OHLCV, Dataset
from loader.store.compare import PendingDiff
from loader.store.runs import ledger


@dataclass(frozen=True, slots=True)
class Tenant:
    """Whom a load is for."""

    id: str
    name: str


class TenantFile:
    """As `loader.ingest.file.FileWork`, for a dataset of a tenant: always in one part.

    Attributes:
        done: what has been committed of the file.
        covered: how far that reaches; it is never resumed.
        ended: whether there is nothing left to do.
    """

    def __init__(
        self,
        of: Dataset,
        tenant: Tenant,
        run: LoadRun,
        source: Source,
        as_hashed: Identity,
        done: FileResult,
        mode: LoadMode,
    ) -> None:
        self.of = of
        self.tenant = tenant
        self.run = run
        self.source = source
        self.done = done
        self.covered = mode.resume_at
        self.ended = False
        self._began = time.monotonic()
        self._as_hashed = as_hashed
        self._shown = 0
        self._pending: tuple[FileResult, dict[str, int]] | None = None
        self._notes = FileNotes(source.name, run.emit)
        self._rounded: dict[str, int] = {}

    def load(self) -> None:
        """Raises:
        MdloadError: nothing of the file was kept.
        """
        with read(self.source, self.run.settings.batch_rows) as reading:
            self.run.emit(FileOpened(self.source.name, reading.rows))
            with (
                self.run.connection() as writer,
                ExitStack() as stack,
                Spool(BAD) as rejects,
            ):
                writer.of = self.of
                stack.callback(setattr, writer, "of", BARS_OHLCV)  # the session is used again
                part = Part(
                    self.source.name,
                    rejects,
                    keeper=partial(_keep, self.of),
                    of_bars=False,
                )
                if self.run.run_id is None:
                    self.done, self.ended = self._dry(writer, reading, part), True
                    self._notes.tell_parts(self.done.notes)
                else:
                    self._load(writer, self.run.run_id, reading, part)

    def forget_progress(self) -> None:
        """Takes back the progress that was shown and not committed."""
        self.run.emit(RowsDone(self.source.name, -self._shown))

    def settle(self) -> None:
        """Finds out whether a commit came through when its answer was lost.

        Raises:
            DatabaseError: the server cannot say.
        """
        if self._pending is None or self.run.run_id is None:
            return
        with self.run.connection(autocommit=True, cancellable=False) as reader:
            if ledger.committed(reader, self.run.run_id, self._pending[0]):
                self.run.emit(RowsDone(self.source.name, self._shown))
                self._accept()
        self._pending = None

    def _load(self, writer: Connection, run_id: int, reading: Reading, part: Part) -> None:
        merger = self._merger(writer, part, dry=False)
        try:
            with telling(self.run.emit, self.source.name, *merger.writes), self._own(writer):
                entry = self._entry(self._begun(writer, run_id))
                counts = write_part(
                    writer, self._pieces(reading), run_id, entry, part=part, merger=merger
                )
                if counts.written:
                    writer.one(
                        "tenant_load_record", self.of.name, "load", run_id, entry.file_id,
                        counts.inserted, counts.updated, 0,
                    )  # fmt: skip
                self._insist_on_unchanged()
                self._expect(entry, part)
        except TooManyRejects as error:
            error.hint = (
                f"see them in tenant_rejected, with run_id = {run_id} and app.tenant_id set; then "
                "read the file otherwise, or allow more: --max-rejects N|P%"
            )
            with self._own(writer):
                entry = self._entry(self._begun(writer, run_id))
                refuse_part(writer, error, run_id, entry, part=part)
                self._expect(entry, part)
        self._accept()

    def _dry(self, writer: Connection, reading: Reading, part: Part) -> FileResult:
        """What a load would come to; the transaction, in which only the stage is, is undone."""
        merger = self._merger(writer, part, dry=True)
        entry = self._entry(self.done)
        try:
            with self._own(writer):
                merger.send(part.passing(self._pieces(reading)))
                try:
                    entry.check_limit(part.tally)
                    entry.add(part.tally, counts_of(part, merger.merge(None, None)))
                except TooManyRejects as error:
                    entry.refuse(part.tally, counts_of(part, None), error)
                raise _Undone
        except _Undone:
            return self._with_notes(entry.result)

    def _merger(self, writer: Connection, part: Part, *, dry: bool) -> StageMerger:
        accept = self.run.settings.accept
        return StageMerger(writer, self.of, part.tally, self.source.name, accept, dry=dry)

    @contextmanager
    def _own(self, writer: Connection) -> Iterator[None]:
        """A transaction of the tenant."""
        with writer.transaction():
            writer.run("tenant_set", self.tenant.id, self.tenant.name)
            yield

    def _pieces(self, reading: Reading) -> Iterator[PendingDiff]:
        """The rows, until the load is cancelled. Shows progress."""
        layout, run, name = None, self.run, self.source.name
        where = run.settings.where
        unwanted = Unwanted(name, where)
        periods = Periods(self.of, where, name)
        for batch in from_first_fit(reading.batches):
            run.stop_if_cancelled()
            wanted = selected(batch.frame, where, name)
            if layout is None and wanted.is_empty() and not batch.frame.is_empty():
                unwanted.add(batch.frame)
                yield PendingDiff(
                    UniqueBatch(
                        pl.DataFrame(schema=schema(self.of)),
                        series_of(pl.DataFrame(schema=schema(self.of)), self.of),
                        read=batch.frame.height, skipped=batch.frame.height,
                    )
                )  # fmt: skip
                continue
            if layout is None:
                layout = decide(wanted, self.of, run.settings, name, self.source.full_path)
                notes = (*noted("reading", reading.notes), *layout.notes)
                self._notes.set_layout(notes, (), self.done.notes)
                self.done = replace(self.done, notes=notes)
            periods.look(wanted, layout)
            found: Rows = rows(batch, self.of, layout, (self.tenant.id, self.tenant.name))
            for name, count in found.rounded.items():
                self._rounded[name] = self._rounded.get(name, 0) + count
            yield PendingDiff(found.unique)
            self._shown += batch.frame.height
            run.emit(RowsDone(self.source.name, batch.frame.height))
        if layout is None and (error := unwanted.error()) is not None:
            raise error

    def _begun(self, writer: Connection, run_id: int) -> FileResult:
        file_id = ledger.begin(
            writer, run_id, self.source, self.done.content_hash,
            self.run.fingerprint_of(self.source), time.monotonic() - self._began,
        )  # fmt: skip
        return replace(self.done, file_id=file_id)

    def _entry(self, before: FileResult) -> FileEntry:
        return FileEntry(
            before,
            "loaded",
            limit=self.run.settings.max_rejects,
            notes=self._notes,
            covered=0,
            partitioned=False,
            run_id=self.run.run_id,
        )

    def _with_notes(self, result: FileResult) -> FileResult:
        more = noted("numbers", rounded_notes(self._rounded, self.of))
        return replace(result, notes=(*result.notes, *more))

    def _expect(self, entry: FileEntry, part: Part) -> None:
        """Remembers what to accept if the commit succeeds."""
        self._pending = self._with_notes(entry.result), dict(part.tally.rules)

    def _accept(self) -> None:
        assert self._pending is not None
        self.done, rules = self._pending
        self.ended, self._shown, self._pending = True, 0, None
        self._notes.tell_parts(self.done.notes)
        self.run.emit(Committed(self.source.name, self.done.counts, rules))

    def _insist_on_unchanged(self) -> None:
        if identity(self.source) != self._as_hashed:
            raise Unfinished.of(
                self.source.name,
                "changed while it was being read; nothing of it was kept",
                hint="wait until it is written whole, then run the same command again",
            )


class _Undone(Exception):
    """Rolls a dry run's transaction back."""


def _keep(of: Dataset, session: object, frames: object, run_id: object, file_id: object) -> int:
    return keep_rejects(session, of, frames, run_id, file_id)  # type: ignore[arg-type]

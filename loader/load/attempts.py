"""A file until it is done: known content is passed by, what can be retried is."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import replace

from loader.check.unique import MayRepeat
from loader.db import retries
from loader.errors import (
    Cancelled,
    ConnectionLost,
    Contended,
    DatabaseError,
    MdloadError,
    Unfinished,
    UnreadableFile,
)
from loader.events import FileDone, FileNote, FileStarted
from loader.load.file import STOPPED, FileWork, identity
from loader.load.run import LoadMode, LoadRun
from loader.read.sources import Source, content_hash
from loader.results import Counts, FileResult, FileState
from loader.store.runs import ledger
from loader.text import redact

FIRST_WAY = LoadMode()
#: Nobody writes to a file with longer pauses.
YOUNG_SECONDS = 900.0


def load_file(job: LoadRun, source: Source) -> FileResult:
    """One source file, whatever comes of it: errors of mdload's own kinds become the result."""
    job.emit(FileStarted(source.name, source.size_bytes))
    attempts = _Attempts(job, source)
    try:
        result = attempts.load()
    except MdloadError as error:
        result = attempts.failed(error)
    job.emit(FileDone(result))
    return result


class _Attempts:
    """A file, and how far it has come over the attempts so far."""

    def __init__(self, job: LoadRun, source: Source) -> None:
        self._job = job
        self._source = source
        self._done = FileResult(source.name, "loaded", size_bytes=source.size_bytes)
        self._way = replace(FIRST_WAY, partition=True) if job.settings.by_time else FIRST_WAY
        self._asks_ledger = not job.settings.force
        self._work: FileWork | None = None
        self._identity = (0, 0)

    def load(self) -> FileResult:
        if self._source.trouble is not None:
            raise self._source.trouble
        self._identity = identity(self._source)  # before it is hashed: a change must show
        self._done = replace(self._done, content_hash=content_hash(self._source))
        for attempt in range(1, retries.ATTEMPTS + 1):
            try:
                self._learn()
                return self._known() or self._once()
            except MayRepeat:
                self._work = None
                self._way = replace(self._way, partition=True, resume_at=0)
                note = "not in order of time within each symbol: read twice, to find repeated keys"
            except (Contended, ConnectionLost) as error:
                if attempt == retries.ATTEMPTS:
                    raise
                if isinstance(error, Contended):
                    self._way = replace(self._way, direct=False)
                note = f"attempt {attempt} of {retries.ATTEMPTS} failed ({error}); running it again"
                self._pause(attempt, error)
            self._job.emit(FileNote(self._source.name, note))
        raise AssertionError("unreachable")

    def failed(self, error: MdloadError) -> FileResult:
        """What is left of the file after `error`: parts that were committed stay."""
        if self._job.cancelled.is_set() and not isinstance(error, Cancelled):
            error = Cancelled(STOPPED)  # what the server said of the statement that was stopped
        with suppress(DatabaseError):  # the error in hand says more than one about the ledger
            self._learn()
        if isinstance(error, Unfinished) and self._may_still_be_written():
            note = f"left for the next run, as it seems to be still written: {redact(str(error))}"
            self._job.emit(FileNote(self._source.name, note))
            return replace(self._done, state="unfinished", notes=(note,))
        state: FileState = "cancelled" if isinstance(error, Cancelled) else "failed"
        result = replace(
            self._done,
            state="partial" if self._done.file_id else state,
            error=redact(str(error)), hint=error.hint, exit_code=error.exit_code,
            retryable=error.retryable,
        )  # fmt: skip
        with suppress(DatabaseError):
            resumable = 0 if self._way.partition else self._way.resume_at
            return _recorded(self._job, self._source, result, resumable)
        return result

    def _may_still_be_written(self) -> bool:
        """Whether the job leaves such a file, nothing of it is committed, and it is young."""
        left = self._job.settings.leaves_unfinished and not self._source.is_copy
        if not left or self._done.file_id:
            return False
        with suppress(UnreadableFile):
            _, changed_ns = identity(self._source)
            return time.time() - changed_ns / 1e9 < YOUNG_SECONDS
        return True  # it was renamed or replaced this moment

    def _learn(self) -> None:
        """Takes over what the attempt before has committed."""
        if self._work is not None:
            self._work.settle()
            self._done = self._work.done
            self._way = replace(self._way, resume_at=self._work.covered)

    def _known(self) -> FileResult | None:
        """The result, if the content is loaded already under this configuration. Where a part of
        it is, sets the way to go on after that."""
        if not self._asks_ledger:
            return None
        assert self._done.content_hash is not None
        with self._job.connection(autocommit=True) as reader:
            fingerprint = self._job.fingerprint_of(self._source)
            seen = ledger.known(reader, self._done.content_hash, fingerprint, self._source.name)
        if seen and seen.stands:
            note = (
                f"loaded already by run {seen.run_id} under the same settings "
                "(--force loads it again)"
            )
            result = replace(self._done, state="known", notes=(note,))
            result = _recorded(self._job, self._source, result)
            self._job.emit(FileNote(self._source.name, note))
            return result
        self._asks_ledger = False
        if seen and seen.whole:
            self._tell_of_changes(seen)
        before, run_id = self._job.before.get(self._source.name, (None, 0))
        if before not in (None, self._done.content_hash):
            note = f"changed since run {run_id} had it: loaded again"
            self._job.emit(FileNote(self._source.name, note))
        if seen and seen.rows_resumable and self._job.settings.commit_every:
            self._way = replace(self._way, resume_at=seen.rows_resumable)
            note = f"goes on after row {seen.rows_resumable:,}, up to where run {seen.run_id} came"
            self._job.emit(FileNote(self._source.name, note))
        return None

    def _tell_of_changes(self, seen: ledger.Known) -> None:
        why = (
            f"run {seen.replaced_by} found another content under this path since"
            if seen.replaced_by
            else "bars of its symbols were changed since"
        )
        self._job.emit(
            FileNote(self._source.name, f"loaded before by run {seen.run_id}, and again: {why}")
        )

    def _once(self) -> FileResult:
        if self._work is None or not self._work.ended:
            self._work = FileWork(self._job, self._source, self._identity, self._done, self._way)
            try:
                self._work.load()
            except BaseException:
                self._work.forget_progress()
                raise
        return self._work.done

    def _pause(self, attempt: int, error: MdloadError) -> None:
        if self._job.cancelled.wait(retries.pause(attempt)):
            raise Cancelled("cancelled while waiting to run a file again") from error


def _recorded(
    job: LoadRun, source: Source, result: FileResult, rows_resumable: int = 0
) -> FileResult:
    """The ledger's word on a file of which nothing more was written."""
    if job.run_id is None:
        return result
    with job.connection(cancellable=False) as writer, writer.transaction():
        if result.file_id is None:
            fingerprint = job.fingerprint_of(source)
            file_id = ledger.begin(
                writer, job.run_id, source, result.content_hash, fingerprint, 0.0
            )
            result = replace(result, file_id=file_id)
        assert result.file_id is not None
        ledger.end(writer, result.file_id, result, Counts(), rows_resumable)
    return result

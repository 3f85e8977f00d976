"""One file, until it is loaded or has failed: skips known content, retries what may pass."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import replace
from itertools import count

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
from loader.ingest.file import FileWork
from loader.ingest.run import STOPPED, LoadMode, LoadRun
from loader.ingest.run.apart import taken_over
from loader.ingest.run.protocols import Work
from loader.ingest.run.recognised import note_of, notes_again
from loader.read.panics import panics
from loader.read.sources import Identity, Source, content_hash, identity
from loader.results import Counts, FileResult, FileState, Note
from loader.results.events import FileDone, FileNote, FileStarted
from loader.store.runs import ledger
from loader.text import redact

FIRST_MODE = LoadMode()
#: A file that has not changed for longer is not being written any more.
YOUNG_SECONDS = 900.0


def load_file(run: LoadRun, source: Source) -> FileResult:
    """Loads one source file. Errors of mdload's own kinds become part of the result."""
    run.emit(FileStarted(source.name, source.size_bytes))
    attempts = _Attempts(run, source)
    try:
        with panics(source.name):
            result = attempts.load()
    except MdloadError as error:
        result = attempts.failed(error)
    run.losses.learn(result)
    run.emit(FileDone(result))
    return result


class _Attempts:
    """One file, and how much of it the attempts so far have loaded."""

    def __init__(self, run: LoadRun, source: Source) -> None:
        self._run = run
        self._source = source
        self._done = FileResult(source.name, "loaded", size_bytes=source.size_bytes)
        self._mode = replace(FIRST_MODE, partition=True) if run.settings.by_time else FIRST_MODE
        self._asks_ledger = run.asks_ledger
        self._work: Work | None = None
        self._identity = (0, 0)
        self._first_outage: int | None = None

    def load(self) -> FileResult:
        if self._source.trouble is not None:
            raise self._source.trouble
        self._identity, digest = self._hashed()
        self._done = replace(self._done, content_hash=digest)
        for attempt in count(1):
            began = time.monotonic()
            try:
                self._take_over()
                assert self._done.content_hash is not None
                with self._run.alone([(self._source, self._done.content_hash)]) as (done,):
                    if done is not None:
                        result = taken_over(self._run, self._source, done)
                    else:
                        result = self._known() or self._attempt()
                self._run.outage.over()
                return result
            except MayRepeat:
                self._work = None
                self._mode = replace(self._mode, partition=True, resume_at=0)
                note = "not in order of time within each symbol: read twice, to find repeated keys"
            except Contended as error:
                if attempt >= retries.ATTEMPTS:
                    raise
                self._mode = replace(self._mode, direct=False)
                note = f"attempt {attempt} of {retries.ATTEMPTS} failed ({error}); trying again"
                self._pause(attempt, error)
            except ConnectionLost as error:
                outage = self._run.outage.lost(time.monotonic() - began)
                if attempt >= retries.ATTEMPTS and not self._waits_for(outage):
                    raise
                note = f"attempt {attempt} failed ({error}); trying again"
                self._pause(attempt, error)
            self._run.emit(FileNote(self._source.name, Note("run", note)))
        raise AssertionError("unreachable")

    def _waits_for(self, outage: int | None) -> bool:
        """Whether the file waits for the end of this outage: not of a long one, and not if there
        were many since its first attempts, because then it may be their cause."""
        if outage is not None and self._first_outage is None:
            self._first_outage = outage
        return outage is not None and outage - (self._first_outage or 0) < retries.ATTEMPTS

    def _hashed(self) -> tuple[Identity, str]:
        meanwhile = self._run.meanwhile
        if meanwhile is not None and meanwhile.source is self._source:
            return meanwhile.found()
        before = identity(self._source)  # before hashing, so that a change shows
        return before, content_hash(self._source, self._run.stop_if_cancelled)

    def failed(self, error: MdloadError) -> FileResult:
        """The file's result after `error`. Parts that were committed stay."""
        if self._run.cancelled.is_set() and not isinstance(error, Cancelled):
            # The error in hand is the server's, about the cancelled statement.
            error = Cancelled(STOPPED)
        with suppress(DatabaseError):  # this error says more than one about the ledger would
            self._take_over()
        if isinstance(error, Unfinished) and self._may_still_be_written():
            note = f"left for the next run: it may still be being written ({redact(str(error))})"
            self._run.emit(FileNote(self._source.name, Note("run", note)))
            return replace(self._done, state="unfinished", notes=(Note("run", note),))
        state: FileState = "cancelled" if isinstance(error, Cancelled) else "failed"
        result = replace(
            self._done,
            state="partial" if self._done.file_id else state,
            error=redact(str(error)), fault=redact(error.fault), hint=error.hint,
            exit_code=error.exit_code,
            retryable=error.retryable,
        )  # fmt: skip
        with suppress(DatabaseError):
            resumable = 0 if self._mode.partition else self._mode.resume_at
            return recorded(self._run, self._source, result, resumable)
        return result

    def _may_still_be_written(self) -> bool:
        """Whether the next run gets the file: the job leaves unfinished files, no part of this one
        is committed, and it changed a short time ago."""
        left = self._run.settings.leaves_unfinished and not self._source.is_copy
        if not left or self._done.file_id:
            return False
        with suppress(UnreadableFile):
            _, changed_ns = identity(self._source)
            # A clock that jumps back leaves stamps in the future: those are not young for ever.
            return abs(time.time() - changed_ns / 1e9) < YOUNG_SECONDS
        return True  # it has just been renamed or replaced

    def _take_over(self) -> None:
        """Takes over what the attempt before this one has committed."""
        if self._work is not None:
            self._work.settle()
            self._done = self._work.done
            self._mode = replace(self._mode, resume_at=self._work.covered)

    def _known(self) -> FileResult | None:
        """The result, if the content is loaded already under this configuration. If a part of it
        is, the attempts go on after that part."""
        if not self._asks_ledger:
            return None
        assert self._done.content_hash is not None
        with self._run.connection(autocommit=True) as reader:
            fingerprint = self._run.fingerprint_of(self._source)
            asked = ledger.Asked(self._done.content_hash, fingerprint, self._source.name)
            (seen,) = ledger.known(reader, [asked])
            lost = None
            if seen and seen.stands and self._run.others is None:
                chunks = self._run.in_chunks(reader)
                lost = self._run.losses.of(reader, seen, in_chunks=chunks)
        deletes = bool(seen and seen.lacks and self._run.settings.delete_gone)
        others = self._run.others
        changed = bool(seen and others and others.changed_since(self._run, seen.run_id))
        if seen and seen.stands and not deletes and not changed and not (lost and lost.open):
            why = note_of(seen, lost)
            result = replace(self._done, state="known", notes=(why,))
            result = recorded(self._run, self._source, result)
            self._run.emit(FileNote(self._source.name, why))
            return result
        self._asks_ledger = False
        for why in notes_again(self._run, asked, seen, lost):
            self._run.emit(FileNote(self._source.name, why))
        parts = seen is not None and not seen.whole and seen.rows_resumable
        if seen and parts and self._run.settings.commit_every:
            self._mode = replace(self._mode, resume_at=seen.rows_resumable)
            note = f"resuming after row {seen.rows_resumable:,}, where run {seen.run_id} stopped"
            self._run.emit(FileNote(self._source.name, Note("run", note)))
        return None

    def _attempt(self) -> FileResult:
        if self._work is None or not self._work.ended:
            begin = FileWork if self._run.others is None else self._run.others.attempt
            self._work = begin(self._run, self._source, self._identity, self._done, self._mode)
            try:
                self._work.load()
            except BaseException:
                self._work.forget_progress()
                raise
        return self._work.done

    def _pause(self, attempt: int, error: MdloadError) -> None:
        if self._run.cancelled.wait(retries.pause(attempt)):
            raise Cancelled("cancelled while waiting to run a file again") from error


def was_not_loaded(result: FileResult) -> bool:
    """Whether a process that loads for another one leaves it to that to record the file. It may end
    between its record and its answer, and the file would get a second row."""
    return result.exit_code != 0 and result.file_id is None


def recorded_for(run: LoadRun, source: Source, result: FileResult) -> FileResult:
    """The result that another process gave, in the ledger, if that has left it to this one."""
    if was_not_loaded(result):
        with suppress(DatabaseError):  # its own error says more
            return recorded(run, source, result)
    return result


def recorded(
    run: LoadRun, source: Source, result: FileResult, rows_resumable: int = 0
) -> FileResult:
    """Records a file in the ledger that gets no more parts; returns it with its id. A file that is
    left to another process gets its row there."""
    if run.run_id is None or run.leaves(result):
        return result
    with run.connection(cancellable=False) as writer, writer.transaction():
        if result.file_id is None:
            fingerprint = run.fingerprint_of(source)
            if result.state == "known":
                (file_id,) = ledger.add_known(writer, run.run_id, [source], [result], [fingerprint])
                return replace(result, file_id=file_id)
            file_id = ledger.begin(
                writer, run.run_id, source, result.content_hash, fingerprint, 0.0
            )
            result = replace(result, file_id=file_id)
        assert result.file_id is not None
        ledger.end(writer, result.file_id, result, Counts(), rows_resumable)
    return result

"""A file until it is done: known content is passed by, what can be retried is."""

from __future__ import annotations

import random
from contextlib import suppress
from dataclasses import replace

from loader import files
from loader.duplicates import MayRepeat
from loader.errors import (
    Cancelled,
    ConnectionLost,
    Contended,
    DatabaseError,
    MdloadError,
)
from loader.events import FileDone, FileNote, FileStarted
from loader.filework import FileWork
from loader.job import Job, Way
from loader.results import FileResult
from loader.sources import Source, content_hash

#: Attempts at a file's transaction when another writer or a lost connection is in the way.
ATTEMPTS = 8
FIRST_WAY = Way()


def load_file(job: Job, source: Source) -> FileResult:
    """One source file, whatever comes of it: errors of mdload's own kinds become the result."""
    job.emit(FileStarted(source.name, source.size_bytes, None))
    digest: str | None = None
    try:
        digest = content_hash(source)
        result = _attempts(job, source, digest)
    except MdloadError as error:
        result = _failed(job, source, digest, error)
    job.emit(FileDone(result))
    return result


def _attempts(job: Job, source: Source, digest: str) -> FileResult:
    way = FIRST_WAY
    done = FileResult(source.name, "loaded", content_hash=digest, size_bytes=source.size_bytes)
    for attempt in range(1, ATTEMPTS + 1):
        work = FileWork(job, source, done, way)
        try:
            if attempt == 1 and not job.settings.force:
                with job.connection(autocommit=True) as reader:
                    seen = files.known(reader, digest, job.fingerprint)
                if seen and seen.whole:
                    return _known(job, done, source, seen)
                if seen and job.settings.commit_every:
                    work.way = replace(way, resume_at=seen.rows_resumable)
            return work.load()
        except MayRepeat:
            way = replace(way, partition=True, resume_at=0)
            note = "not in order of time within each symbol: read twice, to find repeated keys"
        except (Contended, ConnectionLost) as error:
            if attempt == ATTEMPTS:
                raise
            direct = work.way.direct and not isinstance(error, Contended)
            way = replace(work.way, direct=direct, resume_at=work.covered)
            done = work.done
            note = f"attempt {attempt} of {ATTEMPTS} failed ({error}); running it again"
            pause = random.uniform(0.5, 1.0) * min(0.1 * 2**attempt, 10.0)  # noqa: S311
            if job.cancelled.wait(pause):
                raise Cancelled("cancelled while waiting to run a file again") from error
        work.forget_progress()
        job.emit(FileNote(source.name, note))
    raise AssertionError("unreachable")


def _known(job: Job, done: FileResult, source: Source, seen: files.Known) -> FileResult:
    """Content that is loaded already under this configuration: recorded, not read again."""
    note = f"loaded already by run {seen.run_id} under the same settings (--force loads it again)"
    job.emit(FileNote(source.name, note))
    return _recorded(job, source, replace(done, state="known", notes=(note,)))


def _failed(job: Job, source: Source, digest: str | None, error: MdloadError) -> FileResult:
    result = FileResult(
        source.name,
        "cancelled" if isinstance(error, Cancelled) else "failed",
        content_hash=digest, size_bytes=source.size_bytes,
        error=str(error), hint=error.hint, exit_code=error.exit_code,
    )  # fmt: skip
    with suppress(DatabaseError):  # the error in hand says more than that it cannot be recorded
        return _recorded(job, source, result)
    return result


def _recorded(job: Job, source: Source, result: FileResult) -> FileResult:
    """A row in the ledger for a file of which nothing was written."""
    if job.run_id is None:
        return result
    with job.connection() as writer, writer.transaction():
        file_id = files.begin(writer, job.run_id, source, result.content_hash, job.fingerprint, 0.0)
        result = replace(result, file_id=file_id)
        files.end(writer, file_id, result, result.counts)
    return result

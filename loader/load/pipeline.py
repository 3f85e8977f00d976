"""The way of a load, from sources to the recorded run.

source -> read -> layout, normalise, validate -> one row per key -> compare with the store
       -> new bars straight in, changed ones through the stage -> rejects, ledger, counts -> commit

This module runs files side by side and keeps the run's record; `attempts` takes one file to its
end, and `filework` is its transaction.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, suppress

from loader.check.file import check_settings
from loader.errors import Cancelled, DatabaseError
from loader.events import Event, FileNote, Listener, RunDone, RunStarted
from loader.load.attempts import load_file
from loader.load.run import LoadRun
from loader.read.sources import Source
from loader.results import ChunkWrites, FileResult, LoadResult, RunStatus
from loader.settings import Settings
from loader.store.runs import JobRunTracker, ledger
from loader.store.runs.fingerprint import compute_config_fingerprint

#: Sources that are named in the run's metadata; the ledger has them all.
LISTED = 20


def load(
    settings: Settings,
    url: str,
    sources: Sequence[Source],
    listeners: Iterable[Listener] = (),
    about: Mapping[str, object] | None = None,
) -> LoadResult:
    """Loads `sources` into the database at `url` and records it as one job run, with what its
    metadata shall say `about` it.

    A file that cannot be loaded does not stop the others: it is in the result, with its error.
    KeyboardInterrupt (or any exception raised in this thread) cancels what is under way, file by
    file, waits for that, and goes on. A dry run reads, compares and counts, and writes nothing.

    Raises:
        SettingsError, UnknownDialect: a setting is wrong whatever the files are.
        DatabaseError: the run could not be recorded at all.
    """
    started = time.monotonic()
    check_settings(settings)
    told = tuple(listeners)

    def emit(event: Event) -> None:
        for listener in told:
            listener(event)

    fingerprint = compute_config_fingerprint(settings.meaning.as_config())
    with ExitStack() as stack:
        run = None
        if not settings.dry_run:
            tracker = stack.enter_context(JobRunTracker(url))
            run = stack.enter_context(
                tracker.run(
                    settings.job_name,
                    settings.dataset,
                    settings.provider,
                    settings.mode,
                    config_fingerprint=fingerprint,
                    metadata={
                        "sources": [s.name for s in sources[:LISTED]],
                        "files": len(sources),
                        **(about or {}),
                    },
                )
            )
        job = LoadRun(settings, url, run.id if run else None, fingerprint, emit)
        stack.callback(job.close)
        name, provider, mode = settings.job_name, settings.provider, settings.mode
        emit(RunStarted(job.run_id, len(sources), name, provider, mode))
        with suppress(DatabaseError), job.connection(autocommit=True) as reader:
            job.before = ledger.before(reader, settings.job_name, (s.name for s in sources))
        wal = _wal_position(job)
        files = tuple(_all_files(job, sources))
        wal_bytes = None if wal is None or settings.dry_run else (_wal_position(job) or wal) - wal
        chunks = _followed(job)
        status = _status(files)
        if run is not None:
            run.end(status, "; ".join(f.error for f in files if f.error)[:2000] or None)
    elapsed_ms = int((time.monotonic() - started) * 1000)
    result = LoadResult(job.run_id, status, files, elapsed_ms, wal_bytes, settings.dry_run, chunks)
    emit(RunDone(result))
    return result


def _all_files(job: LoadRun, sources: Sequence[Source]) -> list[FileResult]:
    """Results in the order of the sources, `workers` files at a time."""
    with ThreadPoolExecutor(job.settings.workers, thread_name_prefix="mdload-file") as pool:
        pending: list[Future[FileResult]] = [pool.submit(load_file, job, s) for s in sources]
        try:
            return [future.result() for future in pending]
        except BaseException:
            for future in pending:
                future.cancel()
            while not all(future.done() for future in pending):
                job.cancel()  # again and again: a statement may begin just after it was asked
                wait(pending, timeout=0.2)
            raise


def _followed(job: LoadRun) -> tuple[ChunkWrites, ...]:
    """What TimescaleDB does after the load, which stands whatever becomes of that."""
    if job.run_id is None or job.cancelled.is_set():
        return ()
    try:
        return job.behind.finish()
    except DatabaseError as error:
        text = f"chunks may not be compressed and rollups not up to date: {error}"
        job.emit(FileNote("TimescaleDB", text))
        return ()


def _status(files: Sequence[FileResult]) -> RunStatus:
    if any(f.exit_code == Cancelled.exit_code for f in files):
        return "cancelled"
    return "failure" if any(f.exit_code for f in files) else "success"


def _wal_position(job: LoadRun) -> int | None:
    """Bytes of write-ahead log so far, of the whole server; None where it does not tell."""
    with suppress(DatabaseError), job.connection(autocommit=True) as connection:
        return int(connection.one("wal_position")[0])
    return None

"""A load, from its sources to the recorded run.

source -> read -> layout, normalise, validate -> one row per key -> compare with the store
       -> new bars by COPY, changed ones through the stage -> rejects, ledger, counts -> commit

This module loads files side by side and keeps the run's record; `attempts` loads one file, with
retries; `file` is one attempt at it, and `part` is its transaction.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, suppress
from functools import partial
from typing import Final, TypeVar

from loader.bars import forks
from loader.check.file import check_settings
from loader.db.cancelling import on_main
from loader.db.pooler import sessions_of
from loader.db.retries import outage_seconds
from loader.db.rows import expect_sessions
from loader.dialects.filenames import refuse_unread_folders, wanted
from loader.dialects.siblings import Siblings
from loader.errors import Cancelled, DatabaseError, SettingsError
from loader.ingest import known_at
from loader.ingest.attempts import load_file
from loader.ingest.run import LoadRun, durable, order
from loader.ingest.run.hashed import hash_first
from loader.ingest.run.protocols import Others, Plans, Replaying
from loader.ingest.run.turns import Turns, Way, load_in_turn
from loader.read.sources import Source
from loader.results import ChunkWrites, FileResult, LoadResult, Note, RunStatus
from loader.results.events import Event, FileNote, Listener, MoreFiles, RunDone, RunStarted
from loader.settings import Settings
from loader.store.runs import JobRunTracker, ledger
from loader.store.runs.fingerprint import compute_config_fingerprint
from loader.text import counted

T = TypeVar("T")
#: Loads the sources of a run: their results, in their order.
AllFiles = Callable[[LoadRun, Sequence[Source]], list[FileResult]]

#: In a thread of this process.
HERE: Final = Way(load_file)
#: Seconds for files to end by themselves once the load is cancelled.
_PATIENCE = 0.8
#: Seconds after which the main thread looks for signals again.
_LOOK = 0.5
#: Sources listed in the run's metadata; the ledger has them all.
LISTED = 20


def load(
    settings: Settings,
    url: str,
    sources: Sequence[Source],
    listeners: Iterable[Listener] = (),
    about: Mapping[str, object] | None = None,
    replay: Replaying | None = None,
    plan: Plans | None = None,
    others: Others | None = None,
    elsewhere: AllFiles | None = None,
) -> LoadResult:
    """Loads `sources` into the database at `url` and records the load as one job run. `about` is
    added to the run's metadata. `replay` is given if the sources are rejected rows,
    `plan` keeps what a dry run would write, `others` reads files that are not bars, `elsewhere`
    loads the files in other processes.

    A file that cannot be loaded does not stop the others: the result has it, with its error.
    KeyboardInterrupt (or any exception raised in this thread) cancels the files that are being
    loaded, waits for them to end, and is raised on. A dry run reads, compares and counts, and
    writes nothing.

    Raises:
        SettingsError, UnknownDialect: a setting is wrong, whatever the files are.
        ForkedProcess: see `loader.bars.forks`.
        DatabaseError: the run could not be recorded at all.
    """
    forks.refuse()
    started = time.monotonic()
    check_settings(settings)
    outage_seconds()  # refuses a wrong number before there is a run
    known_at.check(settings)
    expect_sessions(url, sessions_of(settings.workers))
    refuse_unread_folders((source.full_path for source in sources), settings.meaning)
    listening = tuple(listeners)

    def emit(event: Event) -> None:
        for listener in listening:
            listener(event)

    own = own_of(settings, sources)
    meaning = {**settings.fingerprinted, **(others.meaning if others else {})}
    fingerprint = compute_config_fingerprint(meaning)
    with ExitStack() as stack:
        record = None
        if not settings.dry_run:
            tracker = stack.enter_context(JobRunTracker(url, metrics=None))
            record = stack.enter_context(
                tracker.run(
                    settings.job_name,
                    settings.dataset,
                    settings.provider,
                    settings.mode,
                    config_fingerprint=fingerprint,
                    metadata={
                        "sources": [s.name for s in own[:LISTED]],
                        "files": len(own),
                        **({"shard": str(settings.shard)} if settings.shard else {}),
                        **({"accept": list(settings.accept)} if settings.accept else {}),
                        **settings.part.as_config(),
                        **(about or {}),
                    },
                )
            )
        run = LoadRun(settings, url, record.id if record else None, fingerprint, emit)
        # All shards: what a file is does not depend on how the work is divided.
        run.paths = {source.name: source.full_path for source in sources}
        run.replay, run.plan, run.others = replay, plan, others
        run.defers_commits = run.run_id is not None and len(own) > 1
        run.siblings = Siblings(p for p in run.paths.values() if wanted(p, settings.where))
        stack.callback(run.close)
        name, provider, mode = settings.job_name, settings.provider, settings.mode
        size = sum(source.size_bytes for source in own)
        emit(RunStarted(run.run_id, len(own), name, provider, mode, size))
        ordered = known_at.in_order(settings, own)
        run.meanwhile = hash_first(run, ordered) if elsewhere is None else None
        if settings.shard is not None:
            said = f"has {len(own):,} of {counted(len(sources), 'file')}"
            emit(FileNote(f"shard {settings.shard}", Note("run", said)))
        run.earlier = _stoppable(run, lambda: _earlier(run, own))
        run.losses.began_empty = _stoppable(run, lambda: _is_empty(run))
        wal = _stoppable(run, lambda: _wal_position(run))
        files = tuple((elsewhere or _all_files)(run, ordered))
        if not run.cancelled.is_set():
            files = _stoppable(run, partial(durable.confirmed, run, _righted(run, ordered, files)))
        wal_bytes = None
        if wal is not None and not settings.dry_run and not run.cancelled.is_set():
            wal_bytes = (_stoppable(run, lambda: _wal_position(run)) or wal) - wal
        chunks = _stoppable(run, lambda: _upkeep(run))
        status = _status(files)
        if record is not None:
            record.end(status, "; ".join(f.error for f in files if f.error)[:2000] or None)
    elapsed_ms = int((time.monotonic() - started) * 1000)
    shard = str(settings.shard) if settings.shard else None
    result = LoadResult(
        run.run_id, status, files, elapsed_ms, wal_bytes, settings.dry_run, chunks, shard=shard
    )
    emit(RunDone(result))
    return result


def own_of(settings: Settings, sources: Sequence[Source]) -> Sequence[Source]:
    """Those of `sources` that are in the shard, or all of them.

    Raises:
        SettingsError: one is a pipe, which has no name that would tell the shard.
    """
    if settings.shard is None:
        return sources
    if any(source.name == "stdin" and source.is_copy for source in sources):
        raise SettingsError(
            "cannot divide standard input, which has no name", option="--shard",
            hint="name files, folders or URLs",
        )  # fmt: skip
    return [source for source in sources if settings.shard.has(source.name)]


def _all_files(run: LoadRun, sources: Sequence[Source]) -> list[FileResult]:
    workers = 1 if run.settings.known_at_from else run.settings.workers
    return side_by_side(run, dict(enumerate(sources)), [HERE] * workers)


def side_by_side(
    run: LoadRun,
    sources: Mapping[int, Source],
    ways: Sequence[Way],
    stop: Callable[[], None] = lambda: None,
) -> list[FileResult]:
    """Results in the order of the sources, which have their numbers in the run. They are loaded in
    as many `ways` at a time. An exception in this thread, such as Ctrl-C, ends the wait for those
    that do not end by themselves; they commit nothing. `stop` cancels what is loaded elsewhere."""
    pool = ThreadPoolExecutor(len(ways), thread_name_prefix="mdload-file")
    turns = Turns(sources.items(), len(ways), run.order)
    pending: set[Future[None]] = set()
    try:
        for way in ways[: len(sources)]:
            pending.add(pool.submit(load_in_turn, run, turns, way))
        while pending:
            # In steps: a signal that comes just before a wait begins would be noticed at its end.
            ended, pending = wait(pending, timeout=_LOOK, return_when=FIRST_EXCEPTION)
            for future in ended:
                future.result()
    except BaseException:
        turns.end()
        stop()
        pool.shutdown(wait=False, cancel_futures=True)
        run.cancel()  # it may have come before the first was `pending`
        given_up = time.monotonic() + _PATIENCE
        while not all(future.done() for future in pending) and time.monotonic() < given_up:
            run.cancel()  # repeatedly: a statement may begin just after the cancel
            wait(pending, timeout=0.2)
        raise
    pool.shutdown()
    return turns.all_results


def _righted(
    run: LoadRun, sources: Sequence[Source], files: Sequence[FileResult]
) -> tuple[FileResult, ...]:
    """The results, and then those of files that are loaded again: see `loader.ingest.run.order`."""
    latest, again = dict(enumerate(files)), list[FileResult]()
    while late := _stoppable(run, partial(order.overtaken, run, latest)):
        left = {number: sources[number] for number in sorted(late)}
        adding = run.settings.delete_gone
        notes = [order.why(latest[late[number]], adding=adding) for number in left]
        run.emit(MoreFiles(len(left), sum(source.size_bytes for source in left.values())))
        for source, note in zip(left.values(), notes, strict=True):
            run.emit(FileNote(source.name, note))
        run.asks_ledger = False
        done = side_by_side(run, left, [HERE])
        done = _stoppable(run, partial(order.noted, run, done, notes))
        latest.update(zip(left, done, strict=True))
        again += done
    return (*files, *again)


def _stoppable(run: LoadRun, work: Callable[[], T]) -> T:
    """Does `work`, which a signal can end although the driver would wait for the server."""
    try:
        return on_main(work)
    except BaseException:
        run.cancel()
        raise


def _earlier(run: LoadRun, sources: Iterable[Source]) -> Mapping[str, tuple[str, int]]:
    """As `LoadRun.earlier`; empty where the server cannot say."""
    with suppress(DatabaseError), run.connection(autocommit=True) as reader:
        return ledger.before(reader, run.settings.job_name, (s.name for s in sources))
    return {}


def _is_empty(run: LoadRun) -> bool:
    """Whether no bar is stored; False where the server cannot say."""
    with suppress(DatabaseError), run.connection(autocommit=True) as reader:
        return not reader.one("bars_any")[0]
    return False


def _upkeep(run: LoadRun) -> tuple[ChunkWrites, ...]:
    """Compresses chunks and refreshes rollups after the load, which is committed in any case."""
    if run.run_id is None or run.cancelled.is_set():
        return ()
    try:
        return run.upkeep.finish()
    except DatabaseError as error:
        text = f"chunks may not be compressed and rollups not up to date: {error}"
        run.emit(FileNote("TimescaleDB", Note("run", text)))
        return ()


def _status(files: Sequence[FileResult]) -> RunStatus:
    if any(f.exit_code == Cancelled.exit_code for f in files):
        return "cancelled"
    return "failure" if any(f.exit_code for f in files) else "success"


def _wal_position(run: LoadRun) -> int | None:
    """Bytes of write-ahead log so far, of the whole server; None if the role may not ask."""
    with suppress(DatabaseError), run.connection(autocommit=True) as connection:
        return int(connection.one("wal_position")[0])
    return None

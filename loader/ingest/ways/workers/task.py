"""A worker's side: one file, by the brief that the worker has got."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

from distributed import Reschedule, Worker, get_worker

from loader.db.arrow import connect
from loader.errors import Cancelled, DatabaseError, MdloadError
from loader.ingest.attempts import load_file, was_not_loaded
from loader.ingest.ways.processes.brief import Hours, spanned
from loader.ingest.ways.workers.brief import Briefed
from loader.lazy import dataclass
from loader.read.sources import Source
from loader.results import FileResult
from loader.results.events import Event, FileDone, RowsDone
from loader.store.runs import ledger
from loader.store.timescale.chunks import HourCounts

#: Seconds between two words on how far a file has come.
_EVERY: Final = 0.5


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a file: its result, the events of its load without those of progress, and the
    bars that were written, by hour."""

    result: FileResult
    events: tuple[Event, ...]
    hours: tuple[HourCounts, ...]


class _State:
    """What the files that a worker loads share."""

    def __init__(self, briefed: Briefed, worker: Worker) -> None:
        self._briefed = briefed
        self._worker = worker
        self._lock = threading.Lock()
        self._events: dict[str, list[Event]] = {}
        self._numbers = {source.name: n for n, source in enumerate(briefed.sources)}
        self._rows: dict[str, tuple[int, int]] = {}
        self._told: dict[str, float] = {}
        self._hours = Hours()
        self.run = briefed.brief.run(self._hear, self._hours)
        self.run.alone, self.run.leaves = self._alone, self._leaves
        self._closing = False

    def load(self, number: int) -> Outcome:
        source = self._briefed.sources[number]
        found = self._hours.begin()
        with self._lock:
            self._events[source.name] = []
            self._rows[source.name] = 0, 0
        result = load_file(self.run, source)
        if self._closing and _was_cancelled(result):
            raise Reschedule
        with self._lock:
            events = self._events.pop(source.name)
        return Outcome(result, tuple(events), tuple(found))

    def close(self) -> None:
        """The load has ended, or the worker does: Dask gives what it is loading to another one."""
        self._closing = True
        self.run.cancel()
        self.run.close()

    def _leaves(self, result: FileResult) -> bool:
        """Nobody waits for the files of a load that is cancelled: the worker records these."""
        return self._closing if _was_cancelled(result) else was_not_loaded(result)

    def _hear(self, event: Event) -> None:
        path = event.result.path if isinstance(event, FileDone) else getattr(event, "path", "")
        with self._lock:
            if not isinstance(event, RowsDone):
                self._events.setdefault(path, []).append(event)
                return
            rows, size = self._rows.get(path, (0, 0))
            self._rows[path] = rows, size = rows + event.rows, size + event.size_bytes
            now = time.monotonic()
            if now - self._told.get(path, 0.0) < _EVERY:
                return
            self._told[path] = now
        self._worker.log_event(self._briefed.name, [self._numbers[path], rows, size])

    @contextmanager
    def _alone(self, source: Source, content_hash: str) -> Iterator[FileResult | None]:
        """Holds the lock of a content: a file with the same one, in any process, waits, and then
        finds it in the ledger. So does the same file, if Dask has given it to two workers: it gets
        the result of the first."""
        if self.run.run_id is None:
            yield None
            return
        key = f"{content_hash} {self.run.fingerprint_of(source)}"
        with self.run.connection(autocommit=True) as session:
            session.run("content_lock", key)
            try:
                done = ledger.loaded(session, self.run.run_id, source, content_hash)
                if done is not None:
                    self._hours.committed(spanned(done))
                yield done
            finally:
                with suppress(DatabaseError):  # the server has given it back with the session
                    session.run("content_unlock", key)


def _was_cancelled(result: FileResult) -> bool:
    return result.exit_code == Cancelled.exit_code


def load_one(name: str, number: int) -> Outcome:
    """A task: loads the source `number` of the load `name`. Errors of mdload's own kinds are in
    its result."""
    return _state(get_worker(), name).load(number)


def ready(name: str, dask_worker: Worker) -> str | None:
    """Why the worker cannot reach the database, or None."""
    try:
        connect(_briefed(dask_worker, name).brief.url, autocommit=True).close()
    except MdloadError as error:
        return str(error)
    return None


def stop(name: str, dask_worker: Worker) -> None:
    """Cancels what the worker loads."""
    state = _briefed(dask_worker, name).state
    if state is not None:
        state.run.cancel()


_making = threading.Lock()


def _state(worker: Worker, name: str) -> _State:
    briefed = _briefed(worker, name)
    with _making:
        if briefed.state is None:
            briefed.state = _State(briefed, worker)
        state: _State = briefed.state
        return state


def _briefed(worker: Any, name: str) -> Briefed:
    briefed: Briefed = worker.plugins[name]
    return briefed

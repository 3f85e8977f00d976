"""A worker's side: the files of a task, by the brief that the worker has got."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from typing import Any, Final

from distributed import Reschedule, Worker, get_worker

from loader.db.arrow import Connection, connect
from loader.errors import Cancelled, MdloadError
from loader.ingest.attempts import load_file, was_not_loaded
from loader.ingest.run import LoadRun
from loader.ingest.run.turns import Pace, Turns, Way, load_in_turn
from loader.ingest.ways.processes.brief import Hours
from loader.ingest.ways.workers.brief import Briefed
from loader.lazy import dataclass
from loader.read.sources import Source
from loader.results import FileResult
from loader.results.events import Event, FileDone, RowsDone
from loader.store.runs import ledger
from loader.store.timescale.chunks import HourCounts

#: Seconds between two words on how far the files have come.
_EVERY: Final = 0.5
#: Seconds after which a task begins no other of its files: the client gives them out anew.
_LONG: Final = 2.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the first files of a task: the result of each, the events of its load without
    those of progress; and the bars that were written, by hour."""

    results: tuple[FileResult, ...]
    events: tuple[tuple[Event, ...], ...]
    hours: tuple[HourCounts, ...]


class _Turns(Turns):
    """The files of a task, as long as it has not lasted for long and is not cancelled."""

    def __init__(self, run: LoadRun, sources: Sequence[Source]) -> None:
        super().__init__(enumerate(sources))
        self._run = run
        self._given_up = time.monotonic() + _LONG

    def take(self, most: int) -> list[tuple[int, Source]]:
        if self._run.cancelled.is_set() or (self.results and time.monotonic() > self._given_up):
            self.end()
        return super().take(most)

    def reserve(self, most: int) -> list[tuple[int, Source]]:
        """None but those that are taken: the client waits for this task."""
        return []


class _OfThread(threading.local):
    def __init__(self) -> None:
        self.pace = Pace()


class _State:
    """What the files that a worker loads share."""

    def __init__(self, briefed: Briefed, worker: Worker) -> None:
        self._briefed = briefed
        self._worker = worker
        self._lock = threading.Lock()
        self._events: dict[str, list[Event]] = {}
        self._numbers = {source.name: n for n, source in enumerate(briefed.sources)}
        self._rows: dict[str, tuple[int, int]] = {}
        self._untold: set[str] = set()
        self._told = time.monotonic()
        self._hours = Hours()
        self._of_thread = _OfThread()
        self.run = briefed.brief.run(self._hear, self._hours)
        self.run.alone, self.run.leaves = self._alone, self._leaves
        self._closing = False

    def load(self, numbers: range) -> Outcome:
        """What becomes of these sources: of all of them, or of the first ones, if the others take
        longer."""
        sources = [self._briefed.sources[number] for number in numbers]
        found = self._hours.begin()
        with self._lock:
            for source in sources:
                self._events[source.name] = []
                self._rows[source.name] = 0, 0
        results = self._loaded(sources)
        with self._lock:
            events = [tuple(self._events.pop(source.name)) for source in sources]
            self._untold.difference_update(source.name for source in sources)
        if self._closing and (len(results) < len(sources) or any(map(_was_cancelled, results))):
            raise Reschedule
        return Outcome(tuple(results), tuple(events[: len(results)]), tuple(found))

    def _loaded(self, sources: Sequence[Source]) -> list[FileResult]:
        if len(sources) == 1:
            return [load_file(self.run, sources[0])]
        turns = _Turns(self.run, sources)
        load_in_turn(self.run, turns, Way(load_file), self._of_thread.pace)
        return turns.all_results

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
            self._rows[path] = rows + event.rows, size + event.size_bytes
            self._untold.add(path)
            now = time.monotonic()
            if now - self._told < _EVERY:
                return
            self._told = now
            said = [[self._numbers[path], *self._rows[path]] for path in self._untold]
            self._untold.clear()
        self._worker.log_event(self._briefed.name, said)

    @contextmanager
    def _alone(
        self, files: Sequence[tuple[Source, str]], session: Connection | None = None, /
    ) -> Iterator[Sequence[FileResult | None]]:
        """Holds the locks of the contents: a file with the same one, in any process, waits, and
        then finds it in the ledger. So does the same file, if Dask has given it to two workers: it
        gets the result of the first."""
        if self.run.run_id is None:
            yield [None] * len(files)
            return
        keys = [f"{digest} {self.run.fingerprint_of(source)}" for source, digest in files]
        locked = json.dumps(keys)
        own = self.run.connection(autocommit=True) if session is None else nullcontext(session)
        with own as holder:
            holder.run("content_lock", locked)
            try:
                yield ledger.loaded(holder, self.run.run_id, files)
            finally:
                with suppress(MdloadError):  # the server gives them back with the session
                    holder.run("content_unlock", locked)


def _was_cancelled(result: FileResult) -> bool:
    return result.exit_code == Cancelled.exit_code


def load_some(name: str, first: int, end: int) -> Outcome:
    """A task: loads the sources of the load `name` from the number `first` up to `end`, or the
    first of them. Errors of mdload's own kinds are in their results."""
    return _state(get_worker(), name).load(range(first, end))


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

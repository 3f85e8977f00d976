"""The client's side: hands the files of a run to the workers, and counts what they bring back."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from queue import Empty
from threading import RLock
from typing import Any, Final

from distributed import Client, Future, KilledWorker

from loader.errors import MdloadError, SettingsError
from loader.ingest.attempts import recorded, recorded_for
from loader.ingest.run import LoadRun
from loader.ingest.ways.processes.ahead import SMALL
from loader.ingest.ways.processes.brief import Brief
from loader.ingest.ways.workers import task
from loader.ingest.ways.workers.brief import Briefed, environment
from loader.ingest.ways.workers.cluster import refill
from loader.ingest.ways.workers.given import Given
from loader.read.sources import Source
from loader.results import FileResult, Note
from loader.results.events import FileDone, FileNote, FileStarted, RowsDone
from loader.settings import Place
from loader.text import counted

#: Seconds after which the client looks after the workers.
_LOOK: Final = 5
#: How often the workers are asked before a load while some of them are lost, a second apart.
_ASKED: Final = 15
#: Why a file has failed, and what helps.
_ENDED: Final = (
    "the processes that loaded it ended, one after the other",
    "is there enough memory? load it alone with fewer --batch-rows",
)
_GONE: Final = ("the scheduler was lost", "run the same command again")


class Spread:
    """Loads the files of a run on the workers of `client`."""

    def __init__(self, client: Client, place: Place) -> None:
        self._client = client
        self._place = place
        self._shown: dict[str, tuple[int, int]] = {}
        self._over: set[str] = set()
        self._lock = RLock()

    def __call__(self, run: LoadRun, sources: Sequence[Source]) -> list[FileResult]:
        """The results, in the order of `sources`. An exception in this thread, such as Ctrl-C,
        cancels what the workers load.

        Raises:
            SettingsError: workers of other machines cannot read a source, or reach the database.
        """
        if self._place.scheduler is not None:
            sources = [_elsewhere(source) for source in sources]
        brief = Briefed(
            f"mdload-{secrets.token_hex(8)}", Brief.of(run), tuple(sources),
            {} if self._place.scheduler is None else environment(),
        )  # fmt: skip
        with self._briefed(brief):
            ready = _of_all(lambda: self._client.run(task.ready, brief.name))
            for address, why in ready.items():
                if why is not None:
                    raise SettingsError(
                        f"{self._place}: the worker {address}: {why}", option="--on"
                    )
            self._client.subscribe_topic(brief.name, _Progress(self, run, sources))
            try:
                return self._all(run, brief, sources)
            except BaseException:
                with suppress(Exception):  # whatever it is, the first error counts
                    self._client.run(task.stop, brief.name, wait=False)
                raise
            finally:
                self._client.unsubscribe_topic(brief.name)

    def show(self, run: LoadRun, source: Source, rows: int, size: int) -> None:
        """Shows that `rows` rows of the file are done, or fewer than before if it starts over. What
        a worker says of a file may come before its first event or after its last."""
        with self._lock:
            if source.name in self._over:
                return
            self._begin(run, source)
            before = self._shown[source.name]
            self._shown[source.name] = rows, size
            run.emit(RowsDone(source.name, rows - before[0], size - before[1]))

    def _begin(self, run: LoadRun, source: Source) -> None:
        if source.name not in self._shown:
            self._shown[source.name] = 0, 0
            run.emit(FileStarted(source.name, source.size_bytes))

    def _finish(self, run: LoadRun, source: Source, result: FileResult) -> None:
        with self._lock:
            whole = not result.exit_code or result.state == "refused"
            size = source.size_bytes if whole else 0
            self.show(run, source, result.counts.read, size)
            self._over.add(source.name)
            run.emit(FileDone(result))

    @contextmanager
    def _briefed(self, brief: Briefed) -> Iterator[None]:
        _of_all(lambda: self._client.register_plugin(brief))
        try:
            yield
        finally:
            with suppress(Exception):  # the scheduler may be gone, and the brief with it
                self._client.unregister_worker_plugin(brief.name)

    def _all(self, run: LoadRun, brief: Briefed, sources: Sequence[Source]) -> list[FileResult]:
        given = Given(self._client, brief.name, run, sources)
        given.give(range(len(sources)))
        results: dict[int, FileResult] = {}
        for future in self._ended(run, given):
            part = given.take(future)
            own = [sources[n] for n in part.numbers]
            try:
                done = self._results(run, own, future)
                given.give(part.numbers[len(done) :])
            except KilledWorker:
                done = self._lost(run, own, tried=part.alone)
                given.give_alone(part.numbers[len(done) :])
            future.release()
            run.order.end(part.numbers[: len(done)])
            results.update(zip(part.numbers, done, strict=False))
        return [results[n] for n in range(len(sources))]

    def _ended(self, run: LoadRun, given: Given) -> Iterator[Future]:
        """The tasks as they end, as long as there are some. Looks after the workers meanwhile;
        tells once that none is left."""
        told, looked = False, time.monotonic()
        while given.go_on():
            with suppress(Empty):
                yield given.ended.get(timeout=_LOOK)
            if time.monotonic() - looked < _LOOK:
                continue
            looked = time.monotonic()
            refill(self._client, self._place)
            none = not self._client.scheduler_info()["workers"]
            if none and not told:
                run.emit(FileNote(str(self._place), Note("run", "has no worker left: waiting")))
            told = none

    def _results(self, run: LoadRun, sources: Sequence[Source], future: Future) -> list[FileResult]:
        """The results of the first of the files of a task, one at least.

        Raises:
            KilledWorker: the workers that had it ended, one after the other.
            Exception: what was raised there.
        """
        if future.status == "lost":
            # Its worker died before the result was fetched: Dask runs the task again, which finds
            # the files in the ledger. This waits for it.
            future.exception()
        if future.status == "error":
            raise future.exception()
        if future.status != "finished":
            return [self._failed(run, source, *_GONE) for source in sources]
        outcome: task.Outcome = future.result()
        for hours in outcome.hours:
            run.upkeep.committed(hours)
        results = []
        for source, result, events in zip(sources, outcome.results, outcome.events, strict=False):
            recorded_one = recorded_for(run, source, result)
            results.append(recorded_one)
            with self._lock:
                self._begin(run, source)
                for event in events:
                    if isinstance(event, FileDone):
                        self._finish(run, source, recorded_one)
                    elif not isinstance(event, FileStarted):
                        run.emit(event)
        return results

    def _lost(self, run: LoadRun, sources: Sequence[Source], *, tried: bool) -> list[FileResult]:
        """The result of a file that ends the workers. None if another one may do that: beside small
        files there were others, unless that was `tried`."""
        first = sources[0]
        if tried or first.size_bytes > SMALL:
            return [self._failed(run, first, *_ENDED)]
        what = f"the processes that loaded {counted(len(sources), 'file')} from here on ended, one "
        what += "after the other: loading each by itself at the end"
        run.emit(FileNote(first.name, Note("run", what)))
        return []

    def _failed(self, run: LoadRun, source: Source, what: str, hint: str) -> FileResult:
        result = FileResult(
            source.name, "failed", error=f"{source.name}: {what}", fault=what, hint=hint,
            size_bytes=source.size_bytes, exit_code=MdloadError.exit_code, retryable=True,
        )  # fmt: skip
        result = recorded(run, source, result)
        self._finish(run, source, result)
        return result


def _of_all(ask: Callable[[], Any]) -> Any:
    """What all workers answer. Dask asks those that it knows, and gives up if one of them dies
    before its answer: then those that are left are asked."""
    for _ in range(_ASKED - 1):
        with suppress(OSError):
            return ask()
        time.sleep(1)
    return ask()


class _Progress:
    """Hears from the workers how far their files have come."""

    def __init__(self, spread: Spread, run: LoadRun, sources: Sequence[Source]) -> None:
        self._spread = spread
        self._run = run
        self._sources = sources

    def __call__(self, event: tuple[float, Any]) -> None:
        _, said = event
        for number, rows, size in said:
            self._spread.show(self._run, self._sources[number], rows, size)


def _elsewhere(source: Source) -> Source:
    """The same source for a process that runs in another folder of another machine.

    Raises:
        SettingsError: it is there for this process only.
    """
    if source.is_copy:
        raise SettingsError(
            f"cannot load {source.name}, which can be read once, and only here", option="--on",
            hint="write it to a file that all machines see, or load it with --on local:2",
        )  # fmt: skip
    return replace(source, path=source.path.absolute())

"""Loads the files of a run with processes beside the threads of this one."""

from __future__ import annotations

import pickle
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from threading import Lock
from typing import Final

from loader.errors import Cancelled, DatabaseError, MdloadError
from loader.ingest.attempts import load_file, recorded, recorded_for
from loader.ingest.pipeline import side_by_side
from loader.ingest.run import STOPPED, LoadRun
from loader.ingest.run.apart import taken_over
from loader.ingest.run.small.ahead import Ahead
from loader.ingest.run.turns import FEW, Turns, Way, first_together
from loader.ingest.ways.processes import ahead
from loader.ingest.ways.processes.brief import Asked, Brief
from loader.ingest.ways.processes.process import Gone, Process
from loader.read.sources import Source, content_hash
from loader.results import FileResult, Note
from loader.results.events import FileDone, FileNote, FileStarted
from loader.settings import Settings
from loader.store.runs import ledger

#: In a thread of this process. All files are small, and most go together.
HERE: Final = Way(load_file, most=FEW)


def processes_of(settings: Settings, sources: Sequence[Source]) -> int:
    """How many processes load the sources faster than as many threads would. Few files take none,
    nor do large ones, which spend most time outside of Python. One processor is for the thread."""
    if any(source.is_copy or source.size_bytes > ahead.SMALL for source in sources):
        return 0
    return max(min(ahead.most(partial(getattr, settings)), len(sources) // ahead.FILES) - 1, 0)


@contextmanager
def started(processes: int, running: Sequence[Process] = ()) -> Iterator[Team]:
    """This many processes, those that are `running` already among them; they have ended when the
    context ends."""
    team = Team(running[:processes])
    try:
        for _ in range(processes - len(running)):
            team.add()
        yield team
    except BaseException:
        team.stop()
        raise
    finally:
        team.close()


class Team:
    """Processes, and how they load the files of a run."""

    def __init__(self, running: Sequence[Process]) -> None:
        self._processes = list(running)
        self._lock = Lock()
        self._stopped = False

    def add(self) -> Process | None:
        """Starts one more; None if the system has no room for it, or the load is over."""
        with self._lock:
            if self._stopped:
                return None
            try:
                process = Process()
            except OSError:
                return None
            self._processes.append(process)
            return process

    def __call__(self, run: LoadRun, sources: Sequence[Source]) -> list[FileResult]:
        """The results, in the order of `sources`. An exception in this thread, such as Ctrl-C,
        cancels what the processes load."""
        brief = Brief.of(run)
        away = [_Away(self, process, brief) for process in self._processes]
        ways = [HERE] * max(run.settings.workers - len(away), 1)
        # More than here, so that they do not all come to commit their files at the same time.
        ways += [Way(each.load_file, each.together, each.begin, 2 * FEW) for each in away]
        return side_by_side(run, dict(enumerate(sources)), ways, self.stop)

    def stop(self) -> None:
        """Cancels what they load, and starts no more."""
        with self._lock:
            self._stopped = True
        for process in self._processes:
            process.cancel()

    def close(self) -> None:
        with self._lock:
            self._stopped = True
        for process in self._processes:
            process.close()


class _Away:
    """A process that one thread has files loaded by. If it dies, another one takes its place."""

    def __init__(self, team: Team, process: Process, brief: Brief) -> None:
        self._team, self._brief = team, brief
        self._process: Process | None = process
        self._mark = ""
        self._loads = False  # the last files were not known before

    def begin(self, turns: Turns) -> bool:
        """Waits until the process has started; whether there is anything to load then. Where it
        cannot start, this thread loads files itself."""
        assert self._process is not None
        ready = self._process.is_ready(lambda: not turns.are_over)
        if ready is False:
            self._process = None
        return ready is not None

    def together(self, run: LoadRun, sources: Sequence[Source], ahead: Ahead) -> list[FileResult]:
        """As `loader.ingest.run.turns.first_together`."""
        coming = ahead.coming(len(sources)) if self._loads and ahead.coming else ()
        try:
            found = self._answer(run, sources, coming, together=True)
        except Gone:
            found = self._once_more(run, sources)
        self._loads = len(found) == len(sources) and found[-1].state == "loaded"
        return found

    def load_file(self, run: LoadRun, source: Source) -> FileResult:
        """As `loader.ingest.attempts.load_file`."""
        try:
            (result,) = self._answer(run, [source], together=False)
        except Gone:
            (result,) = self._once_more(run, [source])
        return result

    def _answer(
        self,
        run: LoadRun,
        sources: Sequence[Source],
        coming: Sequence[Source] = (),
        *,
        together: bool,
    ) -> list[FileResult]:
        """What the process makes of the files. Those that are `coming` next it may read meanwhile.
        Where no process can be started, this thread loads them.

        Raises:
            Gone: the process has died.
        """
        if self._process is None:
            return first_together(run, sources) if together else [load_file(run, sources[0])]
        if not self._mark:
            self._mark = secrets.token_hex(16)
            self._process.brief(pickle.dumps((self._mark, self._brief), pickle.HIGHEST_PROTOCOL))
        answer = self._process.ask(Asked(together, tuple(sources), tuple(coming)))
        for event in answer.events:
            run.emit(event)
        for hours in answer.hours:
            run.upkeep.committed(hours)
        return [recorded_for(run, *each) for each in zip(sources, answer.results, strict=False)]

    def _once_more(self, run: LoadRun, sources: Sequence[Source]) -> list[FileResult]:
        """The results of the files that a dead process had in hand: as the ledger has them, or
        loaded one by one by other processes. A file that ends two of them has failed."""
        results = []
        self._replace(run, sources)
        for source in sources:
            result = self._recalled(run, source)
            if result is None:
                try:
                    (result,) = self._answer(run, [source], together=False)
                except Gone:
                    self._replace(run, [source])
                    result = self._recalled(run, source) or _failed(run, source)
            results.append(result)
        return results

    def _replace(self, run: LoadRun, sources: Sequence[Source]) -> None:
        """Waits until the server is done with what the dead process has sent, and starts another
        one."""
        run.stop_if_cancelled()
        assert self._process is not None
        how = self._process.ended_by()
        what = f"a process that loads files has ended ({how}): loading again what it had in hand"
        run.emit(FileNote(sources[0].name, Note("run", what)))
        # If the server is gone itself, it does nothing more for the process either.
        with suppress(DatabaseError), run.connection(autocommit=True) as session:
            session.run("process_over", self._mark)
        self._process, self._mark = self._team.add(), ""
        if self._process is not None and not self._process.is_ready(
            lambda: not run.cancelled.is_set()
        ):
            self._process = None  # nor would another one be

    def _recalled(self, run: LoadRun, source: Source) -> FileResult | None:
        """The result of a file that the dead process has committed."""
        done = None
        with suppress(MdloadError), run.connection(autocommit=True) as session:
            assert run.run_id is not None
            digest = content_hash(source, run.stop_if_cancelled)
            (done,) = ledger.loaded(session, run.run_id, [(source, digest)])
        if done is not None:
            run.emit(FileStarted(source.name, source.size_bytes))
            run.emit(FileDone(taken_over(run, source, done)))
        return done


def _failed(run: LoadRun, source: Source) -> FileResult:
    if run.cancelled.is_set():
        raise Cancelled(STOPPED)
    what = "the processes that loaded it ended, one after the other"
    result = FileResult(
        source.name, "failed", error=f"{source.name}: {what}", fault=what,
        hint="is there enough memory? load it alone with fewer --batch-rows",
        size_bytes=source.size_bytes, exit_code=MdloadError.exit_code, retryable=True,
    )  # fmt: skip
    run.emit(FileStarted(source.name, source.size_bytes))
    result = recorded(run, source, result)
    run.emit(FileDone(result))
    return result

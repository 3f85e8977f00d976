"""One job from its lock to its end: attempts, each of them a run in `job_runs`."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext, suppress
from dataclasses import replace
from datetime import date
from functools import partial
from itertools import dropwhile
from typing import Final

from loader.check.file import check_settings
from loader.db.cancelling import TooLate, apart
from loader.errors import Cancelled, DeadlinePassed, InputError, MdloadError, SettingsError
from loader.ingest.pipeline import LISTED
from loader.ingest.ways import chosen
from loader.jobs.config import JobConfig
from loader.jobs.deadline import deadline
from loader.jobs.gather import Gathered, gather
from loader.jobs.hooks import announce, notify
from loader.jobs.lock import HOST, JobLock
from loader.jobs.result import JobResult
from loader.lazy import dataclass
from loader.read.sources import Source
from loader.results import FileResult, LoadResult, RunStatus
from loader.results.events import Event, FileDone, Listener, RunDone, RunStarted
from loader.settings import Settings
from loader.store import schema
from loader.store.runs import JobRunTracker
from loader.text import duration, redact

_log: Final = logging.getLogger(__name__)
NOTHING: Final = Gathered([], [], [])
#: Seconds for the server to record a job that has passed its deadline.
_LATE: Final = 0.6
#: Upper limit of the pause between attempts.
LONGEST_PAUSE: Final = 3600.0


@dataclass(frozen=True, slots=True)
class JobRequest:
    """How to run a job this time.

    Attributes:
        day: run for this day instead of today.
        since, until: load these days instead of the job's window.
        wait: seconds to wait for a job that another process holds; None does not wait.
    """

    day: date | None = None
    since: date | None = None
    until: date | None = None
    wait: float | None = None
    dry_run: bool = False
    force: bool = False


def run_job(
    job: JobConfig, url: str, request: JobRequest, listeners: Iterable[Listener] = ()
) -> JobResult:
    """Runs `job` in the database at `url`, and calls its hooks. Call it in the main thread.

    An MdloadError becomes part of the result. KeyboardInterrupt cancels the load and comes
    out as JobInterrupted. A dry run writes nothing, takes no lock and calls no hooks.
    """
    work = _Work(job, url, request, tuple(listeners))
    try:
        work.run()
    except MdloadError as error:
        return work.ended(error)
    except KeyboardInterrupt as error:
        stopped = Cancelled(
            f"the job {job.name} was interrupted: what was not committed is rolled back",
            hint=f"mdload run {job.name} goes on with what is not loaded",
        )
        raise JobInterrupted(work.ended(stopped)) from error
    except Exception as error:
        work.ended(MdloadError(f"mdload failed: {type(error).__name__}: {error}"))
        raise
    return work.ended(None)


class JobInterrupted(KeyboardInterrupt):
    """A job was interrupted; `result` is what it has done."""

    def __init__(self, result: JobResult) -> None:
        super().__init__(result.error)
        self.result = result


class _Work:
    """A job, and what its attempts have done so far."""

    def __init__(
        self, job: JobConfig, url: str, request: JobRequest, listeners: tuple[Listener, ...]
    ) -> None:
        self._job = job
        self._url = url
        self._request = request
        self._listeners = (*listeners, self._hear)
        self._lock = JobLock(url, job.name)
        self._days = job.days(request.day, request.since, request.until)
        self._timed = False
        self._gathered: Gathered | None = None
        self._files: dict[str, list[FileResult]] = {}
        self._before: dict[str, list[FileResult]] = {}  # the files before the latest run
        self._of_run: set[str] = set()  # the files that the latest run has ended
        self._is_settled = True  # whether the last file counts, of those that were loaded
        self._runs: list[int] = []
        self._wal_bytes: int | None = None
        self._began = time.monotonic()

    def run(self) -> None:
        """Raises the error that stopped the job."""
        retries = self._job["retries"]
        with ExitStack() as stack:
            stack.callback(self._lock.close)
            for attempt in range(1, retries + 2):
                try:
                    self._attempt(attempt, stack)
                    failed = next((f.error for f in self._latest() if f.retryable), None)
                    if failed is None or attempt > retries:
                        return
                except MdloadError as error:
                    if not error.retryable or attempt > retries:
                        raise
                    failed = str(error)
                pause = min(self._job["retry_wait"] * 2.0 ** (attempt - 1), LONGEST_PAUSE)
                _log.warning(
                    "attempt %d of %d of the job %s failed (%s); the next is in %s",
                    attempt, retries + 1, self._job.name, failed, duration(1000 * pause),
                )  # fmt: skip
                time.sleep(pause)

    def _attempt(self, number: int, stack: ExitStack) -> None:
        """Loads the files that no earlier attempt has finished."""
        if not self._request.dry_run:
            self._lock.take(self._request.wait)
        if not self._timed:
            self._timed = True
            if not self._request.dry_run:
                announce(self._job)
            stack.enter_context(deadline(self._job["deadline"], f"the job {self._job.name}"))
        runs = len(self._runs)
        try:
            with self._measuring() as measuring:
                if not self._request.dry_run:
                    self._lock.end_orphans()
                schema.require_head(self._url)
                settings = self._job.settings(
                    dry_run=self._request.dry_run, force=self._request.force
                )
                check_settings(settings)
                chosen.check(settings)
                if self._gathered is None or not self._gathered.is_final:
                    self._gathered = gather(self._job, self._job.patterns(self._days), stack)
                pending = [s for s in self._gathered.sources if self._is_pending(s)]
                about = self._about(number, self._gathered)
                listeners = [*self._listeners, *measuring]
                was_settled, self._is_settled = self._is_settled, False
                if pending or was_settled:
                    chosen.load(settings, self._url, pending, listeners, about)
                if behind := self._behind(settings, pending, was_settled):
                    # The ledger does not list what a file would delete now.
                    asking = replace(settings, force=settings.delete_gone)
                    chosen.load(asking, self._url, behind, listeners, about)
                self._is_settled = True
        except (SettingsError, InputError, DeadlinePassed) as raised:
            error = self._job.blamed(raised)
            if len(self._runs) == runs and not self._request.dry_run:
                late = isinstance(raised, DeadlinePassed)
                with suppress(TooLate):  # the hooks hear of it all the same
                    apart(lambda: self._record(number, error), seconds=_LATE if late else None)
            raise error from raised

    def _is_pending(self, source: Source) -> bool:
        done = self._files.get(source.name)
        return done is None or done[-1].retryable

    def _behind(
        self, settings: Settings, tried: Sequence[Source], was_settled: bool
    ) -> list[Source]:
        """The sources that an earlier attempt has loaded, and that come after one which this
        attempt has loaded, and which has changed bars. They are loaded again if these are theirs:
        the last file counts. The others are known. If an error has ended the attempt before, which
        loads files again itself, all sources that are loaded."""
        # A dry run stores nothing; the dates of dumps tell their order.
        if settings.dry_run or settings.known_at_from is not None:
            return []
        left = self._gathered.sources if self._gathered else []
        if was_settled:
            changed = partial(self._has_changed, adding=settings.delete_gone)
            after = dropwhile(lambda s: s not in tried or not changed(s), left)
            left = [source for source in after if source not in tried]
        return [s for s in left if self._files[s.name][-1].state in ("loaded", "known")]

    def _has_changed(self, source: Source, *, adding: bool) -> bool:
        done = self._files[source.name][-1]
        counts = done.counts
        return bool(counts.updated or done.history.deleted or (adding and counts.inserted))

    def _latest(self) -> list[FileResult]:
        """The results of each source that was begun, in the order of the sources: of those that
        were loaded, and the latest of the others."""
        sources = self._gathered.sources if self._gathered else []
        return [file for source in sources for file in self._files.get(source.name, ())]

    def _about(self, attempt: int, gathered: Gathered) -> dict[str, object]:
        """Further metadata of the run; by `lock` the job's lock finds its run."""
        days = [self._days[0].isoformat(), self._days[-1].isoformat()] if self._days else []
        return {
            "host": HOST, "pid": os.getpid(), "lock": self._lock.backend, "attempt": attempt,
            "days": days, "missing": gathered.missing[:LISTED],
            "unfinished": gathered.unfinished[:LISTED],
        }  # fmt: skip

    def _record(self, attempt: int, error: MdloadError) -> None:
        """Records a run for an error before the first file."""
        about = self._about(attempt, self._gathered or NOTHING)
        job, mode, provider = self._job, self._job["mode"], self._job["provider"]
        with JobRunTracker(self._url, metrics=None) as tracker:
            run_id = tracker.start_run(job.name, job["dataset"], provider, mode, metadata=about)
            tracker.complete_run(run_id, "failure", str(error))
        self._runs.append(run_id)

    def _measuring(self) -> AbstractContextManager[list[Listener]]:
        textfile, gateway = self._job["metrics_textfile"], self._job["push_gateway"]
        if self._request.dry_run or not (textfile or gateway):
            return nullcontext([])
        from loader.listen.metrics import exporting  # noqa: PLC0415 - most jobs have none

        name, provider, mode = self._job.name, self._job["provider"], self._job["mode"]
        return exporting(name, provider, mode, textfile=textfile, gateway=gateway)

    def _hear(self, event: Event) -> None:
        """Keeps the results of a load as they come, because a load that is stopped returns none."""
        match event:
            case RunStarted(run_id):
                self._runs += [run_id] if run_id is not None else []
                self._begin(dict(self._files))
            case FileDone(result):
                self._keep(result)
            case RunDone(run):
                if run.wal_bytes is not None:
                    self._wal_bytes = (self._wal_bytes or 0) + run.wal_bytes
                # Some have got a note since, or a crash of the server has taken them back.
                self._begin(self._before)
                for file in run.files:
                    self._keep(file)

    def _begin(self, before: dict[str, list[FileResult]]) -> None:
        self._before, self._files = before, dict(before)
        self._of_run.clear()

    def _keep(self, result: FileResult) -> None:
        """A file may be loaded twice: by one run, or again by another attempt."""
        before = [file for file in self._files.get(result.path, ()) if file.state == "loaded"]
        if result.state == "known" and before and result.path not in self._of_run:
            return  # loaded by an earlier attempt
        self._files[result.path] = [*before, result]
        self._of_run.add(result.path)

    def ended(self, error: MdloadError | None) -> JobResult:
        """The result, after the hooks were called with it."""
        result = self._result(error)
        if not self._request.dry_run:
            notify(self._job, result.as_object())
        return result

    def _result(self, error: MdloadError | None) -> JobResult:
        gathered = self._gathered or NOTHING
        left = [FileResult(name, "unfinished") for name in gathered.unfinished]
        files = (*self._latest(), *left)
        code = error.exit_code if error else max((f.exit_code for f in files), default=0)
        status: RunStatus = "failure" if code else "success"
        if isinstance(error, Cancelled):
            status = "cancelled"
        elapsed = int((time.monotonic() - self._began) * 1000)
        run_id = self._runs[-1] if self._runs else None
        loaded = LoadResult(
            run_id, status, files, elapsed, self._wal_bytes, self._request.dry_run,
            dataset=self._job["dataset"], tenant=self._job["tenant"],
        )  # fmt: skip
        return JobResult(
            self._job.name,
            code,
            loaded,
            tuple(self._runs),
            tuple(self._days),
            tuple(gathered.missing),
            tuple(f.path for f in files if f.state == "unfinished"),
            redact(str(error)) if error else None,
            error.hint if error else None,
        )

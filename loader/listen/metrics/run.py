"""Events into numbers: `Metrics` holds them, `RunMetrics` listens to one run of a job."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, fields
from itertools import product
from threading import Lock
from typing import Final, get_args

from prometheus_client import CollectorRegistry

from loader.check.reasons import REASONS
from loader.results import Counts, FileResult, FileState, LoadResult, Mode, RunStatus
from loader.results.events import BarsWritten, Committed, Event, FileDone, RunDone
from loader.results.history import Action, FindingKind, History
from loader.store.metrics.bounded import OTHER
from loader.store.metrics.collectors import collectors
from loader.store.runs.active import outcome

_RULES: Final = tuple(reason.name for reason in REASONS)
#: A file in one of these states was read to its end, or to where it was given up.
_READ: Final = ("loaded", "partial", "refused")


class Metrics:
    """The metrics of `loader.store.metrics`, on a given registry or one of their own. Threads may
    share them. A listener as well, for writers without a job: it counts bars written.

    `job_names` and `providers` are label values in use already, which are kept: see `Bounded`.
    """

    def __init__(
        self,
        registry: CollectorRegistry | None = None,
        *,
        job_names: frozenset[str] = frozenset(),
        providers: frozenset[str] = frozenset(),
    ) -> None:
        self.registry = CollectorRegistry() if registry is None else registry
        self.collectors = collectors(self.registry)
        self.collectors.job_name.know(job_names)
        self.collectors.provider.know(providers)

    def __call__(self, event: Event) -> None:
        if isinstance(event, BarsWritten):
            self.collectors.count_bars(event)

    @contextmanager
    def run(
        self, job_name: str, provider: str | None = None, mode: Mode = "live"
    ) -> Iterator[RunMetrics]:
        """A listener for one run, which starts and ends with the block.

        It ends as RunDone says, else as the block does: an error is a failure, Ctrl-C and its kind
        cancel. So a run that failed before the database could record it is counted all the same.
        """
        run = RunMetrics(self, job_name, provider, mode)
        try:
            yield run
        except BaseException as error:
            run.end(outcome(error)[0])
            raise
        run.end("success")


class RunMetrics:
    """The listener of one run. It creates each series at zero when the run starts: Prometheus does
    not see the increase of a counter that begins above zero."""

    def __init__(self, metrics: Metrics, job_name: str, provider: str | None, mode: Mode) -> None:
        self.collectors = metrics.collectors
        self._job = metrics.collectors.job(job_name, mode, _RULES)
        self._provider = provider
        self._began = time.monotonic()
        self._counts = Counts()
        self._ended = False
        self._lock = Lock()
        for state in get_args(FileState):
            self.collectors.files.labels(*self._job.labels, state)
        for change in fields(History):
            self.collectors.history.labels(*self._job.labels, change.name)
        for kind, action in product(get_args(FindingKind), get_args(Action)):
            self.collectors.findings.labels(*self._job.labels, kind, action)
        self.collectors.bytes_read.labels(*self._job.labels)
        self.collectors.wal_bytes.labels(*self._job.labels)
        self._job.started(provider)

    def __call__(self, event: Event) -> None:
        match event:
            case BarsWritten():
                self.collectors.count_bars(event)
            case Committed():
                self._committed(event)
            case FileDone(result):
                self._file_done(result)
            case RunDone(result):
                self._run_done(result)

    def end(self, status: RunStatus) -> None:
        """Ends the run now; later calls change nothing."""
        with self._lock:
            if self._ended:
                return
            self._ended = True
        self._job.ended(self._provider, status, time.monotonic() - self._began, self._counts)

    def _committed(self, event: Committed) -> None:
        with self._lock:
            self._counts += event.counts
        rules = Counter[str]()
        for rule, rows in event.rejected.items():
            rules[rule if rule in _RULES else OTHER] += rows
        self._job.committed(event.counts, rules)

    def _file_done(self, result: FileResult) -> None:
        self.collectors.files.labels(*self._job.labels, result.state).inc()
        for finding in result.findings:
            found = self.collectors.findings.labels(*self._job.labels, finding.kind, finding.action)
            found.inc()
        if result.state in ("loaded", "partial"):
            for change, bars in asdict(result.history).items():
                self.collectors.history.labels(*self._job.labels, change).inc(bars)
        if result.state in _READ:
            self.collectors.bytes_read.labels(*self._job.labels).inc(result.size_bytes or 0)

    def _run_done(self, result: LoadResult) -> None:
        self.collectors.wal_bytes.labels(*self._job.labels).inc(max(result.wal_bytes or 0, 0))
        self.end(result.status)

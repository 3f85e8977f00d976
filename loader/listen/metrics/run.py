"""Events into numbers: `Metrics` holds them, `RunMetrics` listens to one run of a job."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from threading import Lock
from typing import Final, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from loader.check.reasons import REASONS
from loader.events import BarsWritten, Committed, Event, FileDone, Method, RunDone
from loader.listen.metrics import families
from loader.listen.metrics.bounded import OTHER, Bounded
from loader.results import Counts, FileResult, FileState, LoadResult, RunStatus
from loader.store.runs.active import outcome
from loader.store.runs.records import STATUSES, Mode

_OUTCOMES: Final = tuple(field.name for field in fields(Counts) if field.name != "read")
_RULES: Final = tuple(reason.name for reason in REASONS)
#: A file in one of these states was read to its end, or to where it was given up.
_READ: Final = ("loaded", "partial", "refused")


class Metrics:
    """The metrics of `families`, on a registry of their own or one that is given; threads may share
    it. A listener too, for writers without a job: it hears of bars written.

    `job_names` and `providers` are in use already and stay what they are: see `Bounded`.
    """

    def __init__(
        self,
        registry: CollectorRegistry | None = None,
        *,
        job_names: frozenset[str] = frozenset(),
        providers: frozenset[str] = frozenset(),
    ) -> None:
        self.registry = reg = registry or CollectorRegistry()
        self.job_name = Bounded(job_names)
        self.provider = Bounded(providers)
        self.bars_written = Counter(*families.BARS_WRITTEN.args, registry=reg)
        self.write_latency = Histogram(
            *families.WRITE_LATENCY.args, buckets=families.WRITE_LATENCY.buckets, registry=reg
        )
        self.runs = Counter(*families.RUNS.args, registry=reg)
        self.run_duration = Histogram(
            *families.RUN_DURATION.args, buckets=families.RUN_DURATION.buckets, registry=reg
        )
        self.rows = Counter(*families.ROWS.args, registry=reg)
        self.rejected = Counter(*families.REJECTED.args, registry=reg)
        self.files = Counter(*families.FILES.args, registry=reg)
        self.bytes_read = Counter(*families.BYTES_READ.args, registry=reg)
        self.wal_bytes = Counter(*families.WAL_BYTES.args, registry=reg)
        self.last_start = Gauge(*families.LAST_START.args, registry=reg)
        self.last_commit = Gauge(*families.LAST_COMMIT.args, registry=reg)
        self.last_end = Gauge(*families.LAST_END.args, registry=reg)
        self.last_success = Gauge(*families.LAST_SUCCESS.args, registry=reg)
        self.last_failure = Gauge(*families.LAST_FAILURE.args, registry=reg)
        self.last_run_rows = Gauge(*families.LAST_RUN_ROWS.args, registry=reg)
        for method in get_args(Method):
            self.write_latency.labels(method)
            for status in ("success", "failure"):
                self.bars_written.labels(method, status)

    def __call__(self, event: Event) -> None:
        if isinstance(event, BarsWritten):
            status = "success" if event.committed else "failure"
            self.bars_written.labels(event.method, status).inc(event.bars)
            self.write_latency.labels(event.method).observe(event.seconds)

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
        self._metrics = metrics
        self._job = (metrics.job_name(job_name), mode)
        self._run = (self._job[0], metrics.provider(provider or "unknown"), mode)
        self._began = time.monotonic()
        self._counts = Counts()
        self._ended = False
        self._lock = Lock()
        for status in STATUSES[1:]:
            metrics.runs.labels(*self._run, status)
        for name in _OUTCOMES:
            metrics.rows.labels(*self._job, name)
        for rule in _RULES:
            metrics.rejected.labels(*self._job, rule)
        for state in get_args(FileState):
            metrics.files.labels(*self._job, state)
        metrics.bytes_read.labels(*self._job)
        metrics.wal_bytes.labels(*self._job)
        metrics.runs.labels(*self._run, "started").inc()
        metrics.last_start.labels(*self._job).set_to_current_time()

    def __call__(self, event: Event) -> None:
        match event:
            case BarsWritten():
                self._metrics(event)
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
        of, run = self._metrics, (*self._run, status)
        of.runs.labels(*run).inc()
        of.run_duration.labels(*run).observe(time.monotonic() - self._began)
        for name in _OUTCOMES:
            of.last_run_rows.labels(*self._job, name).set(getattr(self._counts, name))
        of.last_end.labels(*self._job).set_to_current_time()
        if status == "success":
            of.last_success.labels(*self._job).set_to_current_time()
        elif status == "failure":
            of.last_failure.labels(*self._job).set_to_current_time()

    def _committed(self, event: Committed) -> None:
        with self._lock:
            self._counts += event.counts
        for name in _OUTCOMES:
            self._metrics.rows.labels(*self._job, name).inc(getattr(event.counts, name))
        for rule, rows in event.rejected.items():
            self._metrics.rejected.labels(*self._job, rule if rule in _RULES else OTHER).inc(rows)
        self._metrics.last_commit.labels(*self._job).set_to_current_time()

    def _file_done(self, result: FileResult) -> None:
        self._metrics.files.labels(*self._job, result.state).inc()
        if result.state in _READ:
            self._metrics.bytes_read.labels(*self._job).inc(result.size_bytes or 0)

    def _run_done(self, result: LoadResult) -> None:
        self._metrics.wal_bytes.labels(*self._job).inc(max(result.wal_bytes or 0, 0))
        self.end(result.status)

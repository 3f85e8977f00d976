"""The metrics of `families` on one registry, and what moves them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from threading import Lock
from typing import Final, get_args
from weakref import WeakKeyDictionary

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from loader.results import STATUSES, Counts, Mode, RunStatus
from loader.results.events import BarsWritten, Method
from loader.store.metrics import families
from loader.store.metrics.bounded import Bounded

OUTCOMES: Final = tuple(field.name for field in fields(Counts) if field.name != "read")


class Collectors:
    """The metrics on one registry; threads may share them. See `collectors`.

    Attributes:
        job_name, provider: bound the values of these labels.
    """

    def __init__(self, reg: CollectorRegistry) -> None:
        # It is not kept: `_known` must not keep alive what it is keyed by.
        self.job_name = Bounded()
        self.provider = Bounded()
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
        self.history = Counter(*families.HISTORY.args, registry=reg)
        self.findings = Counter(*families.FINDINGS.args, registry=reg)
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

    def count_bars(self, event: BarsWritten) -> None:
        """What one transaction has written, or sent and rolled back."""
        status = "success" if event.committed else "failure"
        self.bars_written.labels(event.method, status).inc(event.bars)
        self.write_latency.labels(event.method).observe(event.seconds)

    def job(self, job_name: str, mode: Mode, rules: Iterable[str] = ()) -> JobMetrics:
        """The metrics of one job, all series at zero from the start; `rules` may reject its rows.
        Prometheus sees no increase in a counter whose first value is above zero."""
        return JobMetrics(self, job_name, mode, rules)


class JobMetrics:
    """The metrics of one job's rows and runs."""

    def __init__(
        self, collectors: Collectors, job_name: str, mode: Mode, rules: Iterable[str]
    ) -> None:
        self._to = collectors
        self._mode: Mode = mode
        #: The labels job_name and mode.
        self.labels = (collectors.job_name(job_name), mode)
        for name in OUTCOMES:
            collectors.rows.labels(*self.labels, name)
        for rule in rules:
            collectors.rejected.labels(*self.labels, rule)

    def committed(self, counts: Counts, rejected: Mapping[str, int]) -> None:
        """Rows that a transaction has committed, and how many broke which rule."""
        for name in OUTCOMES:
            self._to.rows.labels(*self.labels, name).inc(getattr(counts, name))
        for rule, rows in rejected.items():
            self._to.rejected.labels(*self.labels, rule).inc(rows)
        self._to.last_commit.labels(*self.labels).set_to_current_time()

    def started(self, provider: str | None) -> None:
        """A run has started."""
        labels = self._run(provider)
        for status in STATUSES[1:]:
            self._to.runs.labels(*labels, status)
        self._to.runs.labels(*labels, "started").inc()
        self._to.last_start.labels(*self.labels).set_to_current_time()

    def ended(
        self, provider: str | None, status: RunStatus, seconds: float, counts: Counts
    ) -> None:
        """A run has ended, `seconds` after its start; `counts` are all of its rows."""
        labels = (*self._run(provider), status)
        self._to.runs.labels(*labels).inc()
        self._to.run_duration.labels(*labels).observe(seconds)
        for name in OUTCOMES:
            self._to.last_run_rows.labels(*self.labels, name).set(getattr(counts, name))
        self._to.last_end.labels(*self.labels).set_to_current_time()
        if status == "success":
            self._to.last_success.labels(*self.labels).set_to_current_time()
        elif status == "failure":
            self._to.last_failure.labels(*self.labels).set_to_current_time()

    def _run(self, provider: str | None) -> tuple[str, str, Mode]:
        return self.labels[0], self._to.provider(provider or "unknown"), self._mode


_known: WeakKeyDictionary[CollectorRegistry, Collectors] = WeakKeyDictionary()
_lock: Final = Lock()


def collectors(registry: CollectorRegistry) -> Collectors:
    """The metrics of `registry`. Whoever asks for the same registry gets the same ones.

    Raises:
        ValueError: the registry has a metric of another kind under one of the names.
    """
    with _lock:
        if registry not in _known:
            _known[registry] = Collectors(registry)
        return _known[registry]

"""What a `JobRunTracker` counts for Prometheus, from what the database answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from loader.results import Counts, Mode
from loader.store.metrics import Registry, collectors_of

if TYPE_CHECKING:
    from loader.store.metrics.collectors import JobMetrics

Row = Mapping[str, Any]


class RunCounting:
    """Moves the metrics of jobs on a registry, or nothing without one."""

    def __init__(self, metrics: Registry) -> None:
        self._collectors = collectors_of(metrics)
        self._jobs: dict[tuple[str, str], JobMetrics] = {}

    def started(self, job_name: str, provider: str | None, mode: Mode) -> None:
        """A run was recorded as running."""
        if job := self._job(job_name, mode):
            job.started(provider)

    def added(self, rows: Iterable[Row], counts: Counts) -> None:
        """`counts` were added to the runs in `rows` (job_name, mode)."""
        for row in rows:
            if job := self._job(row["job_name"], row["mode"]):
                job.committed(counts, {})

    def ended(self, rows: Iterable[Row]) -> None:
        """The runs in `rows` (as job_run_complete gives them) have ended."""
        for row in rows:
            if job := self._job(row["job_name"], row["mode"]):
                counts = Counts(*(row[f"rows_{name}"] for name in _COUNTED))
                job.ended(row["provider"], row["status"], row["elapsed_ms"] / 1000, counts)

    def _job(self, job_name: str, mode: Mode) -> JobMetrics | None:
        if self._collectors is None:
            return None
        if (job_name, mode) not in self._jobs:
            self._jobs[job_name, mode] = self._collectors.job(job_name, mode)
        return self._jobs[job_name, mode]


#: In the order of `Counts`.
_COUNTED = ("read", "inserted", "updated", "unchanged", "duplicate", "skipped", "failed")

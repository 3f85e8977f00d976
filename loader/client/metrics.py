"""What a client counts for Prometheus: bars that it writes, and rows of the job it writes for."""

from __future__ import annotations

from collections.abc import Iterable

from loader.check.reasons import REASONS
from loader.client.sessions import Sessions
from loader.results.events import BarsWritten, Committed, Event, Listener
from loader.store.metrics import Registry, collectors_of
from loader.store.metrics.collectors import Collectors, JobMetrics

_RULES = tuple(reason.name for reason in REASONS)


class ClientMetrics:
    """A listener for one client, which writes for the job run `run_id`, or for none."""

    def __init__(self, collectors: Collectors, run_id: int | None) -> None:
        self._collectors = collectors
        self._run_id = run_id
        self._job: JobMetrics | None = None

    def learn_job(self, sessions: Sessions) -> None:
        """Looks up the job of the run, once; before the first batch, so that nothing is missed.

        Raises:
            DatabaseError: the server refused, or went away.
        """
        if self._run_id is None or self._job is not None:
            return
        session = sessions.prepared()
        with session.transaction():
            row = session.row("job_run_labels", self._run_id)
        if row is not None:
            job_name, mode = row
            self._job = self._collectors.job(job_name, mode, _RULES)

    def __call__(self, event: Event) -> None:
        match event:
            case BarsWritten():
                self._collectors.count_bars(event)
            case Committed() if self._job is not None:
                self._job.committed(event.counts, event.rejected)


def client_metrics(
    metrics: Registry, run_id: int | None, listeners: Iterable[Listener]
) -> ClientMetrics | None:
    """None without `metrics`, or if one of the `listeners` counts in the same registry already."""
    collectors = collectors_of(metrics)
    counting = [getattr(listener, "collectors", None) for listener in listeners]
    if collectors is None or collectors in counting:
        return None
    return ClientMetrics(collectors, run_id)

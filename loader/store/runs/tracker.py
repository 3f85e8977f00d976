"""`JobRunTracker` writes and reads the rows of `job_runs`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from types import TracebackType
from typing import Any, Self, get_args

from loader import __version__
from loader.db.reconnecting import ReconnectingSession
from loader.db.rows import PsycopgConnection
from loader.errors import RunFinished, UnknownRun
from loader.results import STATUSES, Counts, Mode, RunStatus
from loader.store.metrics import Registry
from loader.store.runs import arguments
from loader.store.runs.active import ActiveRun, Heart, outcome
from loader.store.runs.arguments import counts_of, one_of, run_key, storable, whole
from loader.store.runs.counting import RunCounting
from loader.store.runs.counts import NO_LOAD, as_json
from loader.store.runs.records import ExpiredRuns, JobRun, JobRunFile, RunSummary


class JobRunTracker:
    """Records job runs in one database. Threads may share it.

    Args:
        database: a libpq URL or conninfo, for a connection of its own, made when it is first
            needed and made again after a loss; or a psycopg connection, which stays the caller's:
            it is never closed here, and where the caller has a transaction open the run's row
            belongs to it.
        metrics: a registry of prometheus_client in which runs and their rows are counted, by
            default its own; None for no metrics. They move when a call returns, also where the
            caller's transaction is rolled back later.

    Methods raise ConnectionLost when the server is away, DatabaseError when it refuses. A call
    that was lost on its way is repeated where that cannot count anything twice.
    """

    def __init__(self, database: str | PsycopgConnection, *, metrics: Registry = "default") -> None:
        self._session = ReconnectingSession(database)
        self._counting = RunCounting(metrics)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes its own connection, if it has one."""
        self._session.close()

    def start_run(
        self,
        job_name: str,
        dataset_name: str | None = None,
        provider: str | None = None,
        mode: Mode = "live",
        config_fingerprint: str | None = None,
        pipeline_version: str | None = None,
        metadata: Mapping[str, object] | None = None,
    ) -> int:
        """Records a run as running and returns its id.

        `pipeline_version` defaults to that of mdload; `metadata` must be serialisable as JSON.
        """
        if not (isinstance(job_name, str) and job_name.strip()):
            raise ValueError("a run needs a job name")
        one_of("mode", mode, get_args(Mode))
        (row,) = self._session.rows(
            "job_run_start", job_name, dataset_name, provider, mode, config_fingerprint,
            pipeline_version or __version__, json.dumps(dict(metadata or {}), allow_nan=False),
        )  # fmt: skip
        self._counting.started(job_name, provider, mode)
        return int(row["id"])

    def update_progress(
        self,
        run_id: int,
        rows_written: int = 0,
        rows_failed: int = 0,
        symbols: Iterable[str] | None = None,
        min_ts: datetime | None = None,
        max_ts: datetime | None = None,
        heartbeat: bool = True,
        *,
        rows_updated: int = 0,
        rows_unchanged: int = 0,
        rows_duplicate: int = 0,
        rows_skipped: int = 0,
    ) -> None:
        """Adds rows to the run's counts, symbols to its symbols, and widens its span of bars.

        `rows_updated` says how many of `rows_written` were updates; the others are inserts. All
        rows together are `rows_read`, so that every row stays accounted for.

        Raises:
            UnknownRun, RunFinished: there is no such run; it has ended.
            TypeError: a count is not an integer, or a symbol is not a string.
            ValueError: a count is negative, or a time has no zone.
        """
        counts = counts_of(
            rows_written, rows_updated, rows_unchanged, rows_duplicate, rows_skipped, rows_failed
        )
        if any(ts is not None and ts.tzinfo is None for ts in (min_ts, max_ts)):
            raise ValueError("min_ts and max_ts need a time zone")
        done = self._session.rows(
            "job_run_add_counts", run_key(run_id), sum(counts), *counts, as_json(symbols or ()),
            min_ts, max_ts, heartbeat, *NO_LOAD,
        )  # fmt: skip
        if not done:
            self._insist_on_running(run_id)
        self._counting.added(done, Counts(sum(counts), *counts))

    def heartbeat(self, run_id: int) -> None:
        """Says that the run is alive, and nothing else.

        Raises:
            UnknownRun: there is no such run.
            RunFinished: it has ended.
        """
        if not self._session.rows("job_run_heartbeat", run_key(run_id), repeatable=True):
            self._insist_on_running(run_id)

    def complete_run(
        self, run_id: int, status: RunStatus = "success", error_message: str | None = None
    ) -> None:
        """Ends a run as `success`, `failure` or `cancelled`, for good.

        Passwords in `error_message` are masked.

        Raises:
            UnknownRun: there is no such run.
            RunFinished: it has ended before; nothing was changed.
        """
        one_of("status", status, STATUSES[1:])
        message = None if error_message is None else storable(error_message)
        ended = self._session.rows("job_run_complete", run_key(run_id), status, message)
        if not ended:
            self._insist_on_running(run_id)
        self._counting.ended(ended)

    def get_run(self, run_id: int) -> JobRun:
        """The run.

        Raises:
            UnknownRun: there is no such run.
        """
        found = self._find(run_id=run_key(run_id))
        if not found:
            raise UnknownRun(f"there is no job run {run_id}", hint="mdload job-runs list")
        return found[0]

    def get_recent_runs(
        self,
        limit: int = 20,
        job_name: str | None = None,
        status: RunStatus | None = None,
        since: datetime | None = None,
    ) -> list[JobRun]:
        """The newest `limit` runs, newest first: of one job, of one status, started since then."""
        if status is not None:
            one_of("status", status, STATUSES)
        if since is not None and since.tzinfo is None:
            raise ValueError("since needs a time zone")
        return self._find(
            job_name=job_name, status=status, since=since, limit=whole("limit", limit)
        )

    def get_stuck_runs(self, heartbeat_timeout_minutes: float = 15) -> list[JobRun]:
        """Runs that say `running` and gave no sign of life for longer than the timeout: no
        heartbeat, or where there never was one, no start."""
        return self._find(silent_minutes=arguments.minutes(heartbeat_timeout_minutes))

    def mark_failed(
        self,
        run_ids: Sequence[int],
        error_message: str,
        heartbeat_timeout_minutes: float = 15,
    ) -> list[int]:
        """Ends as failed those of the runs that are still stuck now. Returns their ids."""
        marked = self._session.rows(
            "job_runs_mark_failed",
            [run_key(each) for each in run_ids],
            storable(error_message),
            arguments.minutes(heartbeat_timeout_minutes),
        )
        self._counting.ended(marked)
        return sorted(int(row["id"]) for row in marked)

    def get_expired_runs(self, days: int = 90) -> list[ExpiredRuns]:
        """What `cleanup_old_runs(days)` would delete, by job."""
        return [
            ExpiredRuns(**row)
            for row in self._session.rows(
                "job_runs_expired", arguments.whole_days(days), repeatable=True
            )
        ]

    def cleanup_old_runs(self, days: int = 90) -> int:
        """Deletes the runs that ended more than `days` times 24 hours ago, with their rows of files
        and their rejected rows; gives the number of runs. Running ones stay, however old."""
        return int(self._session.rows("job_runs_cleanup", arguments.whole_days(days))[0]["runs"])

    def get_summary(self, hours: float = 24) -> list[RunSummary]:
        """The runs started in the last `hours`, by job, provider and status."""
        return [
            RunSummary(**row)
            for row in self._session.rows(
                "job_runs_summary", arguments.hours(hours), repeatable=True
            )
        ]

    def get_files(self, run_id: int) -> list[JobRunFile]:
        """The source files of a run, in the order in which they were begun."""
        return [
            JobRunFile(**row)
            for row in self._session.rows("job_run_files", run_key(run_id), repeatable=True)
        ]

    def get_loads(self, run_id: int) -> list[dict[str, Any]]:
        """The run's rows of `bars_loads`, oldest first: one for each transaction that changed a
        bar."""
        return self._session.rows("loads_of_run", run_key(run_id), repeatable=True)

    def get_rollbacks(self, run_id: int) -> list[dict[str, Any]]:
        """The runs that rolled this one back: `id` and `started_at`."""
        return self._session.rows("rollbacks_of_run", run_key(run_id), repeatable=True)

    def get_rejects(self, run_id: int) -> dict[str, int]:
        """Rejected rows of a run that came from a live feed or a `StoreClient`, by broken rule,
        most first. Those of its files are in `get_files`."""
        rows = self._session.rows("job_run_rejects", run_key(run_id), repeatable=True)
        return {str(row["rule"]): int(row["rows"]) for row in rows}

    @contextmanager
    def run(
        self,
        job_name: str,
        dataset_name: str | None = None,
        provider: str | None = None,
        mode: Mode = "live",
        *,
        config_fingerprint: str | None = None,
        pipeline_version: str | None = None,
        metadata: Mapping[str, object] | None = None,
        heartbeat_seconds: float = 5.0,
        patience_seconds: float = 30.0,
    ) -> Iterator[ActiveRun]:
        """A run that lasts as long as the block.

        A thread with its own connection sends a heartbeat every `heartbeat_seconds`. The run ends
        as `success`; as `failure` on an error, which is recorded; or as `cancelled` on Ctrl-C,
        Cancelled, and whatever else ends a block without being an error. When the server is away
        at the end, that is tried again for `patience_seconds`. An error of the block always comes
        out, whatever becomes of the record.
        """
        run_id = self.start_run(
            job_name, dataset_name, provider, mode, config_fingerprint, pipeline_version, metadata
        )
        active = ActiveRun(self, run_id, patience_seconds)
        with Heart(ReconnectingSession(self._session.conninfo), run_id, heartbeat_seconds):
            try:
                yield active
            except BaseException as error:
                active.end_after(error)
                raise
            active.end(*outcome(None))

    def _find(
        self,
        *,
        run_id: int | None = None,
        job_name: str | None = None,
        status: str | None = None,
        since: datetime | None = None,
        silent_minutes: float | None = None,
        limit: int | None = None,
    ) -> list[JobRun]:
        rows = self._session.rows(
            "job_runs_find", run_id, job_name, status, since, silent_minutes, limit, repeatable=True
        )
        return [JobRun(**row) for row in rows]

    def _insist_on_running(self, run_id: int) -> None:
        run = self.get_run(run_id)
        if run.status != "running":
            raise RunFinished(
                f"job run {run_id} has ended already ({run.status} at "
                f"{run.completed_at:%Y-%m-%d %H:%M:%S}Z) and cannot change"
            )

"""Runs, their files and summaries as values. Every datetime is UTC, by the server's clock."""

from __future__ import annotations

from dataclasses import field
from datetime import UTC, datetime, timedelta
from typing import Any

from loader.lazy import dataclass
from loader.results import Mode, RunStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRun:
    """A row of `job_runs`, as of the server's time `as_of`.

    rows_read = rows_inserted + rows_updated + rows_unchanged + rows_duplicate + rows_skipped +
    rows_failed, and rows_written = rows_inserted + rows_updated. `elapsed_ms` is None while it
    runs; `symbols` are sorted.

    `provider` is the one that the run was given, or, once it has ended, the one that all its files
    have; None where they have several. `providers` are all those of its files, sorted; where no
    file has one, the run's own.
    """

    id: int
    job_name: str
    dataset_name: str | None
    provider: str | None
    mode: Mode
    status: RunStatus
    config_fingerprint: str | None
    pipeline_version: str | None
    rows_read: int
    rows_written: int
    rows_inserted: int
    rows_updated: int
    rows_unchanged: int
    rows_duplicate: int
    rows_skipped: int
    rows_failed: int
    symbols: list[str] | None
    min_ts: datetime | None
    max_ts: datetime | None
    error_message: str | None
    metadata: dict[str, Any]
    started_at: datetime
    completed_at: datetime | None
    created_at: datetime
    updated_at: datetime
    elapsed_ms: int | None
    providers: list[str]
    as_of: datetime = field(compare=False)

    @property
    def last_heartbeat(self) -> datetime | None:
        """The last beat, or None before the first one (or if it is not a time with a zone)."""
        try:
            beat = datetime.fromisoformat(self.metadata["last_heartbeat"])
        except (KeyError, TypeError, ValueError):
            return None
        return beat.astimezone(UTC) if beat.tzinfo else None

    @property
    def age(self) -> timedelta:
        """From its start to its end, or to `as_of` while it runs."""
        return (self.completed_at or self.as_of) - self.started_at

    @property
    def silence(self) -> timedelta:
        """The time from its last sign of life to `as_of`."""
        return self.as_of - (self.completed_at or self.last_heartbeat or self.started_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRunFile:
    """A row of `job_run_files`: one source file of a run. `rejected` maps rules to rows; `series`
    and `findings` are as in `backfill --json`."""

    id: int
    run_id: int
    path: str
    size_bytes: int | None
    content_hash: str | None
    config_fingerprint: str | None
    dialect: str | None
    provider: str | None
    interval: str | None
    state: str
    rows_read: int
    rows_written: int
    rows_inserted: int
    rows_updated: int
    rows_unchanged: int
    rows_duplicate: int
    rows_skipped: int
    rows_failed: int
    rejected: dict[str, int]
    notes: list[str]
    min_ts: datetime | None
    max_ts: datetime | None
    error_message: str | None
    bars_changed: int
    bars_inserted_between: int
    bars_gone: int
    bars_deleted: int
    series: list[dict[str, Any]]
    findings: list[dict[str, Any]]
    started_at: datetime
    completed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """The runs of one job, provider and status in a span of hours; `total_rows` counts the rows
    written."""

    job_name: str
    provider: str | None
    status: RunStatus
    run_count: int
    avg_duration_ms: float | None
    total_rows: int
    last_run_at: datetime
    failure_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpiredRuns:
    """The runs of one job that a cleanup deletes, and what goes with them.

    `rejects_waiting` counts the rejected rows that were never replayed.
    """

    job_name: str
    run_count: int
    first_run_at: datetime
    last_run_at: datetime
    files: int
    rejects: int
    rejects_waiting: int

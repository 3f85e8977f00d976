"""The output of `job-runs`, except `inspect`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

from loader.cli.views.table import Column, print_json, table
from loader.listen import log
from loader.store.runs import ExpiredRuns, JobRun, RunSummary
from loader.text import counted, duration, number, span, utc


def show_runs(runs: Sequence[JobRun], as_json: bool) -> None:
    if as_json:
        print_json([columns(run) for run in runs])
    elif not runs:
        log.note("no runs")
    else:
        table(
            None,
            [
                Column("run", "number"),
                Column("job"),
                Column("provider", spare=3),
                Column("status", "status"),
                Column("started", "time"),
                Column("took", "number"),
                Column("read", "number", spare=2),
                Column("written", "number"),
                Column("unchanged", "number", spare=4),
                Column("rejected", "number"),
                Column("bars", "time", spare=5),
            ],
            [
                [
                    str(run.id), run.job_name, _providers(run), run.status,
                    _minute(run.started_at), _took(run), run.rows_read, run.rows_written,
                    run.rows_unchanged, run.rows_failed, span(run.min_ts, run.max_ts),
                ]
                for run in runs
            ],
        )  # fmt: skip


def show_stuck(runs: Sequence[JobRun], as_json: bool) -> None:
    if as_json:
        print_json([columns(run) for run in runs])
    elif runs:
        table(
            None,
            [
                Column("run", "number"),
                Column("job"),
                Column("provider", spare=1),
                Column("started", "time"),
                Column("last heartbeat", "time"),
                Column("silent for", "number"),
                Column("read", "number", spare=3),
                Column("written", "number", spare=2),
            ],
            [
                [
                    str(run.id), run.job_name, _providers(run), _minute(run.started_at),
                    _minute(run.last_heartbeat) if run.last_heartbeat else "never", silence(run),
                    run.rows_read, run.rows_written,
                ]
                for run in runs
            ],
        )  # fmt: skip


def show_summary(found: Sequence[RunSummary], hours: float, as_json: bool) -> None:
    if as_json:
        print_json(found)
    elif not found:
        log.note(f"no run was started in the last {hours:g} hours")
    else:
        table(
            f"Runs of the last {hours:g} hours",
            [
                Column("job"),
                Column("provider"),
                Column("status", "status"),
                Column("runs", "number"),
                Column("took on average", "number", spare=1),
                Column("rows written", "number"),
                Column("last started", "time"),
            ],
            [
                [
                    row.job_name, row.provider, row.status, row.run_count,
                    duration(row.avg_duration_ms), row.total_rows, _minute(row.last_run_at),
                ]
                for row in found
            ],
        )  # fmt: skip


def show_cleanup(
    expired: Sequence[ExpiredRuns], days: int, confirmed: bool, deleted: int, as_json: bool
) -> None:
    if as_json:
        print_json({"older_than_days": days, "deleted": deleted, "jobs": expired})
        return
    if not expired:
        log.note(f"no run ended more than {number(days)} days ago")
        return
    table(
        None,
        [
            Column("job"),
            Column("runs", "number"),
            Column("first started", "time", spare=1),
            Column("last started", "time"),
            Column("files", "number"),
            Column("rejected", "number"),
            Column("not replayed", "number"),
        ],
        [
            [
                row.job_name, row.run_count, _minute(row.first_run_at), _minute(row.last_run_at),
                row.files, row.rejects, row.rejects_waiting,
            ]
            for row in expired
        ],
    )  # fmt: skip
    if confirmed:
        log.note(f"deleted {counted(deleted, 'run')}")
    else:
        runs = counted(sum(row.run_count for row in expired), "run")
        log.note(
            f"{runs} would be deleted, with the rejected rows and with the record of which files "
            "are loaded already; add --confirm to delete"
        )


def columns(run: JobRun) -> dict[str, object]:
    """The columns of `job_runs`, and `providers`."""
    row = asdict(run)
    del row["as_of"]
    return row


def _providers(run: JobRun) -> str | None:
    return ", ".join(run.providers) or None


def _minute(moment: datetime) -> str:
    return utc(moment, seconds=False)


def _took(run: JobRun) -> str:
    return duration(run.age.total_seconds() * 1000)


def silence(run: JobRun) -> str:
    return duration(run.silence.total_seconds() * 1000)

"""What `mdload job-runs` shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

import click

from loader.report import (
    Column,
    bytes_,
    counted,
    details,
    duration,
    number,
    print_json,
    span,
    table,
    utc,
)
from loader.runs import ExpiredRuns, JobRun, JobRunFile, RunSummary

_COUNTS = ("inserted", "updated", "unchanged", "duplicate", "skipped", "rejected")


def show_runs(runs: Sequence[JobRun], as_json: bool) -> None:
    if as_json:
        print_json([_columns(run) for run in runs])
    elif not runs:
        click.echo("no runs", err=True)
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
                    str(run.id), run.job_name, run.provider, run.status, _minute(run.started_at),
                    _took(run), run.rows_read, run.rows_written, run.rows_unchanged,
                    run.rows_failed, span(run.min_ts, run.max_ts),
                ]
                for run in runs
            ],
        )  # fmt: skip


def show_run(run: JobRun, files: Sequence[JobRunFile], as_json: bool) -> None:
    rejected: Counter[str] = Counter()
    for file in files:
        rejected.update(file.rejected)
    if as_json:
        print_json(_columns(run) | {"files": files, "rejected": dict(rejected.most_common())})
        return
    details(
        f"Run {run.id}: {run.job_name}, {run.status}"
        + ("" if run.elapsed_ms is None else f" in {duration(run.elapsed_ms)}"),
        {
            "error": run.error_message,
            "provider": run.provider,
            "dataset": run.dataset_name,
            "mode": run.mode,
            "symbols": _some(run.symbols or []),
            "bars": span(run.min_ts, run.max_ts) if run.min_ts else None,
            "mdload": run.pipeline_version,
            "configuration": run.config_fingerprint and run.config_fingerprint[:12],
            **{k: _said(v) for k, v in run.metadata.items() if k != "last_heartbeat"},
        },
    )
    click.echo()
    table(
        "Rows",
        [Column(name, "number") for name in ("read", *_COUNTS)],
        [[run.rows_read, *_counts(run)]],
    )
    if rejected:
        click.echo()
        table(
            "Rejected rows by rule",
            ["rule", Column("rows", "number")],
            rejected.most_common(),
        )
    if files:
        click.echo()
        _show_files(files)
    click.echo()
    _show_course(run, files)


def _show_files(files: Sequence[JobRunFile]) -> None:
    table(
        counted(len(files), "file"),
        [
            Column("file"),
            Column("state", "status"),
            Column("size", "number", spare=2),
            Column("took", "number", spare=1),
            Column("read", "number"),
            *(
                Column(name, "number", spare=spare)
                for name, spare in zip(_COUNTS, (0, 0, 3, 5, 6, 0), strict=True)
            ),
            Column("bars", "time", spare=7),
        ],
        [
            [
                file.path, file.state, bytes_(file.size_bytes), _file_took(file),
                file.rows_read, *_counts(file), span(file.min_ts, file.max_ts),
            ]
            for file in files
        ],
    )  # fmt: skip
    said: dict[str, list[str]] = {}
    for file in files:
        for word in (file.error_message, *file.notes):
            if word:
                said.setdefault(word.removeprefix(f"{file.path}: "), []).append(file.path)
    for word, paths in said.items():
        others = f" and {counted(len(paths) - 1, 'other')}" if len(paths) > 1 else ""
        click.echo(f"{paths[0]}{others}: {word}")


def _show_course(run: JobRun, files: Sequence[JobRunFile]) -> None:
    """When it started, when its first and last files were at work, when it beat, how it ended."""
    course = [(run.started_at, "started")]
    if files:
        course.append((files[0].started_at, f"first file: {files[0].path}"))
        ended = [file for file in files if file.completed_at]
        last = max(ended, key=lambda file: file.completed_at or file.started_at, default=None)
        if last and last.completed_at:
            course.append((last.completed_at, f"last file {last.state}: {last.path}"))
    if run.last_heartbeat:
        course.append((run.last_heartbeat, "last heartbeat"))
    if run.completed_at:
        course.append((run.completed_at, f"ended: {run.status}"))
    else:
        course.append((run.as_of, f"still running, last sign of life {_silence(run)} ago"))
    course.sort(key=lambda entry: entry[0])
    table(
        "Course",
        [Column("time", "time"), Column("after", "number"), "what"],
        [[at, duration((at - run.started_at).total_seconds() * 1000), what] for at, what in course],
    )


def show_stuck(runs: Sequence[JobRun], as_json: bool) -> None:
    if as_json:
        print_json([_columns(run) for run in runs])
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
                    str(run.id), run.job_name, run.provider, _minute(run.started_at),
                    _minute(run.last_heartbeat) if run.last_heartbeat else "never", _silence(run),
                    run.rows_read, run.rows_written,
                ]
                for run in runs
            ],
        )  # fmt: skip


def show_summary(found: Sequence[RunSummary], hours: float, as_json: bool) -> None:
    if as_json:
        print_json(found)
    elif not found:
        click.echo(f"no run was started in the last {hours:g} hours", err=True)
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
        click.echo(f"no run ended more than {number(days)} days ago", err=True)
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
        click.echo(f"deleted {counted(deleted, 'run')}", err=True)
    else:
        runs = counted(sum(row.run_count for row in expired), "run")
        click.echo(
            f"{runs} would be deleted, with the rejected rows and with the record of which files "
            "are loaded already; add --confirm to delete",
            err=True,
        )


def _columns(run: JobRun) -> dict[str, object]:
    """The columns of `job_runs`."""
    row = asdict(run)
    del row["as_of"]
    return row


def _counts(row: JobRun | JobRunFile) -> list[int]:
    return [
        row.rows_inserted, row.rows_updated, row.rows_unchanged,
        row.rows_duplicate, row.rows_skipped, row.rows_failed,
    ]  # fmt: skip


def _minute(moment: datetime) -> str:
    return utc(moment, seconds=False)


def _took(run: JobRun) -> str:
    return duration(run.age.total_seconds() * 1000)


def _silence(run: JobRun) -> str:
    return duration(run.silence.total_seconds() * 1000)


def _file_took(file: JobRunFile) -> str:
    if file.completed_at is None:
        return duration(None)
    return duration((file.completed_at - file.started_at).total_seconds() * 1000)


def _said(value: object) -> str | None:
    """A value of the metadata."""
    if isinstance(value, list):
        return _some([str(item) for item in value])
    return str(value)


def _some(names: Sequence[str]) -> str | None:
    """The first few, and how many more."""
    if not names:
        return None
    more = f" and {number(len(names) - 8)} more" if len(names) > 8 else ""
    return ", ".join(names[:8]) + more

"""`mdload job-runs`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

import click

from loader.cli.context import Context
from loader.cli.numbers import ROW_ID, Fraction, Whole
from loader.cli.options import json_option
from loader.cli.when import Moment
from loader.errors import CheckFailed

if TYPE_CHECKING:
    from loader.results import RunStatus
    from loader.store.runs import JobRunTracker


@click.group("job-runs", epilog="Example: mdload job-runs list --status failure --since 7d")
def job_runs() -> None:
    """Show what was loaded, when, how much, and how it ended."""


@job_runs.command("list", epilog="Example: mdload job-runs list --status failure --since 7d")
@click.option(
    "--limit",
    metavar="N",
    type=Whole(1, 1_000_000_000),
    default=20,
    show_default=True,
    help="Show at most N runs.",
)
@click.option("--job-name", metavar="NAME", help="Only runs of this job.")
@click.option(
    "--status",
    type=click.Choice(["running", "success", "failure", "cancelled"]),
    help="Only runs in this state.",
)
@click.option("--since", type=Moment(), metavar="WHEN", help="Started since: 2024-03-01, 24h, 7d.")
@json_option
@click.pass_obj
def list_(
    context: Context,
    limit: int,
    job_name: str | None,
    status: RunStatus | None,
    since: datetime | None,
    as_json: bool,
) -> None:
    """List the newest runs, newest first."""
    from loader.cli.views import job_runs as view

    with _tracker(context) as tracker:
        runs = tracker.get_recent_runs(limit, job_name, status, since)
    view.show_runs(runs, as_json)


@job_runs.command(
    short_help="Show one run with its files.", epilog="Example: mdload job-runs inspect 42"
)
@click.argument("run_id", metavar="ID", type=ROW_ID)
@json_option
@click.pass_obj
def inspect(context: Context, run_id: int, as_json: bool) -> None:
    """Show one run: its counts, files, rejected rows by rule, and its timeline."""
    from loader.cli.views.job_run import show_run

    with _tracker(context) as tracker:
        run, files = tracker.get_run(run_id), tracker.get_files(run_id)
        other_rejects = tracker.get_rejects(run_id)
        loads, undone_by = tracker.get_loads(run_id), tracker.get_rollbacks(run_id)
    show_run(run, files, other_rejects, as_json, loads, undone_by)


@job_runs.command(
    short_help="Find runs without heartbeat.",
    epilog="Example: mdload job-runs stuck --timeout-minutes 30 --mark-failed",
)
@click.option(
    "--timeout-minutes",
    metavar="N",
    type=Fraction(0, 10_000_000, min_open=True),
    default=15,
    show_default=True,
    help="A run counts as stuck after N minutes without heartbeat.",
)
@click.option(
    "--mark-failed", is_flag=True, help="Mark them as failed, so that they can run again."
)
@json_option
@click.pass_obj
def stuck(context: Context, timeout_minutes: float, mark_failed: bool, as_json: bool) -> None:
    """Find running runs without heartbeat; exit code 6 if there are any."""
    from loader.cli.views import job_runs as view
    from loader.listen import log
    from loader.text import counted

    minutes = f"{timeout_minutes:g} minutes"
    with _tracker(context) as tracker:
        runs = tracker.get_stuck_runs(timeout_minutes)
        marked: list[int] = []
        if mark_failed and runs:
            marked = tracker.mark_failed(
                [run.id for run in runs],
                f"no sign of life for {minutes}; ended by mdload job-runs stuck --mark-failed",
                timeout_minutes,
            )
    view.show_stuck(runs, as_json)
    if not runs:
        log.note(f"no stuck runs (heartbeat within {minutes})")
        return
    found = f"found {counted(len(runs), 'stuck run')}"
    if not mark_failed:
        raise CheckFailed(found, hint="end them with: mdload job-runs stuck --mark-failed")
    listed = ", ".join(map(str, marked)) or "none, for they beat again or ended meanwhile"
    raise CheckFailed(f"{found}; marked as failed: {listed}")


@job_runs.command(
    short_help="Sum up runs by job, provider and status.",
    epilog="Example: mdload job-runs summary --hours 48",
)
@click.option(
    "--hours", metavar="N", type=Fraction(0, 1_000_000, min_open=True), default=24,
    show_default=True, help="Runs started in the last N hours.",
)  # fmt: skip
@json_option
@click.pass_obj
def summary(context: Context, hours: float, as_json: bool) -> None:
    """Sum up runs by job, provider and status: how many, how long, how many rows."""
    from loader.cli.views import job_runs as view

    with _tracker(context) as tracker:
        found = tracker.get_summary(hours)
    view.show_summary(found, hours, as_json)


@job_runs.command(
    short_help="Delete old runs.",
    epilog="Example: mdload job-runs cleanup --older-than-days 90 --confirm",
)
@click.option(
    "--older-than-days", type=click.IntRange(0, 36_500), required=True, metavar="N",
    help="Select runs that ended more than N days ago.",
)  # fmt: skip
@click.option("--confirm", is_flag=True, help="Delete them; without it they are only listed.")
@json_option
@click.pass_obj
def cleanup(context: Context, older_than_days: int, confirm: bool, as_json: bool) -> None:
    """Delete old runs with their files and rejected rows. Running ones and all bars stay."""
    from loader.cli.views import job_runs as view

    with _tracker(context) as tracker:
        expired = tracker.get_expired_runs(older_than_days)
        deleted = tracker.cleanup_old_runs(older_than_days) if confirm else 0
    view.show_cleanup(expired, older_than_days, confirm, deleted, as_json)


@contextmanager
def _tracker(context: Context) -> Iterator[JobRunTracker]:
    from loader.cli.store import store
    from loader.store.runs import JobRunTracker

    with store(context) as url, JobRunTracker(url, metrics=None) as tracker:
        yield tracker

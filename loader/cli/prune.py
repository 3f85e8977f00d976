"""`mdload prune`: retention of history."""

from __future__ import annotations

import click

from loader.cli.confirm import agreed, asks, dry_run_option, yes_option
from loader.cli.context import Context
from loader.cli.options import json_option

_DAYS = click.IntRange(0, 36_500)


@click.command(epilog="Example: mdload prune --revisions-days 730 --dry-run")
@click.option("--revisions-days", metavar="N", type=_DAYS,
              help="Remove old values that were replaced more than N days ago.")  # fmt: skip
@click.option("--loads-days", metavar="N", type=_DAYS,
              help="Fold loads of a run that are older than N days into one.")  # fmt: skip
@click.option("--runs-days", metavar="N", type=_DAYS,
              help="Delete runs that ended more than N days ago, with their rejects.")  # fmt: skip
@click.option("--rejects-days", metavar="N", type=_DAYS,
              help="Delete rejected rows that are older than N days.")  # fmt: skip
@dry_run_option
@yes_option
@json_option
@click.pass_obj
def prune(
    ctx: Context,
    /,
    revisions_days: int | None,
    loads_days: int | None,
    runs_days: int | None,
    rejects_days: int | None,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Remove old history: revisions, loads, runs and rejects, each if its option is given.

    Keeps all that a pin needs. Bars as of a time before the removed revisions are wrong from then
    on, and a run with folded loads cannot be rolled back. Asks first; without a terminal, give
    --yes.
    """
    from loader.cli.store import store
    from loader.cli.views.prune import show_prunable, show_pruned
    from loader.store.quarantine import prune as rejects
    from loader.store.runs import JobRunTracker
    from loader.store.versions import prune as history

    if {revisions_days, loads_days, runs_days, rejects_days} == {None}:
        raise click.UsageError(
            "say what: --revisions-days, --loads-days, --runs-days, --rejects-days"
        )
    asked = asks(yes=yes, dry_run=dry_run)
    with store(ctx) as url, JobRunTracker(url) as tracker:
        days = revisions_days if revisions_days is not None else 36_500
        would = history.prunable(url, days)
        if dry_run or asked:
            expired = tracker.get_expired_runs(runs_days) if runs_days is not None else None
            show_prunable(
                would,
                revisions_days,
                loads_days,
                None if expired is None else sum(job.run_count for job in expired),
                rejects.prunable(url, rejects_days) if rejects_days is not None else None,
                as_json and dry_run,
            )
            if dry_run:
                return
            agreed("prune?")
        done = history.prune(url, revisions_days, loads_days)
        gone = rejects.prune(url, rejects_days) if rejects_days is not None else 0
        runs = tracker.cleanup_old_runs(runs_days) if runs_days is not None else 0
    show_pruned(done, would, runs, gone, as_json)

"""`mdload plan` and `mdload apply`, and what `mdload backfill --plan` does."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from loader.cli.confirm import dry_run_option
from loader.cli.context import Context
from loader.cli.numbers import LIMIT
from loader.cli.options import json_option
from loader.errors import SettingsError

if TYPE_CHECKING:
    from loader.read.sources import Source
    from loader.results import LoadResult
    from loader.results.events import Listener
    from loader.settings import Settings

_FILE = click.Path(dir_okay=False)
#: Sources and findings of a plan that its run has.
_SHOWN: Final = 20


@click.group(epilog="Example: mdload plan show march.parquet")
def plan() -> None:
    """Show a plan: a load as a file, made by mdload backfill --plan, written by mdload apply."""


@plan.command(
    short_help="Show what a plan would write.",
    epilog="Example: mdload plan show march.parquet --limit 5",
)
@click.argument("path", metavar="FILE", type=_FILE)
@click.option("--limit", metavar="N", type=LIMIT, default=20, show_default=True,
              help="Show at most N changed bars; the file has all.")  # fmt: skip
@json_option
def show(path: str, limit: int, as_json: bool) -> None:
    """Show a plan: its sources, series and changed bars, the largest change first.

    No database is needed: a plan that is stale or applied can be shown as well. It is a Parquet
    file, which other tools can read.
    """
    from loader.cli.views.checks.planning import show_plan
    from loader.ingest.ways.plan import opened

    show_plan(opened(path), limit, as_json)


@click.command(epilog="Example: mdload apply march.parquet --dry-run")
@click.argument("path", metavar="FILE", type=_FILE)
@dry_run_option
@json_option
@click.pass_obj
def apply(ctx: Context, /, path: str, dry_run: bool, as_json: bool) -> None:
    """Write exactly the bars of a plan (mdload backfill --plan FILE), once.

    If anything that was read to make the plan is different now, nothing is written, and the series
    are named (exit code 4). It is a run of its own, which mdload rollback undoes.
    """
    from loader.cli.changes import change
    from loader.db.arrow import connect
    from loader.ingest.ways import apply as applying
    from loader.ingest.ways.plan import opened
    from loader.listen import log
    from loader.store.versions.undo import Undone

    planned = opened(path)  # before a server is started for it

    def work(url: str, run_id: int | None) -> Undone:
        if run_id is None:
            with connect(url, autocommit=True) as connection:
                applying.check(connection, planned)
            return Undone(inserted=planned.inserted, updated=planned.updated)
        done = applying.apply(url, planned, run_id)
        for finding in planned.findings[:_SHOWN]:
            log.note(finding)
        return Undone(inserted=done.inserted, updated=done.updated)

    sources = [str(one["path"]) for one in planned.sources[:_SHOWN]]
    about = {"plan": planned.id, "sources": sources, "findings": planned.findings[:_SHOWN]}
    change(
        ctx, "apply", lambda url: lambda run_id: work(url, run_id),
        about=lambda _: about, dry_run=dry_run, yes=True, as_json=as_json,
    )  # fmt: skip


def check_plan(path: str, settings: Settings) -> None:
    """
    Raises:
        click.UsageError: a plan cannot be made of that, or not there.
        SettingsError: the plan would have deletions.
    """
    if Path(path).suffix.lower() not in (".parquet", ".pq"):
        raise click.UsageError(f"--plan {path!r}: a plan is a .parquet file")
    if settings.delete_gone:
        raise SettingsError("a plan has no deletions: not with --delete-gone")
    if settings.known_at or settings.known_at_from:
        raise click.UsageError("a plan is known when it is applied: not with --known-at")


class _Unplanned(Exception):
    """A file would not be loaded, so that there is no plan."""

    def __init__(self, result: LoadResult) -> None:
        super().__init__()
        self.result = result


def make_plan(
    settings: Settings,
    url: str,
    sources: Sequence[Source],
    told: Iterable[Listener],
    path: str,
) -> LoadResult:
    """A dry run, of which the plan is written to `path` if every file would be loaded.

    Raises:
        SettingsError: two files share bars, or the plan cannot be written.
        Contended: a load has changed what was read meanwhile.
    """
    from loader.db.arrow import connect
    from loader.ingest.pipeline import load
    from loader.ingest.ways.planning import planned
    from loader.store.export.rows import whole_file

    with connect(url, autocommit=True) as connection:
        connection.run("settled")
        (since,) = connection.one("load_newest")
        try:
            with whole_file(path) as file, planned(file) as planning:
                result = load(settings, url, sources, told, plan=planning)
                if result.exit_code:
                    raise _Unplanned(result)
                planning.finish(connection, since)
        except _Unplanned as unplanned:
            return unplanned.result
    return result

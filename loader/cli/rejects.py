"""`mdload rejects`: rows that broke a rule, and their way back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from loader.cli.context import Context
from loader.cli.numbers import LIMIT, ROW_ID, Whole
from loader.cli.options import GroupedHelp, json_option, replay_options
from loader.cli.series_options import bounds
from loader.cli.when import When

if TYPE_CHECKING:
    from loader.db.arrow import Connection
    from loader.store.quarantine.found import RejectFilter

F = TypeVar("F", bound=Callable[..., Any])
_STATES: Final = ("waiting", "replayed", "superseded")

_SELECTED: Final = (
    click.option("--file", "path", metavar="PATH",
                 help="Only rows of this file; the end of its path is enough."),
    click.option("--rule", "rules", metavar="RULE", multiple=True,
                 help="Only rows that broke this rule; can be repeated."),
    click.option("--rejected-since", metavar="WHEN", type=When(),
                 help="Only rows rejected since: 2024-03-01, 24h, 7d."),
    click.option("--rejected-until", metavar="WHEN", type=When(),
                 help="Only rows rejected until then (inclusive)."),
)  # fmt: skip
_state_option: Final = click.option(
    "--state", "states", type=click.Choice(_STATES), multiple=True,
    help="Only rows in this state: waiting, replayed, or superseded by a bar stored since.",
)  # fmt: skip


def _selected(command: F) -> F:
    for option in reversed(_SELECTED):
        command = option(command)
    return command


@click.group(epilog="Example: mdload rejects show 12 --rule high_below_low")
def rejects() -> None:
    """List, show and export rows that broke a rule, and load them after a fix."""


@rejects.command(
    "list",
    short_help="Count rejects by run, file and rule.",
    epilog="Example: mdload rejects list --rule high_below_low --rejected-since 7d",
)
@click.argument("runs", metavar="[RUN]...", nargs=-1, type=ROW_ID)
@_selected
@_state_option
@click.option("--limit", metavar="N", type=LIMIT, default=50, show_default=True,
              help="Show at most N lines; --json has all.")  # fmt: skip
@json_option
@click.pass_obj
def list_(ctx: Context, /, runs: tuple[int, ...], limit: int, as_json: bool, **given: Any) -> None:
    """List rejected rows by run, file and rule, the newest run first.

    A row waits until a replay gets it in, or is superseded by a bar that a later load stored under
    its key. A row that broke several rules is in several lines.
    """
    from loader.cli.views.checks.rejects import show_counts
    from loader.store.quarantine.found import by_rule, insist_on_runs

    asked = _filter(runs, **given)
    with _connected(ctx) as connection:
        found = by_rule(connection, asked)
        if found.is_empty():
            insist_on_runs(connection, runs)
    show_counts(found, limit, as_json)


@rejects.command(
    short_help="Show rejected rows with their text.",
    epilog="Example: mdload rejects show 12 --rule high_below_low --limit 5",
)
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=ROW_ID)
@_selected
@_state_option
@click.option("--limit", metavar="N", type=Whole(1, 10**9), default=20, show_default=True,
              help="Show at most N rows.")  # fmt: skip
@click.option("--tenant", metavar="NAME|UUID", help="Rows of a dataset of this tenant.")
@json_option
@click.pass_obj
def show(
    ctx: Context, /, runs: tuple[int, ...], limit: int, tenant: str | None, as_json: bool,
    **given: Any,
) -> None:  # fmt: skip
    """Show rejected rows of runs as their files have them, with the rules that they broke."""
    from loader.cli.views.checks.rejects import show_rows
    from loader.store.quarantine.found import insist_on_runs, rows

    if tenant is not None:
        found = _of_tenant(ctx, tenant, runs, limit + 1, **given)
        show_rows(found[:limit], more=len(found) > limit, as_json=as_json)
        return
    asked = _filter(runs, **given)
    with _connected(ctx) as connection:
        found = [row for frame in rows(connection, asked, limit + 1)
                 for row in frame.iter_rows(named=True)]  # fmt: skip
        if not found:
            insist_on_runs(connection, runs)
    show_rows(found[:limit], more=len(found) > limit, as_json=as_json)


def _of_tenant(
    ctx: Context, tenant: str, runs: tuple[int, ...], limit: int, rules: tuple[str, ...],
    **others: Any,
) -> list[dict[str, Any]]:  # fmt: skip
    from loader.cli.store import store
    from loader.ingest.ways.tenants.rejects import rejects as of_tenant

    if any(others.values()):
        raise click.UsageError("with --tenant only --rule and --limit select rows")
    with store(ctx) as url:
        return of_tenant(url, tenant, runs, rules, limit)


@rejects.command(
    short_help="Write rejected rows to a file.",
    epilog="Example: mdload rejects export 12 --own-columns --to fix-me.csv",
)
@click.argument("runs", metavar="[RUN]...", nargs=-1, type=ROW_ID)
@_selected
@_state_option
@click.option("--to", "target", metavar="FILE", required=True, type=click.Path(dir_okay=False),
              help="A .csv, .parquet or .jsonl file.")  # fmt: skip
@click.option("--own-columns", is_flag=True,
              help="Only the rows, under their file's own column names, to be corrected and "
                   "loaded with mdload backfill.")  # fmt: skip
@json_option
@click.pass_obj
def export(
    ctx: Context,
    /,
    runs: tuple[int, ...],
    target: str,
    own_columns: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Write rejected rows to a file, in the order of run, file and row.

    Each has its run, file, row number, rules, key, state and its text as JSON. The file appears
    when it is complete.
    """
    from loader.cli import interrupts
    from loader.cli.views.table import print_json
    from loader.listen import log
    from loader.store.export.rows import check_target
    from loader.store.quarantine.export import write
    from loader.store.quarantine.found import insist_on_runs
    from loader.text import counted

    check_target(target)
    interrupts.heed()
    asked = _filter(runs, **given)
    with _connected(ctx) as connection:
        insist_on_runs(connection, runs)
        written = write(connection, asked, target, own_columns=own_columns)
    if as_json:
        print_json({"path": target, "rows": written})
    else:
        log.note(f"{target}: {counted(written, 'rejected row')}")


@rejects.command(
    cls=GroupedHelp,
    short_help="Load rejected rows after a fix.",
    epilog="Example: mdload rejects replay 12 --rule ts_ambiguous --timezone UTC --dry-run",
)
@click.argument("runs", metavar="[RUN]...", nargs=-1, type=ROW_ID)
@_selected
@click.option("--allow", "allowed", metavar="RULE", multiple=True,
              help="Load rows that break this rule; can be repeated.")  # fmt: skip
@replay_options
@json_option
@click.pass_obj
def replay(
    ctx: Context,
    /,
    runs: tuple[int, ...],
    path: str | None,
    rules: tuple[str, ...],
    rejected_since: date | None,
    rejected_until: date | None,
    allowed: tuple[str, ...],
    as_json: bool,
    **given: Any,
) -> int:
    """Run rejected rows that still wait through the whole load again, as a run of its own.

    They are read as their file was read; options given now take precedence. Rows that get in are
    marked; rows that are rejected again stay where they are. If a few rows alone would be read in
    another way than the whole file was, they are refused.
    """
    from loader.cli import replaying
    from loader.store.quarantine.found import RejectFilter

    since, until = bounds(rejected_since, rejected_until)
    asked = RejectFilter(
        runs, _known(rules), ("waiting",), path=path, since=since, until=until
    )  # fmt: skip
    return replaying.replay(ctx, asked, allowed, given, as_json=as_json)


def _filter(
    runs: tuple[int, ...],
    path: str | None,
    rules: tuple[str, ...],
    states: tuple[Any, ...],
    rejected_since: date | None,
    rejected_until: date | None,
) -> RejectFilter:
    from loader.store.quarantine.found import RejectFilter

    since, until = bounds(rejected_since, rejected_until)
    return RejectFilter(runs, _known(rules), states, path=path, since=since, until=until)


def _known(rules: tuple[str, ...]) -> tuple[str, ...]:
    """
    Raises:
        click.BadParameter: there is no such rule.
    """
    import difflib

    from loader.check.reasons import REASONS

    names = [reason.name for reason in REASONS]
    for rule in rules:
        if rule not in names:
            near = difflib.get_close_matches(rule, names, n=3) or ["mdload rejects list names them"]
            raise click.BadParameter(f"there is no rule {rule!r}: {', '.join(near)}",
                                     param_hint="'--rule'")  # fmt: skip
    return rules


@contextmanager
def _connected(ctx: Context) -> Iterator[Connection]:
    from loader.cli.store import store
    from loader.db.arrow import connect
    from loader.db.cancelling import cancelling

    with store(ctx) as url, connect(url, autocommit=True) as connection, cancelling(connection):
        yield connection

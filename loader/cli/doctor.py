"""`mdload doctor`: check that everything is in place."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from itertools import chain
from typing import TYPE_CHECKING

import click

from loader.cli.context import Context
from loader.cli.options import json_option

if TYPE_CHECKING:
    from loader.survey.doctor import Check


@click.command(epilog="Example: mdload --database postgresql://nightly@db.example.com/m doctor")
@json_option
@click.pass_obj
def doctor(ctx: Context, /, as_json: bool) -> None:
    """Check server, schema, privileges, TimescaleDB, settings, disk, time and the jobs.

    Connects as the role that loads, and changes nothing. Each finding that is not ok comes with the
    next step, often SQL to run as it is. Exit code 6 if a check fails; warnings do not count.
    """
    from loader.cli.store import require_database
    from loader.cli.views.doctor import show
    from loader.db.conninfo import masked
    from loader.db.target import Target, named, target
    from loader.errors import CheckFailed, MdloadError
    from loader.survey.doctor import examine, unreachable
    from loader.text import counted

    chosen = named(ctx.database, ctx.configured)  # a malformed URL is the person's fault
    with ExitStack() as stack:
        try:
            require_database(ctx)
            chosen = stack.enter_context(target(ctx.database, ctx.home, ctx.configured))
        except MdloadError as error:  # the embedded server, which does not start
            chosen = chosen or Target("", "the embedded server", embedded=True)
            checks = unreachable(error)
        else:
            checks = examine(chosen.url, embedded=chosen.embedded)
        checks = chain(checks, _of_jobs(ctx))
        database = masked(chosen.url) if chosen.url else None
        found = show(database, chosen.source, checks, as_json=as_json)
    failed = [check.name for check in found if check.state == "fail"]
    if failed:
        names = ", ".join(dict.fromkeys(failed))
        raise CheckFailed(f"{counted(len(failed), 'check')} failed: {names}")


def _of_jobs(ctx: Context) -> Iterator[Check]:
    """What the jobs of mdload.toml need on this machine."""
    from loader.errors import SettingsError
    from loader.jobs.surroundings import all_lacks
    from loader.survey.doctor import Check
    from loader.text import counted

    try:
        lacking = list(all_lacks(ctx.config))
    except SettingsError as error:
        lacking = [error]
    yield from (Check("jobs", "fail", str(error), error.hint) for error in lacking)
    if not lacking and ctx.config.jobs:
        jobs = counted(len(ctx.config.jobs), "job")
        yield Check("jobs", "ok", f"{jobs}: hooks, folders and metrics are in place")

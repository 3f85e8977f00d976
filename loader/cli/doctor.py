"""`mdload doctor`: check that everything is in place."""

from __future__ import annotations

from contextlib import ExitStack

import click

from loader.cli.context import Context
from loader.cli.options import json_option


@click.command(epilog="Example: mdload --database postgresql://nightly@db.example.com/m doctor")
@json_option
@click.pass_obj
def doctor(ctx: Context, /, as_json: bool) -> None:
    """Check server, schema, privileges, TimescaleDB, settings, disk and time.

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

    chosen = named(ctx.database, ctx.configured)  # a URL that is none is the person's fault
    with ExitStack() as stack:
        try:
            require_database(ctx)
            chosen = stack.enter_context(target(ctx.database, ctx.home, ctx.configured))
        except MdloadError as error:  # the embedded server, which does not start
            chosen = chosen or Target("", "the embedded server", embedded=True)
            checks = unreachable(error)
        else:
            checks = examine(chosen.url, embedded=chosen.embedded)
        database = masked(chosen.url) if chosen.url else None
        found = show(database, chosen.source, checks, as_json=as_json)
    failed = [check.name for check in found if check.state == "fail"]
    if failed:
        raise CheckFailed(f"{counted(len(failed), 'check')} failed: {', '.join(failed)}")

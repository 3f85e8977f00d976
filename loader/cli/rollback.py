"""`mdload rollback`: undo what a run, or all since a time, did to the bars."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

import click

from loader.cli.confirm import dry_run_option, yes_option
from loader.cli.context import Context
from loader.cli.numbers import ROW_ID
from loader.cli.options import json_option
from loader.cli.when import Moment

if TYPE_CHECKING:
    from loader.store.versions.undo import Undone


@click.command(epilog="Example: mdload rollback 42 --dry-run")
@click.argument("run_id", metavar="[RUN]", required=False, type=ROW_ID)
@click.option("--since", metavar="TIME", type=Moment(),
              help="Undo all that was loaded since this time, instead of one run.")  # fmt: skip
@click.option(
    "--to", "pin", metavar="PIN", help="Go back to a pin: undo all that it does not have."
)
@click.option("--keep-later", is_flag=True,
              help="Leave bars that a later load changed, and undo all others.")  # fmt: skip
@dry_run_option
@yes_option
@json_option
@click.pass_obj
def rollback(
    ctx: Context,
    /,
    run_id: int | None,
    since: datetime | None,
    pin: str | None,
    keep_later: bool,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Undo a run: bars that it inserted are deleted, those that it changed get their old values.

    It is a run itself, on record with every bar that it changes, and can be rolled back in turn.
    If a later load changed some of the same bars, nothing is undone (exit code 4) unless
    --keep-later is given. A run of a tenant's dataset is undone in the same way. Asks first;
    without a terminal, give --yes.
    """
    from loader.cli.changes import change
    from loader.db.reconnecting import ReconnectingSession
    from loader.ingest.ways.tenants.undo import rollback as undo_of_tenant
    from loader.ingest.ways.tenants.undo import tenant_run
    from loader.store.versions.instants import pinned
    from loader.store.versions.selection import Since
    from loader.store.versions.undo import rollback as undo

    if sum(given is not None for given in (run_id, since, pin)) != 1:
        raise click.UsageError("name one of these: a RUN, --since TIME, --to PIN")

    def meant(url: str) -> Since:
        if pin is None:
            return Since(run_id, since)
        session = ReconnectingSession(url)
        try:
            return Since(instant=pinned(session, pin))
        finally:
            session.close()

    def made(url: str) -> Callable[[int | None], Undone]:
        if run_id is not None and (of_tenant := tenant_run(url, run_id)) is not None:
            if keep_later:
                raise click.UsageError("--keep-later is for runs that loaded bars")
            return partial(undo_of_tenant, url, of_tenant)
        return partial(undo, url, meant(url), keep_later=keep_later)

    change(
        ctx, "rollback", made,
        dry_run=dry_run, yes=yes, as_json=as_json,
    )  # fmt: skip

"""`mdload citus`."""

from __future__ import annotations

import click

from loader.cli.context import Context
from loader.cli.options import json_option


@click.group(epilog="Example: mdload citus status")
def citus() -> None:
    """Distribute the bars over the servers of a Citus cluster, and show where they are."""


@citus.command(
    short_help="Distribute the bars by symbol.",
    epilog="Example: mdload citus enable --yes",
)
@click.option("--yes", is_flag=True, help="Do it; without this only the plan is printed.")
@json_option
@click.pass_obj
def enable(ctx: Context, /, yes: bool, as_json: bool) -> None:
    """Distribute bars_ohlcv by symbol over the servers of the cluster.

    Runs, files, rejects, pins and revisions stay on the coordinator. This is one transaction. Until
    it ends nobody can read or write bars, and the bars take twice their disk. Only the table's
    owner can do it. Without --yes nothing is changed.
    """
    from loader.cli.store import store
    from loader.cli.views.citus import show_plan
    from loader.store import citus as cluster

    with store(ctx) as url, cluster.connected(url) as session:
        planned = cluster.plan(session)
        if yes:
            cluster.enable(session, planned)
    show_plan(planned, done=yes, as_json=as_json)


@citus.command(
    short_help="Show the servers and their shards.",
    epilog="Example: mdload citus status --json",
)
@json_option
@click.pass_obj
def status(ctx: Context, /, as_json: bool) -> None:
    """Show whether the bars are distributed, on which servers they are, and their sizes."""
    from loader.cli.store import store
    from loader.cli.views.citus import show_status
    from loader.store import citus as cluster

    with store(ctx) as url, cluster.connected(url) as session:
        found = cluster.status(session)
    show_status(found, as_json=as_json)

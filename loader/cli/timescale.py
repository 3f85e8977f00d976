"""`mdload timescale`."""

from __future__ import annotations

import click

from loader.cli.context import Context
from loader.cli.options import json_option


@click.group(epilog="Example: mdload timescale status")
def timescale() -> None:
    """Turn the bars into a TimescaleDB hypertable, show how they are stored, and make rollups."""


@timescale.command(
    short_help="Turn the bars into a compressed hypertable.",
    epilog="Example: mdload timescale enable --yes",
)
@click.option("--yes", is_flag=True, help="Do it; without this only the plan is printed.")
@json_option
@click.pass_obj
def enable(ctx: Context, /, yes: bool, as_json: bool) -> None:
    """Make a hypertable of a plain table that has bars, and compress what is older than 90 days.

    In one transaction, which locks bars_ohlcv for everybody until it ends, and needs as much room
    again as the table has. Needs the table's owner. Without --yes nothing is done.
    """
    from loader.cli.store import store
    from loader.cli.views.timescale import show_plan
    from loader.store.timescale import connected, hypertable

    with store(ctx) as url, connected(url) as connection:
        planned = hypertable.plan(connection)
        refused = hypertable.enable(connection, planned) if yes and planned.steps else None
    show_plan(planned, refused, done=yes, as_json=as_json)


@timescale.command(
    short_help="Make bars of longer intervals out of shorter ones.",
    epilog="Example: mdload timescale rollup 1m 5m 1h 1d",
)
@click.argument("source", metavar="FROM")
@click.argument("targets", metavar="TO...", nargs=-1, required=True)
@json_option
@click.pass_obj
def rollup(ctx: Context, /, source: str, targets: tuple[str, ...], as_json: bool) -> None:
    """Make continuous aggregates of the bars of one interval: bars_5m_of_1m and so on.

    First open, highest high, lowest low, last close, sum of volume and trades, VWAP weighted by
    volume; each is a view with the columns of bars_ohlcv. Loads bring them up to date where they
    wrote, and the server does every hour. Days and weeks are those of UTC.
    """
    from loader.cli.store import store
    from loader.cli.views.timescale import show_rollups
    from loader.store.timescale import connected, create, extension, rollups
    from loader.store.timescale.rollups import rollup as made_of

    names = [name for target in targets for name in target.split(",") if name]
    wanted = list(dict.fromkeys(made_of(source, name) for name in names))
    with store(ctx) as url, connected(url) as connection:
        extension(connection)
        there = rollups(connection)
        new = [each for each in wanted if each not in there]
        for each in new:
            create(connection, each)
    show_rollups(wanted, new, as_json=as_json)


@timescale.command(epilog="Example: mdload timescale status --json")
@json_option
@click.pass_obj
def status(ctx: Context, /, as_json: bool) -> None:
    """Show how the bars are stored: chunks, compression and its policy, sizes, rollups."""
    from loader.cli.store import store
    from loader.cli.views.timescale import show_status
    from loader.store.timescale import connected, hypertable

    with store(ctx) as url, connected(url) as connection:
        found = hypertable.status(connection)
    show_status(found, as_json=as_json)

"""`mdload timescale`."""

from __future__ import annotations

from datetime import date, datetime

import click

from loader.cli.context import Context
from loader.cli.options import json_option
from loader.cli.when import When


@click.group(epilog="Example: mdload timescale status")
def timescale() -> None:
    """Make a TimescaleDB hypertable of the bars, show how they are stored, and create rollups."""


@timescale.command(
    short_help="Turn the bars into a compressed hypertable.",
    epilog="Example: mdload timescale enable --yes",
)
@click.option("--yes", is_flag=True, help="Do it; without this only the plan is printed.")
@json_option
@click.pass_obj
def enable(ctx: Context, /, yes: bool, as_json: bool) -> None:
    """Make a hypertable of a plain table with bars, and compress bars older than 90 days.

    This is one transaction. It locks bars_ohlcv for everybody until it ends, and needs as much free
    disk as the table takes. Only the table's owner can do it. Without --yes nothing is changed.
    """
    from loader.cli.store import store
    from loader.cli.views.timescale import show_plan
    from loader.store.timescale import connected, hypertable

    with store(ctx) as url, connected(url) as connection:
        planned = hypertable.plan(connection)
        refused = hypertable.enable(connection, planned) if yes and planned.steps else None
    show_plan(planned, refused, done=yes, as_json=as_json)


@timescale.command(
    short_help="Create rollups: longer bars from shorter ones.",
    epilog="Example: mdload timescale rollup 1m 5m 1h 1d",
)
@click.argument("source", metavar="FROM")
@click.argument("targets", metavar="TO...", nargs=-1, required=True)
@json_option
@click.pass_obj
def rollup(ctx: Context, /, source: str, targets: tuple[str, ...], as_json: bool) -> None:
    """Create continuous aggregates of the bars of one interval, such as bars_5m_of_1m.

    Each is a view with the columns of bars_ohlcv: first open, highest high, lowest low, last close,
    sums of volume and trades, VWAP weighted by volume. A load refreshes the time that it wrote to;
    the server refreshes every hour, and compresses what is older than 90 days. Days and weeks are
    in UTC.
    """
    from loader.cli.store import store
    from loader.cli.views.timescale import show_rollups
    from loader.store.timescale import connected, create, extension, rollups
    from loader.store.timescale.rollups import compress
    from loader.store.timescale.rollups import rollup as made_of

    names = [name for target in targets for name in target.split(",") if name]
    wanted = list(dict.fromkeys(made_of(source, name) for name in names))
    with store(ctx) as url, connected(url) as connection:
        extension(connection)
        there = rollups(connection)
        new = [each for each in wanted if each not in there]
        for each in new:
            create(connection, each)
        for each in there:
            if each in wanted:
                compress(connection, each)
    show_rollups(wanted, new, as_json=as_json)


@timescale.command(
    short_help="Compress what loads have written beside compressed chunks.",
    epilog="Example: mdload timescale recompress --since 30d",
)
@click.option(
    "--since",
    metavar="WHEN",
    type=When(),
    help="Only chunks with bars from then on: a date, a time, or an age such as 30d.",
)
@json_option
@click.pass_obj
def recompress(ctx: Context, /, since: date | datetime | None, as_json: bool) -> None:
    """Compress the rows that lie beside compressed chunks, and give their disk back.

    A load into compressed chunks leaves new and changed bars uncompressed, unless it has
    --recompress. Each chunk is a transaction of its own and is locked meanwhile; one that another
    session holds for 10 s is left as it is. Only the table's owner can do it.
    """
    from loader.cli.series_options import bounds
    from loader.cli.store import store
    from loader.cli.views.timescale import show_recompressed
    from loader.store.timescale import connected, extension
    from loader.store.timescale import recompress as upkeep

    first, _ = bounds(since, None)
    with store(ctx) as url, connected(url) as connection:
        extension(connection)
        done = list(upkeep.recompress(connection, upkeep.beside(connection, first)))
    show_recompressed(done, as_json=as_json)


@timescale.command(
    short_help="Show chunks, compression, sizes and rollups.",
    epilog="Example: mdload timescale status --json",
)
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

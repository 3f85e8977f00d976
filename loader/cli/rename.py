"""`mdload rename`: give bars another symbol, on record."""

from __future__ import annotations

from datetime import date
from functools import partial

import click

from loader.cli.confirm import dry_run_option, yes_option
from loader.cli.context import Context
from loader.cli.options import json_option
from loader.cli.series_options import bounds
from loader.cli.when import When


@click.command(epilog="Example: mdload rename FB META --provider polygon --yes")
@click.argument("old", metavar="OLD")
@click.argument("new", metavar="NEW")
@click.option("--provider", metavar="P", help="Only bars of this provider.")
@click.option("--interval", metavar="I", help="Only bars of this length: 1m, 1h, 1d, …")
@click.option("--since", metavar="WHEN", type=When(), help="Only bars from this time on.")
@click.option("--until", metavar="WHEN", type=When(), help="Only bars up to this time.")
@dry_run_option
@yes_option
@json_option
@click.pass_obj
def rename(
    ctx: Context,
    /,
    old: str,
    new: str,
    provider: str | None,
    interval: str | None,
    since: date | None,
    until: date | None,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Store the bars of symbol OLD under NEW instead. mdload rollback undoes it.

    Refuses if a bar of NEW stands where one of OLD would go. Files that say OLD are loaded as OLD
    again; to change that, see --symbol-map. Asks first; without a terminal, give --yes.
    """
    from loader.bars import parse_interval
    from loader.cli.changes import change
    from loader.store.series import SeriesFilter
    from loader.store.versions.undo import rename as move

    before, after = old.strip().upper(), new.strip().upper()
    if not before or not after or before == after:
        raise click.UsageError("OLD and NEW are two different symbols")
    length = None if interval is None else parse_interval(interval) or interval
    asked = SeriesFilter(provider, (), length, *bounds(since, until))
    change(
        ctx, "rename", lambda url: partial(move, url, before, after, asked),
        about=lambda _: {"renames": {before: after}},
        dry_run=dry_run, yes=yes, as_json=as_json,
    )  # fmt: skip

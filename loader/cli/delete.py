"""`mdload delete`: take bars away, on record."""

from __future__ import annotations

from datetime import date
from functools import partial

import click

from loader.cli.confirm import dry_run_option, yes_option
from loader.cli.context import Context
from loader.cli.options import json_option
from loader.cli.series_options import bounds, series_options


@click.command(epilog="Example: mdload delete --provider polygon --symbol FB --until 2012-05-17")
@series_options
@dry_run_option
@yes_option
@json_option
@click.pass_obj
def delete(
    ctx: Context,
    /,
    provider: str | None,
    symbols: tuple[str, ...],
    interval: str | None,
    since: date | None,
    until: date | None,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Delete stored bars. What they were is kept, so that mdload rollback brings them back.

    Needs at least one of --provider, --symbol, --interval, --since and --until. Asks first; without
    a terminal, give --yes.
    """
    from loader.cli.changes import change
    from loader.store.series import SeriesFilter
    from loader.store.versions.undo import delete as take_away

    if not any((provider, symbols, interval, since, until)):
        raise click.UsageError("say which bars: --provider, --symbol, --interval, --since, --until")
    asked = SeriesFilter(provider, symbols, interval, *bounds(since, until))
    change(
        ctx, "delete", lambda url: partial(take_away, url, asked),
        dry_run=dry_run, yes=yes, as_json=as_json,
    )  # fmt: skip

"""`mdload diff`: what differs between two instants."""

from __future__ import annotations

from datetime import date, datetime

import click

from loader.cli.context import Context
from loader.cli.numbers import LIMIT
from loader.cli.options import json_option
from loader.cli.series_options import bounds, series_options
from loader.cli.when import Moment


@click.command(epilog="Example: mdload diff backtest-2024-03 now --symbol SPY")
@click.argument("a", metavar="A")
@click.argument("b", metavar="[B]", default="now")
@series_options
@click.option("--to", "path", metavar="FILE", type=click.Path(dir_okay=False),
              help="Write all differing bars to a .parquet or .csv file.")  # fmt: skip
@click.option("--limit", metavar="N", type=LIMIT, default=20, show_default=True,
              help="Show at most N bars; --json and --to have all.")  # fmt: skip
@json_option
@click.pass_obj
def diff(
    ctx: Context,
    /,
    a: str,
    b: str,
    provider: str | None,
    symbols: tuple[str, ...],
    interval: str | None,
    since: date | None,
    until: date | None,
    path: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """Compare the bars at two instants: added, changed and gone, by series and one by one.

    A and B are each a pin, a time, an age such as 24h, a run (12: after it; 12^: before it), or
    now. So mdload diff 12^ 12 shows what run 12 changed. Exit code 6 if anything differs.
    """
    from loader.cli.store import store
    from loader.cli.views.past import show_diff, write_rows
    from loader.db.arrow import connect
    from loader.db.cancelling import cancellable
    from loader.db.reconnecting import ReconnectingSession
    from loader.errors import CheckFailed
    from loader.store.export.files import kind_of
    from loader.store.series import SeriesFilter
    from loader.store.versions.diff import diff
    from loader.store.versions.instants import instant
    from loader.text import counted

    if path is not None:
        kind_of(path)
    asked = SeriesFilter(provider, symbols, interval, *bounds(since, until))
    with store(ctx) as url:
        session = ReconnectingSession(url)
        try:
            first, second = (instant(session, text, moment(text)) for text in (a, b))
        finally:
            session.close()
        with connect(url, autocommit=True) as connection:
            found = cancellable(connection, lambda: diff(connection, first, second, asked))
    if path is not None:
        write_rows(found.rows, path)
    show_diff(found, limit, as_json)
    if found.rows.height:
        raise CheckFailed(f"{counted(found.rows.height, 'bar')} differ")


def moment(text: str) -> datetime | None:
    """What `text` is as a time or an age; None if it is neither, and may be a pin."""
    try:
        return Moment().convert(text, None, None)
    except click.BadParameter:
        return None

"""`mdload coverage`: the stored series at a glance."""

from __future__ import annotations

from datetime import date, datetime
from typing import Final

import click

from loader.cli.context import Context
from loader.cli.options import json_option
from loader.cli.plot import plot_option
from loader.cli.series_options import bounds, past_options, series_options, whichever

#: Cells of a picture's timelines.
_PICTURED: Final = 60


@click.command(epilog="Example: mdload coverage --provider polygon --since 2024-01-01")
@series_options
@past_options
@click.option("--exact", is_flag=True,
              help="Count every bar; without this, millions of bars are estimated.")  # fmt: skip
@plot_option
@json_option
@click.pass_obj
def coverage(
    ctx: Context,
    /,
    provider: str | None,
    symbols: tuple[str, ...],
    interval: str | None,
    since: date | None,
    until: date | None,
    as_of: datetime | None,
    pin: str | None,
    exact: bool,
    plot: str | None,
    as_json: bool,
) -> None:
    """Show the stored series: first and last bar, count, and a timeline.

    A cell of the timeline is full if it has as many bars as most cells of its series, so nights
    and weekends do not count against it; a dot has no bar. Only the index is read, so that a
    hundred million bars take no longer. mdload gaps compares with an exchange's calendar.
    """
    from loader.cli import interrupts
    from loader.cli.store import store
    from loader.cli.views.coverage import cells_that_fit, print_coverage, print_none
    from loader.db.arrow import Connection, connect
    from loader.db.cancelling import cancellable
    from loader.errors import NothingStored
    from loader.store.series import SeriesFilter
    from loader.store.versions import past
    from loader.survey.coverage import coverage

    whichever(as_of, pin)
    interrupts.heed()
    asked = SeriesFilter(provider, symbols, interval, *bounds(since, until))
    with store(ctx) as url, connect(url, autocommit=True) as connection:
        cells = cells_that_fit() if plot is None else _PICTURED
        at = past.asked(url, as_of, pin)
        past.read_at(connection, at)

        others: list[Connection] = []

        def another() -> Connection:
            opened = connect(url, autocommit=True)
            others.append(opened)
            past.read_at(opened, at)
            return opened

        try:
            found = cancellable(
                connection,
                lambda: coverage(connection, asked, cells, exact=exact, another=another),
                others,
            )
        except NothingStored as none:
            if provider or symbols or interval:
                raise
            print_none(none, as_json=as_json)
            return
    if plot is not None:
        from loader.cli.plot import write_picture
        from loader.survey.pictures.strips import of_coverage

        write_picture(of_coverage(found), plot)
    print_coverage(found, as_json=as_json)

"""`mdload revisions`: what was restated."""

from __future__ import annotations

from datetime import date, datetime

import click

from loader.cli.context import Context
from loader.cli.numbers import LIMIT, ROW_ID, Fraction
from loader.cli.options import json_option
from loader.cli.plot import plot_option
from loader.cli.series_options import bounds, series_options
from loader.cli.when import Moment


@click.group(epilog="Example: mdload revisions list --symbol SPY --known-since 7d")
def revisions() -> None:
    """List bars that a provider restated, or that were deleted."""


@revisions.command(
    "list",
    short_help="List restated bars.",
    epilog="Example: mdload revisions list --run 12 --min-bps 50",
)
@series_options
@click.option("--run", "run_id", metavar="ID", type=ROW_ID,
              help="Only changes by this run.")  # fmt: skip
@click.option("--known-since", metavar="WHEN", type=Moment(),
              help="Only changes that were loaded at this time or later.")  # fmt: skip
@click.option("--known-until", metavar="WHEN", type=Moment(),
              help="Only changes that were loaded up to this time.")  # fmt: skip
@click.option("--min-bps", metavar="N", type=Fraction(0, 1e12),
              help="Only changes of a price by N basis points or more.")  # fmt: skip
@click.option("--limit", metavar="N", type=LIMIT, default=20, show_default=True,
              help="Show at most N changes.")  # fmt: skip
@plot_option
@json_option
@click.pass_obj
def list_(
    ctx: Context,
    /,
    provider: str | None,
    symbols: tuple[str, ...],
    interval: str | None,
    since: date | None,
    until: date | None,
    run_id: int | None,
    known_since: datetime | None,
    known_until: datetime | None,
    min_bps: float | None,
    limit: int,
    plot: str | None,
    as_json: bool,
) -> None:
    """List changed bars, the largest change of a price first, and a summary by series.

    --since and --until select by the time of the bars, --known-since and --known-until by the time
    at which the change was loaded.
    """
    from loader.cli.pin import session_of
    from loader.cli.views.past import show_revisions
    from loader.store.series import SeriesFilter
    from loader.store.versions.revisions import MOST, RevisionFilter, restated

    of = SeriesFilter(provider, symbols, interval, *bounds(since, until))
    asked = RevisionFilter(of, run_id, known_since, known_until, min_bps)
    with session_of(ctx) as session:
        found = restated(session, asked, limit if plot is None else MOST)
    if plot is not None:
        from dataclasses import replace

        from loader.cli.plot import write_picture
        from loader.survey.pictures.vintages import of_revisions

        write_picture(of_revisions(found.rows), plot)
        found = replace(found, rows=found.rows[:limit])
    show_revisions(found, as_json)

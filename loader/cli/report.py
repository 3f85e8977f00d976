"""`mdload report`: the store on one page of HTML."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import TYPE_CHECKING

import click

from loader.cli.context import Context
from loader.cli.diff import moment
from loader.cli.options import json_option
from loader.cli.series_options import bounds, past_options, series_options, whichever

if TYPE_CHECKING:
    from loader.survey.report import Report


@click.command(epilog="Example: mdload report --to report.html --calendar XNYS --since 90d")
@click.option("--to", "path", metavar="FILE", type=click.Path(dir_okay=False, allow_dash=True),
              help="Write the page to this file; - for stdout.")  # fmt: skip
@series_options
@click.option("--calendar", metavar="NAME",
              help="Compare the bars with an exchange's calendar: XNYS, 24/7, …")  # fmt: skip
@past_options
@click.option("--diff", "against", metavar="A",
              help="Compare the bars at this pin, time or run with those of now.")  # fmt: skip
@click.option("--series", "shown", metavar="NAME", multiple=True,
              help="Draw bars of SYMBOL or PROVIDER:SYMBOL:INTERVAL; can be repeated.")  # fmt: skip
@json_option
@click.pass_obj
def report(
    ctx: Context,
    /,
    path: str | None,
    provider: str | None,
    symbols: tuple[str, ...],
    interval: str | None,
    since: date | None,
    until: date | None,
    calendar: str | None,
    as_of: datetime | None,
    pin: str | None,
    against: str | None,
    shown: tuple[str, ...],
    as_json: bool,
) -> None:
    """Write a page to look at: coverage, changes, runs, rejects and bars, in one HTML file.

    The file needs nothing else: no request leaves it, and it reads without JavaScript. --since
    bounds the bars in the coverage, and runs, rejects and changes by when they were loaded. --json
    prints the same data. Needs: pip install 'mdload[report]'.
    """
    from loader.cli import interrupts
    from loader.cli.store import store
    from loader.cli.views.table import print_json
    from loader.db.arrow import Connection, connect
    from loader.db.cancelling import cancellable
    from loader.db.reconnecting import ReconnectingSession
    from loader.db.rows import Session
    from loader.db.rows import connect as connect_rows
    from loader.store.export.rows import whole_file
    from loader.store.series import SeriesFilter
    from loader.store.versions.instants import instant
    from loader.store.versions.past import asked as asked_instant
    from loader.survey.report import Asked, as_object, gather

    if path is None and not as_json:
        raise click.UsageError("name the file, --to report.html, or ask for --json")
    if path == "-" and as_json:
        raise click.UsageError("--to - and --json both write to stdout; give one of them")
    whichever(as_of, pin)
    interrupts.heed()
    render = _renderer() if path is not None else None
    first, last = bounds(since, until)
    with store(ctx) as url:
        at = asked_instant(url, as_of, pin)
        session = ReconnectingSession(url)
        try:
            now = instant(session, "now", None)
            then = instant(session, against, moment(against)) if against else None
        finally:
            session.close()
        wanted = SeriesFilter(provider, symbols, interval, first, last)
        asked = Asked(wanted, first, calendar, at, then, shown)
        others: list[Connection | Session] = []

        def another() -> Connection:
            opened = connect(url, autocommit=True)
            others.append(opened)
            return opened

        with connect(url, autocommit=True) as connection, connect_rows(url) as rows:
            others.append(rows)
            found = cancellable(
                connection, lambda: gather(connection, rows, asked, now, another), others
            )
    if path is not None and render is not None:
        with whole_file(path) as file:
            file.write(render(found).encode())
    if as_json:
        print_json(as_object(found))


def _renderer() -> Callable[[Report], str]:
    """
    Raises:
        SettingsError: the extra is absent.
    """
    from loader.errors import SettingsError

    try:
        from loader.survey.report.page import render
    except ImportError as error:
        raise SettingsError(
            "the page of mdload report needs the package jinja2",
            hint="install it with: pip install 'mdload[report]'; --json needs nothing",
        ) from error
    return render

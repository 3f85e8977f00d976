"""`mdload gaps`: what an exchange's calendar expects and the store does not have."""

from __future__ import annotations

from datetime import UTC, date, datetime

import click

from loader.cli import completion
from loader.cli.context import Context
from loader.cli.numbers import ROW_ID
from loader.cli.options import json_option
from loader.cli.series_options import bounds, series_options
from loader.errors import CheckFailed, NothingStored


@click.command(
    epilog="Example: mdload gaps --calendar XNYS --provider polygon --interval 1m --since 7d"
)
@series_options
@click.option(
    "--calendar",
    "name",
    metavar="NAME",
    help="Calendar of the exchange, e.g. XNYS, XLON, CMES, 24/7 (package exchange_calendars).",
    shell_complete=completion.calendars,
)
@click.option(
    "--waive",
    "waived",
    metavar="SYMBOL:FROM:TO",
    multiple=True,
    help="Record an expected gap: dates of sessions, or two times.",
)
@click.option("--reason", metavar="TEXT", help="Why the gap is expected, with --waive.")
@click.option("--waivers", "listing", is_flag=True, help="List the waivers, and end.")
@click.option("--withdraw", metavar="ID", type=ROW_ID, help="Delete a waiver, and end.")
@json_option
@click.pass_obj
def gaps(
    ctx: Context,
    /,
    provider: str | None,
    symbols: tuple[str, ...],
    interval: str | None,
    since: date | None,
    until: date | None,
    name: str | None,
    waived: tuple[str, ...],
    reason: str | None,
    listing: bool,
    withdraw: int | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Find missing sessions, and missing bars within sessions; exit code 6 if there are any.

    Each series is checked from --since to --until; without them, from its first stored bar and to
    its last. Holidays and half days are known. --waive records an expected gap, for
    --provider and --interval if they are given, else for all.
    """
    from loader.cli import interrupts
    from loader.cli.store import store
    from loader.cli.views.gaps import print_gaps, print_waivers
    from loader.cli.views.load import listed
    from loader.db.arrow import connect
    from loader.db.cancelling import cancellable
    from loader.listen import log
    from loader.store.series import SeriesFilter, stored_series
    from loader.survey import waivers
    from loader.survey.gaps import Span, check, silent, unknown
    from loader.text import counted

    interrupts.heed()
    if bool(waived) != bool(reason):
        raise click.UsageError("--waive and --reason go together")
    if name is None and not (listing or withdraw is not None):
        raise click.UsageError("name the exchange's calendar, e.g. --calendar XNYS")
    bounds(since, until)  # in order
    new = [waivers.parse(text, str(reason), provider, interval) for text in waived]
    with store(ctx) as url, connect(url, autocommit=True) as connection:
        for waiver in new:
            waivers.add(connection, waiver)
        if withdraw is not None:
            waivers.withdraw(connection, withdraw)
        known = waivers.stored_waivers(connection)
        if listing or withdraw is not None:
            print_waivers(known, as_json=as_json)
            return
        asked = SeriesFilter(provider, symbols, interval)
        span = Span(since, until, datetime.now(UTC))
        try:
            series = cancellable(connection, lambda: stored_series(connection, asked))
            checked = cancellable(
                connection, lambda: list(check(connection, series, str(name), span, known))
            )
        except NothingStored as error:
            if not (symbols or provider or interval):
                raise
            raise CheckFailed(str(error), hint=error.hint) from error  # all of it is missing
    print_gaps(str(name), checked, unknown(series), as_json=as_json)
    if until is None and 0 < (quiet := silent(series, span)).height < series.height:
        log.note(
            f"no bars since {since:%Y-%m-%d} of {listed(sorted(set(quiet['symbol'])))}; "
            "to count what they lack: --until 0d"
        )
    found = [c for c in checked if c.missing]
    if found:
        bars = counted(sum(c.missing for c in found), "bar")
        raise CheckFailed(
            f"{bars} missing in {len(found):,} of {len(checked):,} series",
            hint="load them, or waive them as expected: mdload gaps --waive SYMBOL:FROM:TO "
            "--reason TEXT",
        )

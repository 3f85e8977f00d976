"""`mdload reconcile`: two providers or intervals side by side."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import click

from loader.cli.context import Context
from loader.cli.numbers import LIMIT, Fraction
from loader.cli.options import Pair, json_option
from loader.cli.series_options import bounds, upper
from loader.cli.when import When

if TYPE_CHECKING:
    from loader.survey.reconcile import Side


@click.command(
    epilog="Example: mdload reconcile polygon yahoo --interval 1d --tolerance prices=5bps"
)
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@click.option("--interval", metavar="I",
              help="Length of the bars, where A or B does not say it: polygon:1d.")  # fmt: skip
@click.option("--symbol", "symbols", metavar="S", multiple=True, callback=upper,
              help="Only bars of this symbol; can be repeated.")  # fmt: skip
@click.option("--since", metavar="WHEN", type=When(), help="Start (inclusive).")
@click.option("--until", metavar="WHEN", type=When(), help="End (inclusive).")
@click.option("--tolerance", metavar="FIELD=SIZE", multiple=True, type=Pair("FIELD=SIZE"),
              help="How far a field may differ: close=0.01, prices=5bps, prices=2ticks, "
                   "volume=100; prices and all stand for several.")  # fmt: skip
@click.option("--tick", metavar="SIZE", type=Fraction(0, 1e12, min_open=True),
              help="Size of a tick.")  # fmt: skip
@click.option("--to", "path", metavar="FILE", type=click.Path(dir_okay=False),
              help="Write all bars that differ to a .csv, .parquet or .jsonl file.")  # fmt: skip
@click.option("--limit", metavar="N", type=LIMIT, default=20, show_default=True,
              help="Show at most N bars that differ; --to has all.")  # fmt: skip
@json_option
@click.pass_obj
def reconcile(
    ctx: Context,
    /,
    a: str,
    b: str,
    interval: str | None,
    symbols: tuple[str, ...],
    since: date | None,
    until: date | None,
    tolerance: tuple[tuple[str, str], ...],
    tick: float | None,
    path: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """Compare the bars of two providers, or of two intervals, over the same symbols and time.

    A and B are each PROVIDER or PROVIDER:INTERVAL. With polygon:1d and polygon:1m, days are
    compared with those made of the minutes, by UTC's days. Bars that only one side has count as
    well. Worst first; exit code 6 if anything differs by more than the tolerance.
    """
    from loader.cli.store import store
    from loader.cli.views.checks.reconcile import show
    from loader.db.arrow import connect
    from loader.db.cancelling import cancellable
    from loader.errors import CheckFailed
    from loader.read.spool import Spool
    from loader.store.export.rows import check_target, write_all
    from loader.store.versions.diff import MEASURED
    from loader.survey.reconcile import reconcile as compare
    from loader.survey.reconcile import tolerances
    from loader.text import counted

    if path is not None:
        check_target(path)
    sides = [_side(text, interval) for text in (a, b)]
    if sides[0] == sides[1]:
        raise click.UsageError("A and B are the same: name two providers, or two intervals")
    allowed = tolerances(dict(tolerance), tick)
    first, last = bounds(since, until)
    with store(ctx) as url, Spool(dict(MEASURED)) as rows:
        with connect(url, autocommit=True) as connection:
            found = cancellable(
                connection,
                lambda: compare(connection, sides[0], sides[1], rows, allowed,
                                symbols=symbols, since=first, until=last),
            )  # fmt: skip
        show(found, rows, limit, as_json=as_json)
        if path is not None:
            write_all(path, rows, dict(MEASURED))
    if found.differing:
        raise CheckFailed(f"{counted(found.differing, 'bar')} differ")


def _side(text: str, interval: str | None) -> Side:
    """
    Raises:
        click.UsageError: nothing says the interval, or it is not one.
    """
    from loader.bars import parse_interval
    from loader.survey.reconcile import Side

    provider, colon, own = text.rpartition(":")
    if colon and interval is not None and parse_interval(own) is None:
        provider, colon = text, ""  # a colon in the provider's name
    said = own if colon else interval
    if said is None:
        raise click.UsageError(f"which interval of {text}? {text}:1d, or --interval 1d for both")
    known = parse_interval(said)
    if known is None:
        raise click.UsageError(f"{said!r} is not an interval such as 1m, 1h or 1d")
    return Side(provider if colon else text, known)

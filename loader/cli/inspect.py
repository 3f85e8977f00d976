"""`mdload inspect`: how mdload would read a file. No database is touched."""

from __future__ import annotations

from typing import Any

import click

from loader.cli.context import Context
from loader.cli.options import PATH, GroupedReading, json_option, meaning_options, settings_of


@click.command(
    cls=GroupedReading, epilog="Example: mdload inspect SPY.csv --provider yahoo --symbol SPY"
)
@click.argument("source", metavar="SOURCE", type=PATH)
@meaning_options
@click.option("--rows", metavar="N", type=click.IntRange(1, 1000), default=5, show_default=True,
              help="Number of bars to show.")  # fmt: skip
@click.option("--emit", is_flag=True,
              help="Print a [dialects.NAME] table for mdload.toml instead.")  # fmt: skip
@json_option
@click.pass_obj
def inspect(
    ctx: Context, /, source: str, as_json: bool, rows: int, emit: bool, **given: Any
) -> int:
    """Show how mdload would read a file: dialect, columns, interval, span, symbols, first bars.

    Reads only the first batch (--batch-rows), and lists what that leaves open. With --emit it
    prints a draft of an unknown format for you to complete.
    """
    from loader.cli.views.dialect_table import dialect_table
    from loader.cli.views.inspection import print_json_looks, print_looks
    from loader.dialects.siblings import Siblings
    from loader.ingest.ways.inspection import inspect_source
    from loader.read.sources import find
    from loader.text import visible

    settings = settings_of(ctx, given)
    with find([source]) as found:
        siblings = Siblings(each.full_path for each in found)
        # One after the other, so that no more than one batch is in memory.
        looks = (inspect_source(each, settings, siblings.unlike(each.full_path)) for each in found)
        if emit:
            click.echo(visible(dialect_table(next(looks))))
            return 0
        if as_json:
            return print_json_looks(looks, rows, several=len(found) > 1)
        return print_looks(looks, rows)

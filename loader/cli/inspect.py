"""`mdload inspect`: how mdload would read a file. No database is touched, unless asked for."""

from __future__ import annotations

from typing import Any

import click

from loader.cli.context import Context
from loader.cli.options import (
    PATH,
    GroupedReading,
    inspection_options,
    json_option,
    settings_of,
)


@click.command(
    cls=GroupedReading, epilog="Example: mdload inspect SPY.csv --provider yahoo --symbol SPY"
)
@click.argument("source", metavar="SOURCE", type=PATH)
@inspection_options
@click.option("--rows", metavar="N", type=click.IntRange(1, 1000), default=5, show_default=True,
              help="Number of bars to show.")  # fmt: skip
@click.option("--emit", is_flag=True,
              help="Print a [dialects.NAME] table for mdload.toml instead.")  # fmt: skip
@click.option("--compare", is_flag=True,
              help="Read all of it, compare it with the stored bars, and say whether a load would "
                   "be refused.")  # fmt: skip
@json_option
@click.pass_obj
def inspect(
    ctx: Context, /, source: str, as_json: bool, rows: int, emit: bool, compare: bool, **given: Any
) -> int:
    """Show how mdload would read a file: dialect, columns, interval, span, symbols, first bars.

    Reads only the first batch (--batch-rows), and lists what that leaves open. With --emit it
    prints a draft of an unknown format for you to complete. With --compare it reads all of the
    file, as a dry run does, and says what a load would do to stored bars; nothing is written.
    """
    from contextlib import ExitStack

    from loader.cli.views.dialect_table import dialect_table
    from loader.cli.views.inspection import print_json_looks, print_looks
    from loader.dialects.siblings import Siblings
    from loader.ingest.ways.inspection import inspect_source
    from loader.read.sources import find
    from loader.text import visible

    if emit and compare:
        raise click.UsageError("--emit prints a table for mdload.toml, and --compare compares bars")
    settings = settings_of(ctx, given)
    with ExitStack() as stack:
        found = stack.enter_context(find([source]))
        siblings = Siblings(each.full_path for each in found)
        # One after the other, so that no more than one batch is in memory.
        looks = (inspect_source(each, settings, siblings.unlike(each.full_path)) for each in found)
        if compare:
            from loader.cli.store import store
            from loader.ingest.ways.comparison import compared

            url = stack.enter_context(store(ctx))
            looks = (compared(look, each, settings, url)
                     for look, each in zip(looks, found, strict=True))  # fmt: skip
        if emit:
            click.echo(visible(dialect_table(next(looks))))
            return 0
        if as_json:
            return print_json_looks(looks, rows, several=len(found) > 1)
        return print_looks(looks, rows)

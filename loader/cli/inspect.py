"""`mdload inspect`: what a file would be taken for. No database is touched."""

from __future__ import annotations

from typing import Any

import click

from loader.cli.context import Context
from loader.cli.options import PATH, json_option, meaning, meaning_options


@click.command(epilog="Example: mdload inspect SPY.csv --provider yahoo --symbol SPY")
@click.argument("source", metavar="SOURCE", type=PATH)
@meaning_options
@click.option("--rows", metavar="N", type=click.IntRange(1, 1000), default=5, show_default=True,
              help="Bars to show.")  # fmt: skip
@click.option("--emit", is_flag=True,
              help="Print a [dialects.NAME] table for mdload.toml instead.")  # fmt: skip
@json_option
@click.pass_obj
def inspect(
    ctx: Context, /, source: str, as_json: bool, rows: int, emit: bool, **given: Any
) -> int:
    """Show what a file would be taken for: dialect, columns, interval, span, symbols, first bars.

    Reads the first batch only (--batch-rows), and names what that leaves open. With --emit it
    writes down an unknown format as far as it can tell, for you to finish.
    """
    from loader.check.file import check_settings
    from loader.cli.views.dialect_table import dialect_table
    from loader.cli.views.inspection import print_look
    from loader.load.inspection import inspect_source
    from loader.read.sources import find
    from loader.settings import Settings

    settings = Settings(**meaning(given), own_dialects=ctx.dialects)
    check_settings(settings)
    with find([source]) as found:
        looks = [inspect_source(each, settings) for each in found]
    if emit:
        for look in looks[:1]:
            click.echo(dialect_table(look))
        return 0
    print_look(looks, rows, as_json=as_json)
    return max((look.error.exit_code for look in looks if look.error), default=0)

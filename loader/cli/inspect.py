"""`mdload inspect`: what a file would be taken for. No database is touched."""

from __future__ import annotations

from typing import Any

import click

from loader.cli.options import PATH, json_option, meaning, meaning_options


@click.command(epilog="Example: mdload inspect SPY.csv --provider yahoo --symbol SPY")
@click.argument("source", metavar="SOURCE", type=PATH)
@meaning_options
@click.option("--rows", metavar="N", type=click.IntRange(1, 1000), default=5, show_default=True,
              help="Bars to show.")  # fmt: skip
@json_option
def inspect(source: str, as_json: bool, rows: int, **given: Any) -> int:
    """Show what a file would be taken for: columns, interval, span, symbols, first bars.

    Reads the first batch only (--batch-rows), and names what that leaves open.
    """
    from loader.checking import check_settings
    from loader.inspection import first_look
    from loader.render_look import print_look
    from loader.settings import Settings
    from loader.sources import find

    settings = Settings(**meaning(given))
    check_settings(settings)
    with find([source]) as found:
        looks = [first_look(each, settings) for each in found]
    print_look(looks, rows, as_json=as_json)
    return max((look.error.exit_code for look in looks if look.error), default=0)

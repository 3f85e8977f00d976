"""`mdload query`: SQL over the stored bars."""

from __future__ import annotations

import sys

import click

from loader.cli.context import Context
from loader.cli.numbers import LIMIT
from loader.cli.options import json_option


@click.command(epilog='Example: mdload query "SELECT symbol, max(ts) FROM bars_ohlcv GROUP BY 1"')
@click.argument("sql", metavar="SQL")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV, all rows.")
@click.option("--to", "path", metavar="FILE", type=click.Path(dir_okay=False),
              help="Write all rows to a .parquet or .csv file.")  # fmt: skip
@click.option("--limit", metavar="N", type=LIMIT, default=100, show_default=True,
              help="Show at most N rows in a table.")  # fmt: skip
@json_option
@click.pass_obj
def query(
    ctx: Context, /, sql: str, as_csv: bool, path: str | None, limit: int, as_json: bool
) -> None:
    """Run one SQL statement and print its rows as a table. It can read, not write.

    SQL - takes the statement from standard input. Times are UTC, floats exact.
    """
    from loader.cli.store import store
    from loader.cli.views.query import print_json, show, write
    from loader.store.export.files import kind_of
    from loader.survey.query import answer

    if sum((as_csv, as_json, path is not None)) > 1:
        raise click.UsageError("give one of --json, --csv and --to")
    if path is not None:
        kind_of(path)
    statement = sys.stdin.read() if sql == "-" else sql
    with store(ctx) as url, answer(url, statement) as found:
        if path is not None or as_csv:
            write(found, path or "-")
        elif as_json:
            print_json(found)
        else:
            show(found, limit)

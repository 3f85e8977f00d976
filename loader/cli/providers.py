"""`mdload providers`: the recognised vendor formats, from their declarations."""

from __future__ import annotations

import click

from loader.cli.context import Context
from loader.cli.options import json_option


@click.group(epilog="Example: mdload providers show stooq")
def providers() -> None:
    """List and show the vendor formats that mdload recognises."""


@providers.command("list", short_help="List every format.", epilog="Example: mdload providers list")
@json_option
@click.pass_obj
def list_(ctx: Context, /, as_json: bool) -> None:
    """List every format, with what its times mean and what its prices are adjusted for."""
    from loader.cli.views.dialect import print_list
    from loader.dialects.known import known_dialects
    from loader.dialects.own import from_tables

    print_list(known_dialects(from_tables(ctx.dialects)), as_json=as_json)


@providers.command(
    short_help="Show one format: columns, times, traps.",
    epilog="Example: mdload providers show databento",
)
@click.argument("name")
@json_option
@click.pass_obj
def show(ctx: Context, /, name: str, as_json: bool) -> None:
    """Show one format: how it is recognised, what its columns mean, and its traps."""
    from loader.cli.views.dialect import print_dialect
    from loader.dialects.known import known_dialect
    from loader.dialects.own import from_tables

    print_dialect(known_dialect(name, from_tables(ctx.dialects)), as_json=as_json)

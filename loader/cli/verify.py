"""`mdload verify`: do stored bars agree with one another."""

from __future__ import annotations

from datetime import date

import click

from loader.cli.context import Context
from loader.cli.numbers import Fraction
from loader.cli.options import json_option
from loader.cli.series_options import bounds, series_options

_SHOWN = 20


@click.command(epilog="Example: mdload verify --rollup --interval 1d --tolerance 0.001")
@click.option("--rollup", is_flag=True, required=True,
              help="Compare bars with those that TimescaleDB makes from shorter ones.")  # fmt: skip
@click.option("--tolerance", type=Fraction(0, 1), default=0.0, show_default=True,
              metavar="SHARE", help="Ignore relative differences up to this.")  # fmt: skip
@series_options
@json_option
@click.pass_obj
def verify(
    ctx: Context,
    /,
    rollup: bool,
    tolerance: float,
    provider: str | None,
    symbols: tuple[str, ...],
    interval: str | None,
    since: date | None,
    until: date | None,
    as_json: bool,
) -> None:
    """Compare stored bars with the rollup of shorter ones (mdload timescale rollup).

    Daily bars unless --interval says otherwise, of the series that are stored both ways. A
    provider's own daily bar may come from other trades than its minutes: the auctions, corrections.
    Exit code 6 if any differ.
    """
    from loader.cli.store import store
    from loader.cli.views.table import Column, print_json, say, table
    from loader.errors import CheckFailed
    from loader.store.series import SeriesFilter
    from loader.store.timescale import connected, extension
    from loader.survey.verify import FIELDS, check
    from loader.text import counted

    asked = SeriesFilter(provider, symbols, None, *bounds(since, until))
    with store(ctx) as url, connected(url) as connection:
        extension(connection)
        found = check(connection, interval or "1d", asked, tolerance)
    if as_json:
        told = {"rollup": found.rollup.name, "compared": found.compared, "by_field": found.by_field}
        print_json({**told, "differences": found.differences})
    else:
        rows = [
            (d.provider, d.symbol, d.ts, ", ".join(d.differs), *_pairs(d.differs, d.stored, d.made))
            for d in found.differences[:_SHOWN]
        ]
        if rows:
            time = Column("ts", "time")
            table(None, ["provider", "symbol", time, "differs", *FIELDS], rows)
        say(f"{found.rollup.name}: {counted(found.compared, 'bar')} compared, "
                   f"{len(found.differences):,} differ")  # fmt: skip
    if found.differences:
        fields = ", ".join(f"{name} {n:,}" for name, n in found.by_field.items())
        raise CheckFailed(f"{counted(len(found.differences), 'bar')} differ ({fields})")


def _pairs(
    differs: tuple[str, ...], stored: tuple[float | None, ...], made: tuple[float | None, ...]
) -> list[str | None]:
    """For each field, the stored and the computed value if they differ or one is missing."""
    from loader.survey.verify import FIELDS

    return [
        f"{s:g} / {m:g}" if s is not None and m is not None and name in differs else None
        for name, s, m in zip(FIELDS, stored, made, strict=True)
    ]

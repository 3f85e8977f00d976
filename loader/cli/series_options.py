"""Options that say which stored bars are meant."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time
from typing import Any, Final, TypeVar

import click

from loader.cli.when import When

F = TypeVar("F", bound=Callable[..., Any])


def _interval(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """The interval in mdload's spelling; an unknown one may be stored all the same."""
    if value is None:
        return None
    from loader.bars import parse_interval

    return parse_interval(value) or value


def _upper(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(symbol.upper() for symbol in value)


_SERIES: Final = (
    click.option("--provider", metavar="P", help="Only bars of this provider."),
    click.option("--symbol", "symbols", metavar="S", multiple=True, callback=_upper,
                 help="Only bars of this symbol; can be repeated."),
    click.option("--interval", metavar="I", callback=_interval,
                 help="Only bars of this length: 1m, 1h, 1d, …"),
    click.option("--since", metavar="WHEN", type=When(),
                 help="From there on: 2024-03-01, 2024-03-01T14:30Z, 7d, 24h."),
    click.option("--until", metavar="WHEN", type=When(),
                 help="Up to there, a date's whole day included."),
)  # fmt: skip


def series_options(command: F) -> F:
    """`--provider --symbol… --interval --since --until`."""
    for option in reversed(_SERIES):
        command = option(command)
    return command


def first_moment(bound: date | None) -> datetime | None:
    """Where `--since` begins: a date with its midnight (UTC)."""
    if bound is None or isinstance(bound, datetime):
        return bound
    return datetime.combine(bound, time.min, UTC)


def last_moment(bound: date | None) -> datetime | None:
    """Where `--until` ends: a date with its last microsecond (UTC)."""
    if bound is None or isinstance(bound, datetime):
        return bound
    return datetime.combine(bound, time.max, UTC)

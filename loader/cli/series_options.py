"""Options that say which stored bars are meant."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time
from typing import Any, Final, TypeVar

import click

from loader.cli import completion
from loader.cli.when import Moment, When

F = TypeVar("F", bound=Callable[..., Any])


def _interval(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """The interval in mdload's spelling; an unknown one may be stored all the same."""
    if value is None:
        return None
    from loader.bars import parse_interval

    return parse_interval(value) or value


def upper(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    if not all(symbol.strip() for symbol in value):
        raise click.BadParameter("a symbol is not empty")
    return tuple(symbol.upper() for symbol in value)


_SERIES: Final = (
    click.option("--provider", metavar="P", help="Only bars of this provider.",
                 shell_complete=completion.stored_providers),
    click.option("--symbol", "symbols", metavar="S", multiple=True, callback=upper,
                 shell_complete=completion.stored_symbols,
                 help="Only bars of this symbol; can be repeated."),
    click.option("--interval", metavar="I", callback=_interval,
                 shell_complete=completion.stored_intervals,
                 help="Only bars of this length: 1m, 1h, 1d, …"),
    click.option("--since", metavar="WHEN", type=When(),
                 help="Start (inclusive): 2024-03-01, 2024-03-01T14:30Z, 7d, 24h."),
    click.option("--until", metavar="WHEN", type=When(),
                 help="End (inclusive); a date includes its whole day."),
)  # fmt: skip


def series_options(command: F) -> F:
    """`--provider --symbol… --interval --since --until`."""
    for option in reversed(_SERIES):
        command = option(command)
    return command


_PAST: Final = (
    click.option("--as-of", metavar="TIME", type=Moment(),
                 help="Read the bars as the store knew them at this time."),
    click.option("--pin", metavar="NAME", help="Read the bars at this pin (mdload pins list)."),
)  # fmt: skip


def past_options(command: F) -> F:
    """`--as-of` and `--pin`."""
    for option in reversed(_PAST):
        command = option(command)
    return command


def whichever(as_of: datetime | None, pin: str | None) -> None:
    """
    Raises:
        click.UsageError: both are given.
    """
    if as_of is not None and pin is not None:
        raise click.UsageError("--as-of and --pin name two instants; give one of them")


def bounds(since: date | None, until: date | None) -> tuple[datetime | None, datetime | None]:
    """The first and the last moment (UTC) of `--since` and `--until`: of a date its midnight, and
    its last microsecond.

    Raises:
        click.UsageError: the one is after the other.
    """
    first, last = _moment(since, time.min), _moment(until, time.max)
    if first and last and first > last:
        raise click.UsageError(f"--since {since} is after --until {until}")
    return first, last


def _moment(bound: date | None, of_day: time) -> datetime | None:
    if bound is None or isinstance(bound, datetime):
        return bound
    return datetime.combine(bound, of_day, UTC)

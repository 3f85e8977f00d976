"""Options that several commands share, and what they come to."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

if TYPE_CHECKING:
    from loader.bars.symbol_map import SymbolMap

F = TypeVar("F", bound=Callable[..., Any])

json_option: Final = click.option(
    "--json", "as_json", is_flag=True, help="One JSON object on stdout."
)

#: A path as a shell completes it; whether it can be read is told when its turn comes.
PATH: Final = click.Path(readable=False, allow_dash=True)

#: What fills the gaps that a file leaves: who provides it, which symbol, which zone.
_MEANING: Final = (
    click.option("--provider", metavar="P", help="Who the bars are from, e.g. polygon."),
    click.option("--interval", metavar="I", help="Length of a bar: 1m, 5m, 1h, 1d, …"),
    click.option("--symbol", metavar="S", help="Of a file that names none."),
    click.option("--dialect", metavar="NAME", help="Take the file for this format."),
    click.option("--symbol-convention", metavar="NAME",
                 help="How symbols are spelled, e.g. cqs (ABRpA), yahoo (ABR-PA), cms (ABR PRA)."),
    click.option("--symbol-map", metavar="FILE", type=click.Path(dir_okay=False),
                 help="CSV of your own names for symbols: from,to,provider,valid_from,valid_to."),
    click.option("--timezone", metavar="TZ", help="Of local times, e.g. America/New_York."),
    click.option("--time-format", metavar="FORMAT",
                 help="Of times: as in strptime (%d/%m/%Y), or a unit of numbers: s, ms, us, ns."),
    click.option("--stamp", type=click.Choice(["start", "end"]),
                 help="Which end of their bars the times are."),
    click.option("--price-divisor", metavar="N",
                 help="Prices are whole numbers of 1/N: 10000, 1000000000 (1: as they stand)."),
    click.option("--volume-factor", metavar="N", help="Volume is in lots of N: 1, 100, 1000."),
    click.option("--keep-skipped", is_flag=True,
                 help="Load rows that the format takes for no bars: fillers, a bar still open."),
    click.option("--column", "columns", metavar="FIELD=NAME", multiple=True,
                 help="The file's name for a field, e.g. --column close=Settle."),
    click.option("--allow-nonpositive-prices", is_flag=True,
                 help="Load prices of zero and below, as some futures have."),
    click.option("--off-grid", is_flag=True,
                 help="Load bars that do not start on their interval's grid."),
    click.option("--batch-rows", metavar="ROWS", type=click.IntRange(1, 5_000_000), default=100_000,
                 show_default=True, help="Rows in memory at a time."),
)  # fmt: skip


def metrics_options(command: F) -> F:
    """The ways out of the process for the metrics of a run."""
    for option in (
        click.option(
            "--push-gateway", metavar="URL", envvar="MDLOAD_PUSH_GATEWAY",
            help="Push the run's metrics to this Pushgateway when it starts and ends.",
        ),
        click.option(
            "--metrics-textfile", metavar="FILE", type=click.Path(dir_okay=False),
            envvar="MDLOAD_METRICS_TEXTFILE",
            help="Add the run's metrics to this file, which node_exporter reads (*.prom).",
        ),
    ):  # fmt: skip
        command = option(command)
    return command


def meaning_options(command: F) -> F:
    for option in reversed(_MEANING):
        command = option(command)
    return command


def meaning(given: dict[str, Any]) -> dict[str, Any]:
    """The options of `meaning_options` as fields of `Settings`."""
    columns = {}
    for pair in given["columns"]:
        name, equals, column = pair.partition("=")
        if not equals or not name or not column:
            raise click.BadParameter(f"{pair!r} is not FIELD=NAME", param_hint="'--column'")
        columns[name.strip()] = column
    same = ("provider", "interval", "symbol", "dialect", "timezone", "time_format", "batch_rows",
            "allow_nonpositive_prices", "stamp", "keep_skipped", "symbol_convention")  # fmt: skip
    price, volume = (_power_of_ten(given, name) for name in ("price_divisor", "volume_factor"))
    return {**{name: given[name] for name in same}, "columns": columns,
            "symbol_map": _symbol_map(given["symbol_map"]),
            "price_exponent": None if price is None else -price, "volume_exponent": volume,
            "check_grid": not given["off_grid"]}  # fmt: skip


def _symbol_map(path: str | None) -> SymbolMap | None:
    from loader.bars.symbol_map import read

    return None if path is None else read(path)


def _power_of_ten(given: dict[str, Any], name: str) -> int | None:
    """The zeros of an option such as `--price-divisor 10000`."""
    text = given[name]
    if text is None:
        return None
    if not re.fullmatch("10{0,18}", text):
        option = f"'--{name.replace('_', '-')}'"
        raise click.BadParameter(f"{text!r} is no power of ten such as 100", param_hint=option)
    return len(text) - 1

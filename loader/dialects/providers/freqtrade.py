"""freqtrade's stored candles: JSON, Feather and Parquet, recognised by name."""

from collections.abc import Mapping
from dataclasses import replace

import polars as pl

from loader.dialects.dialect import OHLCV, Dialect, Opening, Refused, Shape

_PAIR = r"(?P<symbol>[A-Za-z0-9]+_[A-Za-z0-9]+(?:_[A-Za-z0-9-]+)?)-(?P<interval>\d+[A-Za-z]{1,2})"
_ENDING = r"\.(?:json(?:\.gz)?|feather|parquet)$"
_NAME = rf"(?:^|[/!]){_PAIR}(?:-futures)?{_ENDING}"
_COLUMNS = ("date", "open", "high", "low", "close", "volume")
_ROWS = Shape(
    containers=("json",), place=r"\[\]", positions=_COLUMNS, values={"date": r"\d{13}"}, name=_NAME
)
_NO_TRADES = rf"(?:^|[/!]){_PAIR}-(?:mark|index|premiumIndex|funding_rate){_ENDING}"


def _facts(opening: Opening) -> Mapping[str, str]:
    """Restores the pair: `BTC_USDT` is BTC/USDT, `XRP_USDT_USDT` the perpetual XRP/USDT:USDT."""
    facts = dict(opening.facts)
    if "symbol" in facts:
        base, quote, *settled = facts["symbol"].split("_")
        facts["symbol"] = ":".join([f"{base}/{quote}", *settled])
    return facts


def _in_utc(opening: Opening) -> bool:
    dtype = opening.first.schema["date"]
    return isinstance(dtype, pl.Datetime) and dtype.time_zone == "UTC"


DIALECT = Dialect(
    name="freqtrade",
    title="freqtrade's stored candles",
    columns={"ts": ("date",), **OHLCV},
    shapes=(
        _ROWS,
        Shape(
            containers=("arrow", "parquet"),
            header=_COLUMNS,
            exact=True,
            name=_NAME,
            accept=_in_utc,
        ),
    ),
    refused=(
        *(
            Refused(shape, "mark prices, index prices or funding rates")
            for shape in (
                replace(_ROWS, name=_NO_TRADES),
                Shape(containers=("arrow", "parquet"), name=_NO_TRADES),
            )
        ),
        Refused(
            Shape(
                containers=("json", "arrow", "parquet"),
                name=rf"(?:^|[/!])[A-Za-z0-9]+_[A-Za-z0-9]+(?:_[A-Za-z0-9-]+)?-trades{_ENDING}",
            ),
            "trades",
        ),
    ),
    names=(rf"/user_data/data/(?P<exchange>[^/]+)/(?:futures/)?{_PAIR}[^/]*$", _NAME),
    facts=_facts,
    provider="freqtrade-{exchange}",
    volume="base asset",
    adjusted="nothing to adjust",
    traps=(
        "the folder below user_data/data names the exchange; elsewhere use --provider",
        "freqtrade does not store the unfinished candle",
        "files named -mark, -index and -funding_rate hold no trades and are refused",
    ),
    source="freqtrade's data handlers and its test data",
)

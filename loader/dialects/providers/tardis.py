"""Tardis: the trade bars of tardis-machine and tardis-dev."""

import polars as pl

from loader import bars
from loader.dialects.dialect import OHLCV, Dialect, Opening, Refused, Reshape, Shape

_HEADER = (
    "type", "symbol", "exchange", "name", "interval", "kind", "open", "high", "low", "close",
    "volume", "trades", "vwap", "timestamp",
)  # fmt: skip
_CLOCK = "the time of a single trade or of the recording"
_PLACE = r"(?:\[\])?"


def _providers(opening: Opening) -> Reshape:
    """Makes each exchange a provider, because several exchanges can have one symbol."""
    provider = pl.concat_str(pl.lit("tardis-"), "exchange").alias("provider")
    return lambda frame: frame.with_columns(provider)


DIALECT = Dialect(
    name="tardis",
    title="Tardis trade bars",
    columns={
        "provider": ("provider",),
        "symbol": ("symbol",),
        "interval": ("interval",),
        "ts": ("timestamp",),
        **OHLCV,
        "vwap": ("vwap",),
        "trade_count": ("trades",),
    },
    shapes=(
        Shape(
            containers=("json", "ndjson"),
            place=_PLACE,
            header=_HEADER,
            values={"type": "trade_bar", "kind": "time"},
        ),
    ),
    refused=(
        Refused(
            Shape(
                containers=("json", "ndjson"),
                place=_PLACE,
                header=_HEADER,
                values={"type": "trade_bar", "kind": "volume|tick"},
            ),
            "bars of equal volume or number of trades",
        ),
    ),
    left_out={
        **dict.fromkeys(("opentimestamp", "closetimestamp", "localtimestamp"), _CLOCK),
        **dict.fromkeys(("buyvolume", "sellvolume"), "part of the volume"),
        **dict.fromkeys(("type", "kind", "name"), "the same in all time bars"),
        "exchange": "part of the provider's name",
    },
    intervals={
        str(seconds * 1_000): word
        for word, seconds in bars.INTERVAL_SECONDS.items()
        if not bars.is_daily(word)
    },
    stamp="end",
    reshape=_providers,
    volume="as the exchange counts it: contracts for derivatives",
    adjusted="nothing to adjust",
    traps=(
        "timestamp marks the end of the bar, openTimestamp its first trade",
        "the provider is tardis- plus the exchange: tardis-bitmex",
        "bars of a day or longer are rejected, because the zone of their days is unknown",
    ),
    source="a stored message of tardis-machine; tardis-dev's code for trade bars",
)

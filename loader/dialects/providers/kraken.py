"""Kraken: the OHLCVT archive, the REST answer, and candles of Kraken Futures."""

from collections.abc import Mapping

import polars as pl

from loader.dialects.dialect import OHLCV, Dialect, Opening, Refused, Reshape, Shape

_PRICES = ("time", "open", "high", "low", "close")
_SECONDS = {"time": r"\d{10}"}
#: Minutes, as the archive and the interface have them.
_MINUTES = {
    "1": "1m", "5": "5m", "15": "15m", "30": "30m", "60": "1h", "240": "4h", "720": "12h",
    "1440": "1d", "10080": "1w",
}  # fmt: skip
_NAME = rf"(?:^|[/!])(?P<symbol>[A-Za-z0-9.]+)_(?P<interval>{'|'.join(_MINUTES)})\.csv(?:\.\w+)?$"
_LAST = pl.col("result.last").cast(pl.Int64, strict=False)


def _without_trades(opening: Opening) -> Reshape:
    """Candles without a trade have 0 for the average price of their trades, which is none."""
    vwap = pl.when(pl.col("count") != "0").then("vwap").alias("vwap")
    return lambda frame: frame.with_columns(vwap)


def _facts(opening: Opening) -> Mapping[str, str]:
    """Of REST candles and futures the name says nothing, whatever it looks like."""
    return opening.facts if opening.container == "csv" else {}


DIALECT = Dialect(
    name="kraken",
    title="Kraken OHLCVT",
    columns={
        "symbol": ("key",),
        "ts": ("time",),
        **OHLCV,
        "vwap": ("vwap",),
        "trade_count": ("count",),
    },
    shapes=(
        Shape(
            positions=(*_PRICES, "volume", "count"),
            values=_SECONDS,
            name=_NAME,
        ),
        Shape(
            containers=("json",),
            place=r"result\.\*\[\]",
            positions=(*_PRICES, "vwap", "volume", "count"),
            values=_SECONDS,
            skip={
                "the candle that was still running": pl.col("time").cast(pl.Int64, strict=False)
                > _LAST
            },
            reshape=_without_trades,
        ),
        Shape(
            containers=("json",),
            place=r"candles\[\]",
            header=(*_PRICES, "volume", "more_candles"),
            exact=True,
            values={"time": r"\d{13}"},
            provider="kraken-futures",
            note="candles of Kraken Futures",
        ),
    ),
    refused=(
        Refused(Shape(positions=("time", "price", "volume"), values=_SECONDS), "trades"),
    ),
    names=(_NAME,),
    facts=_facts,
    left_out={
        "resultlast": "the last candle that was complete: what comes after it is left out",
        "morecandles": "whether the answer was cut short",
    },
    intervals=_MINUTES,
    volume="base asset, up to 16 decimals",
    adjusted="nothing to adjust",
    traps=(
        "the archive has no row where there was no trade; the REST answer fills it with volume 0",
        "in the REST answer the average price stands before the volume, and the last candle is "
        "still running: it is left out",
        "names have XBT for Bitcoin and XDG for Dogecoin; they are kept as they are",
        "Kraken Futures counts milliseconds, does not say the symbol, and has another provider",
    ),
    source="a file of the OHLCVT archive and stored REST answers; ccxt's reading of them",
)  # fmt: skip

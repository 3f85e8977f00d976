"""Kraken: the OHLCVT archive, the REST answer, and candles of Kraken Futures."""

from collections.abc import Mapping

import polars as pl

from loader.dialects.dialect import OHLCV, Dialect, Opening, Refused, Reshape, Shape

_PRICES = ("time", "open", "high", "low", "close")
_SECONDS = {"time": r"\d{10}"}
#: Minutes, as in the archive and the API.
_MINUTES = {
    "1": "1m", "5": "5m", "15": "15m", "30": "30m", "60": "1h", "240": "4h", "720": "12h",
    "1440": "1d", "10080": "1w",
}  # fmt: skip
_NAME = rf"(?:^|[/!])(?P<symbol>[A-Za-z0-9.]+)_(?P<interval>{'|'.join(_MINUTES)})\.csv(?:\.\w+)?$"
_LAST = pl.col("result.last").cast(pl.Int64, strict=False)


def _without_trades(opening: Opening) -> Reshape:
    """Removes the average price of candles without trades, where Kraken writes 0."""
    vwap = pl.when(pl.col("count") != "0").then("vwap").alias("vwap")
    return lambda frame: frame.with_columns(vwap)


def _facts(opening: Opening) -> Mapping[str, str]:
    """Uses the file's name for CSV only: names of REST answers and futures mean nothing."""
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
        "resultlast": "the last complete candle: later ones are left out",
        "morecandles": "tells whether more candles follow",
    },
    intervals=_MINUTES,
    volume="base asset, up to 16 decimals",
    adjusted="nothing to adjust",
    traps=(
        "the archive has no row for an interval without trades; the REST answer has volume 0",
        "in the REST answer the average price comes before the volume, and the last candle is "
        "unfinished: it is left out",
        "symbols use XBT for Bitcoin and XDG for Dogecoin; they are kept as they are",
        "Kraken Futures uses milliseconds, omits the symbol, and gets another provider",
    ),
    source="a file of the OHLCVT archive and stored REST answers; ccxt's reading of them",
)  # fmt: skip

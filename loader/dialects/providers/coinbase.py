"""Coinbase: candles of the Exchange (arrays) and of Advanced Trade (objects)."""

from loader.dialects.dialect import OHLCV, Dialect, Shape
from loader.dialects.ordering import high_and_low_bound

_SECONDS = r"\d{10}"

DIALECT = Dialect(
    name="coinbase",
    title="Coinbase candles",
    columns={
        "ts": ("time", "start"),
        **OHLCV,
    },
    shapes=(
        Shape(
            containers=("json",),
            place=r"\[\]",
            positions=("time", "low", "high", "open", "close", "volume"),
            values={"time": _SECONDS},
            accept=high_and_low_bound,
        ),
        Shape(
            containers=("json",),
            place=r"candles\[\]",
            header=("start", "low", "high", "open", "close", "volume"),
            exact=True,
            values={"start": _SECONDS},
        ),
    ),
    volume="base asset",
    adjusted="nothing to adjust",
    traps=(
        "arrays are time, low, high, open, close, volume: an unusual order",
        "newest first; the first candle may be unfinished, and nothing marks it",
        "neither the product nor the granularity is in the file",
    ),
    source="stored answers of both APIs; ccxt's reading of the Exchange's",
)

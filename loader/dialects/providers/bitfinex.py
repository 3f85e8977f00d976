"""Bitfinex: the candle answer of its REST API, whose close comes before high and low."""

from loader.dialects.dialect import OHLCV, Dialect, Shape
from loader.dialects.ordering import shows_order

DIALECT = Dialect(
    name="bitfinex",
    title="Bitfinex candles",
    columns={"ts": ("mts",), **OHLCV},
    shapes=(
        Shape(
            containers=("json", "ndjson"),
            place=r"\[\]",
            positions=("mts", "open", "close", "high", "low", "volume"),
            values={"mts": r"\d{13}"},
            accept=shows_order,
        ),
    ),
    volume="base asset",
    adjusted="nothing to adjust",
    traps=(
        "the order is open, close, high, low; ccxt's lists look the same in another order, and the "
        "prices tell which it is",
        "newest first by default; the newest candle may be unfinished, and nothing marks it",
        "an interval without trades has no candle",
        "neither the pair nor the interval is in the answer: use --symbol",
    ),
    source="readers in public code: [MTS, OPEN, CLOSE, HIGH, LOW, VOLUME]",
)

"""Gate: the candle answer of its spot API, whose prices stand in an order of its own."""

import polars as pl

from loader.dialects.dialect import OHLC, Dialect, Opening, Shape
from loader.dialects.ordering import high_and_low_bound


def _in_order(opening: Opening) -> bool:
    """Whether the columns bound each other, and money is volume times a price between them."""
    money, base, high, low = (
        opening.first[name].cast(pl.Float64, strict=False)
        for name in ("quote_volume", "base_volume", "high", "low")
    )
    traded = (base > 0) & (money > 0)
    price = (money / base).filter(traded)
    near = price.is_between(low.filter(traded) * 0.99, high.filter(traded) * 1.01)
    return high_and_low_bound(opening) and int(near.sum()) * 2 >= len(price)


DIALECT = Dialect(
    name="gate",
    title="Gate candles",
    columns={"ts": ("time",), **OHLC, "volume": ("base_volume",)},
    shapes=(
        Shape(
            containers=("json", "ndjson"),
            place=r"\[\]",
            positions=(
                "time",
                "quote_volume",
                "close",
                "high",
                "low",
                "open",
                "base_volume",
                "closed",
            ),
            values={"time": r"\d{10}", "closed": "true|false"},
            accept=_in_order,
        ),
    ),
    left_out={
        "quote_volume": "in the quote currency",
        "closed": "false marks the candle that was still running",
    },
    skip={"the candle that was still running": pl.col("closed").str.strip_chars() == "false"},
    volume="base asset: the seventh value, not the second",
    adjusted="nothing to adjust",
    traps=(
        "the order is money, close, high, low, open, volume",
        "an unfinished candle has false at its end and is left out",
        "neither the pair nor the interval is in the answer: use --symbol",
    ),
    source="readers of /api/v4/spot/candlesticks in public code: [timestamp, volume, close, high, "
    "low, open, quote_volume, status], of which the second is the money by its size",
)

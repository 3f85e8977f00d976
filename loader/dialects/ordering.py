"""In what order the prices of arrays stand that name nothing: used to refuse, never to choose."""

from typing import Final

import polars as pl

from loader import bars
from loader.dialects.dialect import Opening

_SAMPLE: Final = 1_000
_MOST: Final = 0.9


def high_and_low_bound(opening: Opening) -> bool:
    """Whether `high` and `low` are the ends of their rows' four prices, in nearly all of the first
    rows: true of the right order, hardly ever of another."""
    prices = opening.first.head(_SAMPLE).select(
        pl.col(name).cast(pl.Float64, strict=False) for name in bars.PRICES
    )
    bound = prices.select(
        (pl.col("high") == pl.max_horizontal(pl.all()))
        & (pl.col("low") == pl.min_horizontal(pl.all()))
    ).to_series()
    return int(bound.sum()) >= _MOST * (len(bound) - bound.null_count())

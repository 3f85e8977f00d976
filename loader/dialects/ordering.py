"""Checks the order of prices in arrays without names. It can refuse an order, never choose one."""

from typing import Final

import polars as pl

from loader import bars
from loader.dialects.dialect import Opening

_SAMPLE: Final = 1_000
_MOST: Final = 0.9


def high_and_low_bound(opening: Opening) -> bool:
    """Whether `high` and `low` are the largest and smallest of the four prices in nearly all of the
    first rows. That holds for the right order and hardly ever for another."""
    prices = opening.first.head(_SAMPLE).select(
        pl.col(name).cast(pl.Float64, strict=False) for name in bars.PRICES
    )
    bound = prices.select(
        (pl.col("high") == pl.max_horizontal(pl.all()))
        & (pl.col("low") == pl.min_horizontal(pl.all()))
    ).to_series()
    return int(bound.sum()) >= _MOST * (len(bound) - bound.null_count())

"""Checks the order of prices in arrays without names. It can refuse an order, never choose one."""

from typing import Final

import polars as pl

from loader import bars
from loader.dialects.dialect import Opening

_SAMPLE: Final = 1_000
_MOST: Final = 0.9


def high_and_low_bound(opening: Opening) -> bool:
    """Whether `high` and `low` are the largest and smallest of the four prices in nearly all of the
    first rows. That holds for the right order and hardly ever for another. Rows of one price do not
    count: they fit every order."""
    bound = _bound(opening)
    return int(bound.sum()) >= _MOST * (len(bound) - bound.null_count())


def shows_order(opening: Opening) -> bool:
    """Whether there are rows of more than one price, and `high_and_low_bound` holds."""
    return len(_bound(opening)) > 0 and high_and_low_bound(opening)


def _bound(opening: Opening) -> pl.Series:
    prices = opening.first.head(_SAMPLE).select(
        pl.col(name).cast(pl.Float64, strict=False) for name in bars.PRICES
    )
    largest, smallest = pl.max_horizontal(pl.all()), pl.min_horizontal(pl.all())
    return (
        prices.filter(largest != smallest)
        .select((pl.col("high") == largest) & (pl.col("low") == smallest))
        .to_series()
    )

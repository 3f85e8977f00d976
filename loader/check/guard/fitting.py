"""Whether prices of changed bars are the stored ones times a factor, as far as they are rounded.

The rows have the prices, the stored ones as `old_open` …, and the units of both: `unit` and
`old_unit`. Expressions are made once: that takes longer than to evaluate them for a few bars.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Final

import polars as pl

from loader import bars
from loader.check.guard.rounding import MOST, NOISE, slack

#: The stored prices.
OLD: Final = tuple(f"old_{price}" for price in bars.PRICES)
#: Smaller factors are not told from rounding.
LEAST_FACTOR: Final = 5e-4
#: A factor shows if it moves prices by more than this many times their rounding.
_TIMES: Final = 3

_UNITS: Final = pl.col("unit"), pl.col("old_unit")
_CLOSE, _OLD_CLOSE = pl.col("close"), pl.col("old_close")


@cache
def own() -> pl.Expr:
    """The factor of a bar by itself."""
    return pl.sum_horizontal(bars.PRICES) / pl.sum_horizontal(OLD)


@cache
def same_prices() -> pl.Expr:
    return pl.all_horizontal(
        pl.col(price) == pl.col(old) for price, old in zip(bars.PRICES, OLD, strict=True)
    )


@cache
def fits(factor: str) -> pl.Expr:
    """Whether all prices of a bar fit the factor in the column of that name."""
    times = pl.col(factor)
    return pl.all_horizontal(
        (pl.col(price) - times * pl.col(old)).abs() <= slack(pl.col(price), times, _UNITS)
        for price, old in zip(bars.PRICES, OLD, strict=True)
    )


@cache
def moves(factor: str) -> pl.Expr:
    """Whether the factor moves the price of a bar by more than its rounding."""
    times = pl.col(factor)
    return (_OLD_CLOSE * (times - 1)).abs() > _TIMES * slack(_CLOSE, times, _UNITS)


@cache
def limits() -> tuple[pl.Expr, pl.Expr]:
    """The factors above and below which the price of a bar moves by more than its rounding: `moves`
    solved for the factor."""
    new, old = (0.505 * _TIMES * unit for unit in _UNITS)
    price, noise = _OLD_CLOSE.abs(), _TIMES * NOISE * _CLOSE.abs()
    most = (noise + _TIMES * MOST * _CLOSE.abs()) / price
    rounded = (price + new + noise) / pl.when(price > old).then(price - old)
    above = pl.min_horizontal(rounded, 1 + most)
    below = pl.max_horizontal((price - new - noise) / (price + old), 1 - most)
    return above.fill_nan(math.inf), below.fill_nan(-math.inf)


@cache
def apart() -> pl.Expr:
    """How far the factors of two bars by themselves may be apart, if they are one."""
    return 3 * slack(_CLOSE, pl.col("own"), _UNITS) / _OLD_CLOSE.abs()

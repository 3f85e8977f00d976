"""Whether prices changed, and whether by more than corrections do."""

from __future__ import annotations

from typing import Final

import polars as pl

from loader import bars
from loader.check.guard.rounding import unit

#: Prices that moved by no more than so many of the last digits of both files, or by this share of
#: themselves, are nearly equal.
_TICKS: Final = 3
_NEAR: Final = 5e-4


def priced(changed: pl.DataFrame) -> pl.DataFrame:
    """Those of the changed bars of which a price changed, not only volume or vwap."""
    return changed.filter(pl.any_horizontal(pl.col(p) != pl.col(f"old_{p}") for p in bars.PRICES))


def are_far(changed: pl.DataFrame) -> bool:
    """Whether most prices of the changed bars, old and new, are not even nearly equal."""
    names = (*bars.PRICES, *(f"old_{price}" for price in bars.PRICES))
    ticks = _TICKS * unit(pl.concat([changed[name].alias("x") for name in names])) * 1.01
    far = [
        (pl.col(p) - pl.col(f"old_{p}")).abs()
        > pl.max_horizontal(pl.lit(ticks), _NEAR * pl.col(f"old_{p}").abs())
        for p in bars.PRICES
    ]
    share = changed.select(pl.sum_horizontal(far).sum() / (len(far) * pl.len())).item()
    return float(share) > 0.5

"""Factors between numbers that were rounded."""

from __future__ import annotations

import math
from typing import Final

import polars as pl

_DIGITS: Final = 10
#: Numbers that went through 32 bits differ by less than this.
NOISE: Final = 2e-6
#: No rounding excuses more than this share of a number.
_MOST: Final = 0.005
_PARTS: Final = 20


def unit(values: pl.Series) -> float:
    """The power of ten, from 1 down, that all values are multiples of; 0 if there is none."""
    for digits in range(_DIGITS):
        scaled = values * 10.0**digits
        if ((scaled - scaled.round()).abs() < 1e-5).all():
            return 10.0**-digits
    return 0.0


def slack(
    new: pl.Expr, factor: pl.Expr, units: tuple[float, float], most: float = _MOST
) -> pl.Expr:
    """How far `new` may be from an old value times `factor`; `units` are those of new and old."""
    rounding = 0.505 * (units[0] + factor.abs() * units[1])
    return pl.min_horizontal(rounding, most * new.abs()) + NOISE * new.abs()


def power_of_ten(factor: float) -> float | None:
    """The power of ten, other than 1, that a positive factor is."""
    power = round(math.log10(factor))
    return 10.0**power if power and abs(factor / 10.0**power - 1) < 1e-3 else None


def plain(factor: float) -> float:
    """A fraction of small numbers in place of a positive factor that is close to it."""
    if (ten := power_of_ten(factor)) is not None:
        return ten
    for below in range(1, _PARTS + 1):
        above = round(factor * below)
        if 0 < above <= 10 * _PARTS and abs(factor * below / above - 1) < 2e-4:
            return above / below
    return factor

"""Factors between numbers that were rounded."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import polars as pl

_DIGITS: Final = 10
#: Numbers that went through 32 bits differ by less than this.
NOISE: Final = 2e-6
#: No rounding excuses more than this share of a number.
MOST: Final = 0.005
_PARTS: Final = 20


def unit(values: pl.Series) -> float:
    """The power of ten, from 1 down, that all values are multiples of; 0 if there is none."""
    for digits in range(_DIGITS):
        if values.to_frame("x").select(_are_whole(pl.col("x"), digits).all()).item():
            return 10.0**-digits
    return 0.0


def with_units(rows: pl.DataFrame, **columns: Sequence[str]) -> pl.DataFrame:
    """`rows`, in which each new column has the `unit` of the named columns together, by group."""
    by_group = rows.group_by("group")
    units: dict[str, dict[int, float]] = {name: {} for name in columns}
    asked = list(columns)
    for digits in range(_DIGITS):
        whole = by_group.agg(
            pl.all_horizontal(_are_whole(pl.col(columns[name]), digits)).all().alias(name)
            for name in asked
        )
        for name in asked:
            for group in whole.filter(name)["group"]:
                units[name].setdefault(group, 10.0**-digits)
        asked = [name for name in asked if len(units[name]) < whole.height]
        if not asked:
            break
    group = pl.col("group")
    return rows.with_columns(
        group.replace_strict(found, default=0.0, return_dtype=pl.Float64()).alias(name)
        for name, found in units.items()
    )


def _are_whole(values: pl.Expr, digits: int) -> pl.Expr:
    scaled = values * 10.0**digits
    return (scaled - scaled.round()).abs() < 1e-5


def slack(
    new: pl.Expr, factor: pl.Expr, units: tuple[pl.Expr, pl.Expr], most: float = MOST
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

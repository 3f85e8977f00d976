"""Factors between numbers that were rounded."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
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


def units(rows: pl.DataFrame, **columns: Sequence[str]) -> pl.DataFrame:
    """A row for each group with, as each new column, the `unit` of the named columns together."""
    # A number or two of each group show of most units that they are too large.
    few = {name: tuple(of[:2]) for name, of in columns.items()}
    heads = rows.group_by("group").agg(
        pl.col(sorted({each for of in few.values() for each in of})).first()
    )
    groups = heads["group"].to_list()
    found: dict[str, dict[int, float]] = {name: {} for name in columns}
    for digits in range(_DIGITS):
        asked = [name for name in columns if len(found[name]) < len(groups)]
        if not asked:
            break
        likely = heads.select(_all_whole(few[name], digits).alias(name) for name in asked)
        for name in asked:
            some = [g for g, is_likely in zip(groups, likely[name], strict=True) if is_likely]
            some = [group for group in some if group not in found[name]]
            if some:
                own = rows
                if len(some) < len(groups):
                    own = rows.filter(pl.col("group").is_in(some))
                whole = own.group_by("group").agg(_all_whole(tuple(columns[name]), digits).all())
                found[name] |= {g: 10.0**-digits for g, is_whole in whole.iter_rows() if is_whole}
    return pl.DataFrame(
        {"group": groups}
        | {name: [of.get(group, 0.0) for group in groups] for name, of in found.items()},
        schema={"group": rows.schema["group"], **dict.fromkeys(columns, pl.Float64())},
    )


def of_groups(rows: pl.DataFrame, groups: pl.DataFrame) -> pl.DataFrame:
    """The rows of these groups, in order, each with what is known of its group."""
    return rows.join(groups, on="group", maintain_order="left")


@cache
def _all_whole(columns: tuple[str, ...], digits: int) -> pl.Expr:
    return pl.all_horizontal(_are_whole(pl.col(name), digits) for name in columns)


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

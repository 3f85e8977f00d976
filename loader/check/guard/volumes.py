"""Whether the volumes of changed bars are the stored ones times a factor."""

from __future__ import annotations

from functools import cache
from typing import Final

import polars as pl

from loader.check.guard.rounding import of_groups, plain, slack, units

#: Of the volumes of a group, those that must fit.
_SHARE: Final = 0.95
#: Volumes that change by less are corrections. A plain number may be this much closer to 1.
_LEAST_FACTOR, _PLAINER = 0.01, 3e-4
#: No rounding excuses more than this share of a volume.
_MOST: Final = 0.05

_VOLUME, _OLD_VOLUME, _TIMES = pl.col("volume"), pl.col("old_volume"), pl.col("times")
_UNITS: Final = pl.col("volume_unit"), pl.col("old_volume_unit")


@cache
def have_volumes() -> pl.Expr:
    return (_VOLUME > 0) & (_OLD_VOLUME > 0)


def with_units(rows: pl.DataFrame) -> pl.DataFrame:
    """`rows`, which have volumes, with `volume_unit` and `old_volume_unit`."""
    return of_groups(rows, units(rows, volume_unit=["volume"], old_volume_unit=["old_volume"]))


def one_factor(rows: pl.DataFrame, least: int) -> dict[int, float]:
    """The factor of the volumes, by group, of groups that have one and `least` bars or more."""
    off = (_TIMES - 1).abs()
    middles = rows.group_by("group").agg(_middle(), bars=pl.len())
    rest = middles.filter(pl.col("bars") >= least, off > _LEAST_FACTOR - _PLAINER).drop("bars")
    found: dict[int, float] = {}
    for number in (plain, float):
        numbers = pl.Series([number(factor) for factor in rest["times"]], dtype=pl.Float64())
        tried = rest.with_columns(times=numbers).filter(off > _LEAST_FACTOR)
        if tried.height:
            held = holding(of_groups(rows, tried).with_columns(loose=0.0), least)
            found |= dict(tried.join(held, on="group", how="semi").iter_rows())
            rest = rest.join(held, on="group", how="anti")
    return found


def holding(rows: pl.DataFrame, least: int) -> pl.DataFrame:
    """The groups of which most volumes are the stored ones times `times`, give or take a share
    `loose`: of those that are large beside their rounding, which must be half and `least`."""
    judged = rows.select("group", *_judged()).group_by("group").agg(pl.len(), *_shares())
    enough = pl.col("large") >= pl.max_horizontal(pl.lit(least), pl.col("len") / 2)
    return judged.filter(enough, pl.col("share") >= _SHARE).select("group")


@cache
def _judged() -> tuple[pl.Expr, pl.Expr]:
    new, old = _UNITS
    large = 0.505 * (new + _TIMES * old) <= _MOST * _VOLUME
    slack_ = slack(_VOLUME, _TIMES, _UNITS, _MOST) + pl.col("loose") * _VOLUME
    fits = (_VOLUME - _TIMES * _OLD_VOLUME).abs() <= slack_
    return large.alias("large"), (large & fits).alias("fitting")


@cache
def _shares() -> tuple[pl.Expr, pl.Expr]:
    large, fitting = pl.col("large").sum(), pl.col("fitting").sum()
    return large, (fitting / large).alias("share")


@cache
def _middle() -> pl.Expr:
    return (_VOLUME / _OLD_VOLUME).median().alias("times")

"""Whether changed bars are the stored ones plus an amount: contracts of futures joined anew."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import polars as pl

from loader import bars
from loader.check.guard.factors import LEAST
from loader.check.guard.rounding import NOISE, of_groups, units
from loader.lazy import dataclass

_SHARE: Final = 0.95
#: Bars for which an amount must stay.
_STRETCH: Final = 5
#: Of the amount, how far the four prices of a bar may differ in it at a first look.
_LOOSE: Final = 0.7

_OLD: Final = tuple(f"old_{price}" for price in bars.PRICES)
_MOVED: Final = tuple(pl.col(price) - pl.col(f"old_{price}") for price in bars.PRICES)
_AMOUNT: Final = pl.col("amount")


@dataclass(frozen=True, slots=True)
class Step:
    """A time (UTC) in which one amount was added to all prices."""

    first: datetime
    last: datetime
    bars: int
    amount: float


@dataclass(frozen=True, slots=True)
class Differences:
    """Changed bars of a group that are explained by amounts.

    Attributes:
        bars, matched: how many were looked at, and how many of them the amounts explain.
        steps: in order of time.
    """

    group: int
    bars: int
    matched: int
    steps: tuple[Step, ...]


def differences(changed: pl.DataFrame) -> list[Differences]:
    """The groups that are explained by amounts; columns as `loader.check.guard.factors.factors`
    takes them."""
    told = changed.select(
        "group",
        "ts",
        *bars.PRICES,
        *_OLD,
        amount=pl.mean_horizontal(_MOVED),
        spread=pl.max_horizontal(_MOVED) - pl.min_horizontal(_MOVED),
    )
    close = pl.col("spread") <= _LOOSE * _AMOUNT.abs()
    worth = told.group_by("group").agg(bars=pl.len(), share=(close & (_AMOUNT != 0)).mean())
    worth = worth.filter((pl.col("bars") >= LEAST) & (pl.col("share") >= _SHARE))
    if worth.is_empty():
        return []
    rows = told.join(worth.drop("share"), on="group").sort("group", "ts", maintain_order=True)
    steps = _steps(rows)
    long = steps.filter(pl.col("length") >= _STRETCH).sort("group", "step")
    found: dict[int, list[Step]] = {}
    for group, *values in long.select("group", "first", "last", "length", "amount").iter_rows():
        found.setdefault(group, []).append(Step(*values))
    by_group = long.group_by("group").agg(pl.col("bars").first(), pl.col("length").sum())
    return [
        Differences(group, looked, matched, _joined(found[group]))
        for group, looked, matched in by_group.sort("group").iter_rows()
    ]


def _steps(rows: pl.DataFrame) -> pl.DataFrame:
    """Times in which one amount was added to the prices of a group: of groups that have few, of
    which most bars are in long ones."""
    rounding = 0.505 * (pl.col("unit") + pl.col("old_unit"))
    slack = rounding + NOISE * pl.max_horizontal(pl.col("close").abs(), pl.col("old_close").abs())
    held = (
        of_groups(rows, units(rows, unit=bars.PRICES, old_unit=_OLD))
        .with_columns(slack=slack)
        .filter(pl.col("spread") <= 2 * pl.col("slack"), _AMOUNT.abs() > 3 * pl.col("slack"))
    )
    opens = ((_AMOUNT - _AMOUNT.shift()).abs() > 2 * pl.col("slack")).fill_null(value=False)
    steps = (
        held.with_columns(step=opens.cum_sum().over("group"))
        .group_by("group", "step")
        .agg(
            pl.col("bars").first(),
            _AMOUNT.median(),
            first=pl.col("ts").first(),
            last=pl.col("ts").last(),
            length=pl.len(),
        )
    )
    length = pl.col("length")
    least = _SHARE * pl.col("bars").first()
    matched = length.filter(length >= _STRETCH).sum()
    are_most = (length.sum() >= least) & (matched >= least)
    return steps.filter((are_most & (pl.len() <= length.sum() / _STRETCH)).over("group"))


def _joined(steps: list[Step]) -> tuple[Step, ...]:
    """Steps of one amount that follow each other are one: a bar between them did otherwise."""
    found: list[Step] = []
    for step in steps:
        last = found[-1] if found else None
        if last is not None and abs(last.amount - step.amount) <= NOISE * abs(step.amount):
            found[-1] = Step(last.first, step.last, last.bars + step.bars, step.amount)
        else:
            found.append(step)
    return tuple(found)

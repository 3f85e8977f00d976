"""Whether changed bars are the stored ones plus an amount: contracts of futures joined anew."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import polars as pl

from loader import bars
from loader.check.guard.factors import LEAST
from loader.check.guard.rounding import NOISE, unit
from loader.lazy import dataclass

_SHARE: Final = 0.95
#: Bars for which an amount must stay.
_STRETCH: Final = 5
#: Of the amount, how far the four prices of a bar may differ in it at a first look.
_LOOSE: Final = 0.7

_MOVED: Final = tuple(pl.col(price) - pl.col(f"old_{price}") for price in bars.PRICES)


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
        "close",
        *bars.PRICES[:-1],
        *(f"old_{price}" for price in bars.PRICES),
        amount=pl.mean_horizontal(_MOVED),
        spread=pl.max_horizontal(_MOVED) - pl.min_horizontal(_MOVED),
    )
    close = pl.col("spread") <= _LOOSE * pl.col("amount").abs()
    worth = told.group_by("group").agg(
        bars=pl.len(), share=(close & (pl.col("amount") != 0)).mean()
    )
    groups = worth.filter((pl.col("bars") >= LEAST) & (pl.col("share") >= _SHARE))["group"]
    found = (_of(group, told.filter(pl.col("group") == group)) for group in groups.sort())
    return [each for each in found if each is not None]


def _of(group: int, rows: pl.DataFrame) -> Differences | None:
    rounding = 0.505 * (_unit(rows, "") + _unit(rows, "old_"))
    slack = rounding + NOISE * pl.max_horizontal(pl.col("close").abs(), pl.col("old_close").abs())
    held = (
        rows.with_columns(slack=slack)
        .filter(pl.col("spread") <= 2 * pl.col("slack"))
        .filter(pl.col("amount").abs() > 3 * pl.col("slack"))
        .sort("ts")
    )
    least = _SHARE * rows.height
    if held.height < least:
        return None
    opens = (pl.col("amount") - pl.col("amount").shift()).abs() > 2 * pl.col("slack")
    steps = [
        Step(part["ts"][0], part["ts"][-1], part.height, float(part["amount"].median() or 0))  # type: ignore[arg-type]
        for part in held.with_columns(step=opens.fill_null(False).cum_sum()).partition_by(
            "step", maintain_order=True
        )
    ]
    long = [step for step in steps if step.bars >= _STRETCH]
    matched = sum(step.bars for step in long)
    if matched < least or len(steps) > held.height / _STRETCH:
        return None
    return Differences(group, rows.height, matched, _joined(long))


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


def _unit(rows: pl.DataFrame, prefix: str) -> float:
    return unit(pl.concat([rows[f"{prefix}{price}"].alias("x") for price in bars.PRICES]))

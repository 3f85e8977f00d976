"""What a row must satisfy to be a bar: an expression for each name of `reasons`. Null fails."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Final

import polars as pl

from loader import bars
from loader.check.reasons import REASONS
from loader.lazy import dataclass

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_US: Final = timedelta(microseconds=1)
_DAY_US: Final = 86_400_000_000
#: Four times the relative rounding of a double. Where prices were multiplied, for example by a
#: factor of adjustment, a close equal to the high comes out above it by as much.
ROUNDING: Final = 4 * 2.0**-52
#: The rules that allow for it.
ROUNDED: Final = ("open_outside_range", "close_outside_range")
#: Whether open and close lie between low and high to the last bit, or a price is not known.
EXACT: Final = (
    pl.col("open").is_between("low", "high") & pl.col("close").is_between("low", "high")
).fill_null(True)

#: Rules without which a row is still a bar that the tables take.
ALLOWABLE: Final = (
    "ts_off_grid", "price_not_positive", "high_below_low", "open_outside_range",
    "close_outside_range", "volume_negative", "vwap_negative", "trade_count_negative",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class RuleSettings:
    """What can be set about the rules. `min_ts` (inclusive) and `max_ts` (exclusive) are UTC.
    `allowed` are rules of `ALLOWABLE` that are not applied."""

    allow_nonpositive_prices: bool = False
    check_grid: bool = True
    min_ts: datetime = datetime(1900, 1, 1, tzinfo=UTC)
    max_ts: datetime = datetime(2100, 1, 1, tzinfo=UTC)
    allowed: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Rule:
    """`holds` is true where a row keeps the rule: an expression over the columns of `bars.SCHEMA`,
    the faults that `check.normalise` found, and `step` (Int64, microseconds of the interval's
    grid). `name` is one of `check.reasons`."""

    name: str
    holds: pl.Expr


@cache
def rules(settings: RuleSettings) -> tuple[Rule, ...]:
    """Every rule under `settings`, in the order of report; a switched-off one always holds.

    Raises:
        ValueError: a rule has no row in `check.reasons`.
    """
    holds = {**_key_rules(), **_ts_rules(settings), **_price_rules(settings)}
    for name in bars.OPTIONAL:
        holds |= _optional_rules(name, settings)
    holds |= dict.fromkeys(settings.allowed, pl.lit(True))
    order = [reason.name for reason in REASONS]
    return tuple(Rule(name, holds[name]) for name in sorted(holds, key=order.index))


def all_sound(facts: pl.DataFrame, settings: RuleSettings) -> bool:
    """Whether all rows keep every rule, as those of most files do: of `facts`, the columns that
    `Rule.holds` is about. Sooner than the rules where it is true; where not, they decide."""
    known = (facts[name] for name in (*bars.KEY, *bars.PRICES))
    faults = (column for column in facts.get_columns() if column.dtype == pl.Boolean)
    if any(column.null_count() for column in known):
        return False
    if any(fault.null_count() or fault.any() for fault in faults):
        return False
    at, (opened, high, low, close) = facts["ts"].cast(pl.Int64), facts[list(bars.PRICES)]
    first, last = ((each - _EPOCH) // _US for each in (settings.min_ts, settings.max_ts))
    # NaN is greater than infinity here.
    sound = (at >= first) & (at < last) & (at % facts["step"] == 0) & (low > 0) & (high < math.inf)
    sound &= (low <= opened) & (opened <= high) & (low <= close) & (close <= high)
    if not sound.all():
        return False
    values = [value for value in facts[list(bars.OPTIONAL)] if value.null_count() < len(value)]
    return all(
        (value >= 0).all() and (not value.dtype.is_float() or (value < math.inf).all())
        for value in values
    )


def _key_rules() -> dict[str, pl.Expr]:
    interval, unknown = pl.col("interval"), pl.col("interval_unknown")
    return {
        "provider_missing": pl.col("provider").is_not_null(),
        "symbol_missing": pl.col("symbol").is_not_null(),
        "key_unreadable": ~pl.col("key_unreadable"),
        "key_too_long": ~pl.col("key_too_long"),
        "interval_missing": interval.is_not_null() | unknown,
        "interval_unknown": ~unknown,
    }


def _ts_rules(settings: RuleSettings) -> dict[str, pl.Expr]:
    ts, step = pl.col("ts"), pl.col("step")
    faults = [pl.col(name) for name in ("ts_unparsable", "ts_nonexistent", "ts_ambiguous")]
    on_step = ts.to_physical() % step == 0
    in_range = ts.is_between(settings.min_ts, settings.max_ts, closed="left")
    on_grid = _where_known(on_step | (step == _DAY_US)) if settings.check_grid else pl.lit(True)
    return {
        "ts_missing": pl.any_horizontal(ts.is_not_null(), *faults),
        "ts_unparsable": ~faults[0],
        "ts_nonexistent": ~faults[1],
        "ts_ambiguous": ~faults[2],
        "ts_out_of_range": _where_known(in_range),
        "ts_not_midnight": _where_known(on_step | (step != _DAY_US)),
        "ts_off_grid": on_grid,
    }


def _price_rules(settings: RuleSettings) -> dict[str, pl.Expr]:
    prices = [pl.col(name) for name in bars.PRICES]
    low, high = pl.col("low"), pl.col("high")
    lowest, highest = low - low.abs() * ROUNDING, high + high.abs() * ROUNDING
    unparsable = pl.col("price_unparsable")
    there = pl.all_horizontal(price.is_not_null() for price in prices)
    positive = pl.all_horizontal(_where_known(price > 0) for price in prices)
    return {
        "price_missing": there | unparsable,
        "price_unparsable": ~unparsable,
        "price_not_finite": pl.all_horizontal(_where_known(p.is_finite()) for p in prices),
        "price_not_positive": pl.lit(True) if settings.allow_nonpositive_prices else positive,
        "high_below_low": _where_known(high >= low),
        ROUNDED[0]: _where_known(pl.col("open").is_between(lowest, highest)),
        ROUNDED[1]: _where_known(pl.col("close").is_between(lowest, highest)),
    }


def _optional_rules(name: str, settings: RuleSettings) -> dict[str, pl.Expr]:
    """Rules for a value that may be absent."""
    value = pl.col(name)
    any_sign = settings.allow_nonpositive_prices and name in bars.PRICED
    found = {
        f"{name}_unparsable": ~pl.col(f"{name}_unparsable"),
        f"{name}_negative": pl.lit(True) if any_sign else _where_known(value >= 0),
    }
    if bars.SCHEMA[name].is_float():
        found[f"{name}_not_finite"] = _where_known(value.is_finite())
    return found


def _where_known(holds: pl.Expr) -> pl.Expr:
    """`holds`, and true where a value is absent: that is allowed, or another rule's business."""
    return holds.fill_null(True)

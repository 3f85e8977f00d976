"""What a row must satisfy to be a bar. Each rule is a named expression; null fails."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Final

import polars as pl

from loader import bars

_DAY_US: Final = 86_400_000_000


@dataclass(frozen=True, slots=True)
class RuleSettings:
    """What can be set about the rules. `min_ts` (inclusive) and `max_ts` (exclusive) are UTC."""

    allow_nonpositive_prices: bool = False
    check_grid: bool = True
    min_ts: datetime = datetime(1900, 1, 1, tzinfo=UTC)
    max_ts: datetime = datetime(2100, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Rule:
    """`holds` is true where a row keeps the rule: an expression over the columns of `bars.SCHEMA`,
    the faults that `check.normalise` found, and `step` (Int64, microseconds of the interval's
    grid). `switch` names the field of `RuleSettings` that changes it, if one does."""

    name: str
    description: str
    holds: pl.Expr
    switch: str | None = None


@cache
def rules(settings: RuleSettings) -> tuple[Rule, ...]:
    """Every rule under `settings`, in the order of report; a switched-off one always holds."""
    return (*_key_rules(), *_ts_rules(settings), *_price_rules(settings), *_other_rules(settings))


def _key_rules() -> tuple[Rule, ...]:
    interval, unknown = pl.col("interval"), pl.col("interval_unknown")
    return (
        Rule("provider_missing", "the provider is empty", pl.col("provider").is_not_null()),
        Rule("symbol_missing", "the symbol is empty", pl.col("symbol").is_not_null()),
        Rule(
            "key_unreadable",
            "the provider or the symbol holds invisible characters, or U+FFFD for lost ones",
            ~pl.col("key_unreadable"),
        ),
        Rule("interval_missing", "the interval is empty", interval.is_not_null() | unknown),
        Rule("interval_unknown", "the interval is none of the vocabulary", ~unknown),
    )


def _ts_rules(settings: RuleSettings) -> tuple[Rule, ...]:
    ts, step = pl.col("ts"), pl.col("step")
    faults = [pl.col(name) for name in ("ts_unparsable", "ts_nonexistent", "ts_ambiguous")]
    on_step = ts.to_physical() % step == 0
    in_range = ts.is_between(settings.min_ts, settings.max_ts, closed="left")
    on_grid = _where_known(on_step | (step == _DAY_US)) if settings.check_grid else pl.lit(True)
    return (
        Rule("ts_missing", "the time is empty", pl.any_horizontal(ts.is_not_null(), *faults)),
        Rule(
            "ts_unparsable",
            "the time does not have the form of the file's times, or is finer than a microsecond",
            ~faults[0],
        ),
        Rule("ts_nonexistent", "the local time was skipped by its zone's clock", ~faults[1]),
        Rule("ts_ambiguous", "the local time was shown twice by its zone's clock", ~faults[2]),
        Rule(
            "ts_out_of_range",
            f"the time is not from {settings.min_ts:%Y-%m-%d} up to {settings.max_ts:%Y-%m-%d}",
            _where_known(in_range),
            switch="min_ts, max_ts",
        ),
        Rule(
            "ts_not_midnight",
            "a daily or longer bar is at another time than midnight UTC, and no zone says its date",
            _where_known(on_step | (step != _DAY_US)),
        ),
        Rule(
            "ts_off_grid",
            "an intraday bar does not start on its interval's grid, such as a 5m bar at 09:31",
            on_grid,
            switch="check_grid",
        ),
    )


def _price_rules(settings: RuleSettings) -> tuple[Rule, ...]:
    prices = [pl.col(name) for name in bars.PRICES]
    low, high = pl.col("low"), pl.col("high")
    unparsable = pl.col("price_unparsable")
    there = pl.all_horizontal(price.is_not_null() for price in prices)
    finite = pl.all_horizontal(_where_known(price.is_finite()) for price in prices)
    positive = pl.all_horizontal(_where_known(price > 0) for price in prices)
    return (
        Rule("price_missing", "open, high, low or close is empty", there | unparsable),
        Rule("price_unparsable", "open, high, low or close is no number", ~unparsable),
        Rule("price_not_finite", "open, high, low or close is NaN or infinite", finite),
        Rule(
            "price_not_positive",
            "open, high, low or close is zero or negative",
            pl.lit(True) if settings.allow_nonpositive_prices else positive,
            switch="allow_nonpositive_prices",
        ),
        Rule("high_below_low", "high is below low", _where_known(high >= low)),
        Rule(
            "open_outside_range",
            "open is above high or below low",
            _where_known(pl.col("open").is_between(low, high)),
        ),
        Rule(
            "close_outside_range",
            "close is above high or below low",
            _where_known(pl.col("close").is_between(low, high)),
        ),
    )


def _other_rules(settings: RuleSettings) -> tuple[Rule, ...]:
    volume, vwap, count = (pl.col(name) for name in bars.OPTIONAL)
    any_sign = settings.allow_nonpositive_prices
    return (
        Rule("volume_unparsable", "the volume is no number", ~pl.col("volume_unparsable")),
        Rule(
            "volume_not_finite", "the volume is NaN or infinite", _where_known(volume.is_finite())
        ),
        Rule("volume_negative", "the volume is negative", _where_known(volume >= 0)),
        Rule("vwap_unparsable", "the vwap is no number", ~pl.col("vwap_unparsable")),
        Rule("vwap_not_finite", "the vwap is NaN or infinite", _where_known(vwap.is_finite())),
        Rule(
            "vwap_negative",
            "the vwap is negative",
            pl.lit(True) if any_sign else _where_known(vwap >= 0),
            switch="allow_nonpositive_prices",
        ),
        Rule(
            "trade_count_unparsable",
            "the number of trades is no whole number",
            ~pl.col("trade_count_unparsable"),
        ),
        Rule("trade_count_negative", "the number of trades is negative", _where_known(count >= 0)),
    )


def _where_known(holds: pl.Expr) -> pl.Expr:
    """`holds`, and true where a value is absent: that is allowed, or another rule's business."""
    return holds.fill_null(True)


#: The rules as they are without settings, for reading.
RULES: Final = rules(RuleSettings())

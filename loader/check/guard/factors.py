"""Whether changed bars are the stored ones times a factor: another unit, a split, a dividend."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Final, Literal

import polars as pl

from loader import bars
from loader.check.guard.fitting import (
    LEAST_FACTOR,
    OLD,
    apart,
    fits,
    limits,
    moves,
    own,
    same_prices,
)
from loader.check.guard.rounding import of_groups, plain, power_of_ten, units
from loader.check.guard.volumes import have_volumes, holding, one_factor, with_units
from loader.lazy import dataclass

#: Fewer bars say nothing.
LEAST: Final = 20
_SHARE: Final = 0.95
#: A first look at all groups may let pass what the second look refuses, but not the other way.
_LOOSE: Final = 0.02
#: Bars for which a factor that changes with time must stay.
_STRETCH: Final = 5

_OWN, _FACTOR = pl.col("own"), pl.col("factor")


@dataclass(frozen=True, slots=True)
class Stretch:
    """A time (UTC) in which prices changed by one factor."""

    first: datetime
    last: datetime
    bars: int
    factor: float


@dataclass(frozen=True, slots=True)
class Factors:
    """Changed bars of a group that are explained by factors.

    Attributes:
        bars, matched: how many were looked at, and how many of them the factors explain.
        stretches: of the prices, in order of time; none where they are as stored.
        volume: the factor of the volumes; None where they are as stored, or differ otherwise.
        in_quote: whether the volumes became money, or were money before.
    """

    kind: Literal["price_scale", "volume_scale", "split", "adjustment"]
    group: int
    bars: int
    matched: int
    stretches: tuple[Stretch, ...] = ()
    volume: float | None = None
    in_quote: bool = False


def factors(changed: pl.DataFrame) -> list[Factors]:
    """The groups that are explained by factors. `changed` has ts, prices, volume, the stored values
    as `old_open` …, and `group` (int). All groups are looked at together: a vendor may correct
    thousands of series at once."""
    rows = changed.sort("group", "ts", maintain_order=True)
    by_group = rows.select(_first_look()).group_by("group").agg(_first_shares())
    of_prices, of_volumes = [], []
    for group, number, prices, far, volumes in by_group.iter_rows():
        if number >= LEAST and prices >= _SHARE and far:
            of_prices.append(group)
        elif number >= LEAST and volumes >= _SHARE:  # prices are as stored
            of_volumes.append(group)
    found = []
    for groups, explained in (of_prices, _prices), (of_volumes, _volumes):
        if groups:
            some = rows
            if len(groups) < by_group.height:
                some = rows.filter(pl.col("group").is_in(groups))
            found += explained(some.with_columns(bars=pl.len().over("group")))
    return sorted(found, key=lambda explained: explained.group)


@cache
def _first_look() -> tuple[pl.Expr, ...]:
    ratios = [pl.col(price) / pl.col(old) for price, old in zip(bars.PRICES, OLD, strict=True)]
    spread = (pl.max_horizontal(ratios) / pl.min_horizontal(ratios) - 1).abs()
    return (
        pl.col("group"),
        (own() - 1).abs().alias("off"),
        ((spread < _LOOSE) & ~same_prices()).alias("together"),
        (same_prices() & have_volumes().fill_null(value=False)).alias("volumes"),
    )


@cache
def _first_shares() -> tuple[pl.Expr, ...]:
    return (
        pl.len().alias("bars"),
        pl.col("together").mean().alias("prices"),
        (pl.col("off").median() > LEAST_FACTOR).alias("far"),
        pl.col("volumes").mean(),
    )


def _prices(rows: pl.DataFrame) -> list[Factors]:
    """Prices times one factor, or times one after the other."""
    known = rows.with_columns(own=own())
    known = of_groups(known, units(known, unit=bars.PRICES, old_unit=OLD))
    rest = _enough(known.filter(_OWN.is_finite() & (_OWN > 0)))
    held = []
    for most_likely in (_plain_middles, _weighed):
        if rest.height:
            one, rest = _by_one_factor(rest, most_likely(rest))
            held.append(one)
    if rest.height:
        held.append(_in_stretches(rest))
    found = pl.concat(held) if held else rest
    return _named(found) if found.height else []


def _plain_middles(known: pl.DataFrame) -> pl.DataFrame:
    """The `factor` of each group that is in the middle of those of its bars, as a plain number."""
    middles = known.group_by("group").agg(_OWN.median().alias("factor"))
    numbers = [plain(middle) for middle in middles["factor"]]
    return middles.with_columns(factor=pl.Series(numbers, dtype=pl.Float64()))


def _weighed(known: pl.DataFrame) -> pl.DataFrame:
    """The `factor` of each group by the closes near the middle, high prices before low ones."""
    return known.group_by("group").agg(_by_weight())


@cache
def _by_weight() -> pl.Expr:
    middle = _OWN.median()
    near = (_OWN / middle - 1).abs() < _LOOSE
    close, old_close = pl.col("close").filter(near), pl.col("old_close").filter(near)
    weighed = (close * old_close).sum() / (old_close**2).sum()
    return pl.when(weighed == 0).then(middle).otherwise(weighed).alias("factor")


def _by_one_factor(
    known: pl.DataFrame, by_group: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The bars that fit the factor of their group, where it tells; and those of other groups."""
    tried = of_groups(known, by_group).with_columns(fits=fits("factor"), moves=moves("factor"))
    tried = tried.with_columns(is_told=_is_told())
    held = tried.filter("fits", "is_told").select(
        *known.columns, "factor", stretch=pl.lit(0, pl.UInt32())
    )
    return held, tried.filter(~pl.col("is_told")).select(known.columns)


@cache
def _is_told() -> pl.Expr:
    factor = _FACTOR.first()
    tells = (
        factor.is_finite() & ((factor - 1).abs() > LEAST_FACTOR) & (pl.col("moves").mean() > 0.5)
    )
    return ((pl.col("fits").mean() >= _SHARE) & tells).over("group")


def _in_stretches(known: pl.DataFrame) -> pl.DataFrame:
    """The bars of groups that follow one factor after the other, with `stretch`, and `factor`: null
    where it tells nothing."""
    held = known.filter(fits("own"))
    held = held.filter(pl.len().over("group") >= _SHARE * pl.col("bars"))
    opens = ((_OWN - _OWN.shift()).abs() > apart()).fill_null(value=False)
    held = held.with_columns(stretch=opens.cum_sum().over("group"))
    held = held.with_columns(factor=_OWN.median().over("group", "stretch"))
    # A ratio that moves on by little from bar to bar is not one factor.
    is_one = fits("factor").sum() >= _SHARE * pl.col("bars").first()
    are_few = pl.col("stretch").max() + 1 <= pl.len() / _STRETCH
    held = held.filter((is_one & are_few).over("group"))
    held = (
        held.drop("factor")
        .join(_telling(held), on=["group", "stretch"], how="left", maintain_order="left")
        .select(*known.columns, "factor", "stretch")
    )
    return held.filter(_FACTOR.count().over("group") >= _SHARE * pl.len().over("group"))


def _telling(held: pl.DataFrame) -> pl.DataFrame:
    """The factors of long stretches that tell, by the prices of all bars of their group."""
    stretches = held.group_by("group", "stretch").agg(_FACTOR.first(), bars=pl.len())
    long = stretches.filter(pl.col("bars") >= _STRETCH, (_FACTOR - 1).abs() > LEAST_FACTOR)
    above, below = limits()
    # The factors that move more than half of the bars.
    least = held.group_by("group").agg(
        above=above.quantile(0.5, "higher"), below=below.quantile(0.5, "lower")
    )
    stays = _FACTOR.is_between("below", "above")
    return long.join(least, on="group").filter(~stays).select("group", "stretch", "factor")


def _named(held: pl.DataFrame) -> list[Factors]:
    """Prices that follow factors, by what the volumes do."""
    volumes = held.with_columns(matched=pl.len().over("group")).filter(have_volumes())
    by_volume: dict[int, float] = {}
    split: set[int] = set()
    if volumes.height:
        volumes = with_units(volumes)
        by_volume = one_factor(volumes, LEAST)
        loose = pl.min_horizontal(pl.lit(0.01), (_OWN - 1).abs() / 4)
        many = volumes.filter(pl.len().over("group") >= pl.col("matched") / 2)
        split = set(holding(many.with_columns(times=1 / _OWN, loose=loose), LEAST)["group"])
    stretches: dict[int, list[Stretch]] = {}
    parts = held.filter(_FACTOR.is_not_null()).group_by("group", "stretch", maintain_order=True)
    for group, _, *values in parts.agg(
        pl.col("ts").first(), pl.col("ts").last().alias("last"), pl.len(), _FACTOR.first()
    ).iter_rows():
        stretches.setdefault(group, []).append(Stretch(*values))
    found = []
    by_group = held.group_by("group").agg(pl.col("bars").first(), pl.len())
    for group, looked, matched in by_group.iter_rows():
        own, volume = tuple(stretches[group]), by_volume.get(group)
        kind = "split" if group in split else _without_split(own, volume)
        found.append(Factors(kind, group, looked, matched, own, volume))
    return found


def _without_split(
    stretches: tuple[Stretch, ...], volume: float | None
) -> Literal["price_scale", "adjustment"]:
    # After a split, prices times volumes change by the factor between the units.
    own = stretches[0].factor
    tens = map(power_of_ten, (own, own * (volume or 1)))
    is_scale = len(stretches) == 1 and any(ten is not None for ten in tens)
    return "price_scale" if is_scale else "adjustment"


def _volumes(rows: pl.DataFrame) -> list[Factors]:
    """Volumes times one factor, or times the price, where prices are as stored."""
    held = _enough(rows.filter(same_prices() & have_volumes()))
    if held.is_empty():
        return []
    by_volume = one_factor(with_units(held), LEAST)
    by_group = held.select("group", "bars", *_of_money()).group_by("group").agg(_shares_of_money())
    found = []
    for group, looked, matched, in_quote in by_group.iter_rows():
        if (factor := by_volume.get(group)) is not None:
            found.append(Factors("volume_scale", group, looked, matched, volume=factor))
        elif in_quote:
            found.append(Factors("volume_scale", group, looked, matched, in_quote=True))
    return found


@cache
def _of_money() -> tuple[pl.Expr, ...]:
    """How far the volume of a bar moved, and whether it became money, or was money before."""
    ratio = pl.col("volume") / pl.col("old_volume")
    low, high = pl.col("low") * (1 - 1e-6), pl.col("high") * (1 + 1e-6)
    became, was = ((low <= money) & (money <= high) for money in (ratio, 1 / ratio))
    return ratio.log().abs().alias("moved"), became.alias("became"), was.alias("was")


@cache
def _shares_of_money() -> tuple[pl.Expr, ...]:
    is_money = pl.max_horizontal(pl.col("became").mean(), pl.col("was").mean()) >= _SHARE
    in_quote = (pl.col("moved").median() > 0.05) & is_money
    return pl.col("bars").first(), pl.len(), in_quote.alias("in_quote")


def _enough(rows: pl.DataFrame) -> pl.DataFrame:
    """Those of groups of which most bars are left."""
    least = pl.max_horizontal(pl.lit(LEAST), _SHARE * pl.col("bars"))
    return rows.filter(pl.len().over("group") >= least)

"""Whether changed bars are the stored ones times a factor: another unit, a split, a dividend."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Final, Literal

import polars as pl

from loader import bars
from loader.check.guard.rounding import (
    MOST,
    NOISE,
    plain,
    power_of_ten,
    slack,
    with_units,
)
from loader.lazy import dataclass

#: Fewer bars say nothing.
LEAST: Final = 20
_SHARE: Final = 0.95
#: A first look at all groups may let pass what the second look refuses, but not the other way.
_LOOSE: Final = 0.02
#: Smaller factors are not told from rounding.
_LEAST_FACTOR: Final = 5e-4
#: Prices that move by more than so many times their rounding tell a factor.
_TIMES: Final = 3
#: Bars for which a factor that changes with time must stay.
_STRETCH: Final = 5

_OLD: Final = tuple(f"old_{price}" for price in bars.PRICES)
_OWN, _FACTOR = pl.col("own"), pl.col("factor")
_UNITS: Final = pl.col("unit"), pl.col("old_unit")
_VOLUME, _OLD_VOLUME = pl.col("volume"), pl.col("old_volume")
_VOLUME_UNITS: Final = pl.col("volume_unit"), pl.col("old_volume_unit")


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
    of_prices, of_volumes = _worth_a_look(changed)
    found = []
    if of_prices.height:
        found += _prices(_rows(changed, of_prices))
    if of_volumes.height:
        found += _volumes(_rows(changed, of_volumes))
    return sorted(found, key=lambda explained: explained.group)


def _worth_a_look(changed: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The groups (with `bars`) in which prices may follow factors, and those in which volumes may
    and prices are as stored. None is both."""
    ratios = [pl.col(price) / pl.col(old) for price, old in zip(bars.PRICES, _OLD, strict=True)]
    looked = changed.select(
        "group",
        ratio=_sum(bars.PRICES) / _sum(_OLD),
        spread=(pl.max_horizontal(ratios) / pl.min_horizontal(ratios) - 1).abs(),
        same=_same_prices(),
        have_volumes=_have_volumes().fill_null(value=False),
    )
    together = pl.col("spread") < _LOOSE
    by_group = looked.group_by("group").agg(
        bars=pl.len(),
        prices=(together & ~pl.col("same")).mean(),
        far=(pl.col("ratio") - 1).abs().median() > _LEAST_FACTOR,
        volumes=(pl.col("same") & pl.col("have_volumes")).mean(),
    )
    enough = pl.col("bars") >= LEAST
    of_prices = by_group.filter(enough, pl.col("prices") >= _SHARE, pl.col("far"))
    of_volumes = by_group.filter(enough, pl.col("volumes") >= _SHARE)
    return of_prices.select("group", "bars"), of_volumes.select("group", "bars")


def _rows(changed: pl.DataFrame, groups: pl.DataFrame) -> pl.DataFrame:
    found = changed.join(groups, on="group", maintain_order="left")
    return found.sort("group", "ts", maintain_order=True)


def _prices(rows: pl.DataFrame) -> list[Factors]:
    """Prices times one factor, or times one after the other."""
    known = with_units(rows, unit=bars.PRICES, old_unit=_OLD).with_columns(
        own=_sum(bars.PRICES) / _sum(_OLD)
    )
    known = _with_one_factor(_enough(known.filter(_OWN.is_finite() & (_OWN > 0))))
    one = known.filter(_FACTOR.is_not_null() & _fits(_FACTOR))
    held = one.with_columns(stretch=pl.lit(0, pl.UInt32()))
    if (rest := known.filter(_FACTOR.is_null())).height:
        held = pl.concat([held, _in_stretches(rest)])
    return _named(held) if held.height else []


def _with_one_factor(known: pl.DataFrame) -> pl.DataFrame:
    """Adds `factor`, the factor of most bars of a group, or null."""
    near = (_OWN / _OWN.median() - 1).abs() < _LOOSE
    close, old_close = pl.col("close").filter(near), pl.col("old_close").filter(near)
    middles = known.group_by("group").agg(
        middle=_OWN.median(), weighed=(close * old_close).sum() / (old_close**2).sum()
    )
    tried = known.join(
        middles.select(
            "group",
            first=pl.Series([plain(middle) for middle in middles["middle"]], dtype=pl.Float64()),
            second=pl.when(pl.col("weighed") == 0).then("middle").otherwise("weighed"),
        ),
        on="group",
        maintain_order="left",
    )
    fitting = [
        pl.when(_fits(pl.col(name)).mean() >= _SHARE, _tells(pl.col(name)))
        .then(pl.col(name).first())
        for name in ("first", "second")
    ]  # fmt: skip
    found = tried.group_by("group").agg(factor=pl.coalesce(fitting))
    return known.join(found, on="group", maintain_order="left")


def _in_stretches(known: pl.DataFrame) -> pl.DataFrame:
    """The bars of groups that follow one factor after the other, with `stretch`, and `factor`: null
    where it tells nothing."""
    held = known.filter(_fits(_OWN))
    held = held.filter(pl.len().over("group") >= _SHARE * pl.col("bars"))
    loose = 3 * slack(pl.col("close"), _OWN, _UNITS) / pl.col("old_close").abs()
    opens = ((_OWN - _OWN.shift()).abs() > loose).fill_null(value=False)
    held = held.with_columns(stretch=opens.cum_sum().over("group"))
    held = held.with_columns(factor=_OWN.median().over("group", "stretch"))
    # A ratio that moves on by little from bar to bar is not one factor.
    is_one = _fits(_FACTOR).sum() >= _SHARE * pl.col("bars").first()
    are_few = pl.col("stretch").max() + 1 <= pl.len() / _STRETCH
    held = held.filter((is_one & are_few).over("group"))
    telling = _telling(held)
    held = (
        held.drop("factor")
        .join(telling, on=["group", "stretch"], how="left", maintain_order="left")
        .select([*known.columns, "stretch"])
    )
    return held.filter(_FACTOR.count().over("group") >= _SHARE * pl.len().over("group"))


def _telling(held: pl.DataFrame) -> pl.DataFrame:
    """The factors of long stretches that tell, by the prices of all bars of their group."""
    stretches = held.group_by("group", "stretch").agg(_FACTOR.first(), bars=pl.len())
    long = stretches.filter(pl.col("bars") >= _STRETCH, (_FACTOR - 1).abs() > _LEAST_FACTOR)
    above, below = _moving()
    # The factors that move more than half of the bars.
    limits = held.group_by("group").agg(
        above=above.quantile(0.5, "higher"), below=below.quantile(0.5, "lower")
    )
    stays = _FACTOR.is_between("below", "above")
    return long.join(limits, on="group").filter(~stays).select("group", "stretch", "factor")


def _moving() -> tuple[pl.Expr, pl.Expr]:
    """The factors above and below which a bar's price moves by more than its rounding: `_tells`
    solved for the factor."""
    new, old = (0.505 * _TIMES * unit for unit in _UNITS)
    price = pl.col("old_close").abs()
    noise = _TIMES * NOISE * pl.col("close").abs()
    most = (noise + _TIMES * MOST * pl.col("close").abs()) / price
    rounded = (price + new + noise) / pl.when(price > old).then(price - old)
    above = pl.min_horizontal(rounded, 1 + most)
    below = pl.max_horizontal((price - new - noise) / (price + old), 1 - most)
    return above.fill_nan(math.inf), below.fill_nan(-math.inf)


def _named(held: pl.DataFrame) -> list[Factors]:
    """Prices that follow factors, by what the volumes do."""
    volumes = held.with_columns(matched=pl.len().over("group")).filter(_have_volumes())
    volumes = _with_volume_units(volumes)
    by_volume = _volume_factors(volumes)
    loose = pl.min_horizontal(pl.lit(0.01), (_OWN - 1).abs() / 4)
    off = slack(_VOLUME, 1 / _OWN, _VOLUME_UNITS, 0.05) + loose * _VOLUME
    fits = (_VOLUME - _OLD_VOLUME / _OWN).abs() <= off
    many = pl.len() >= pl.max_horizontal(pl.lit(LEAST), pl.col("matched").first() / 2)
    splits = volumes.group_by("group").agg(split=many & _hold(fits, 1 / _OWN)).filter("split")
    split = set(splits["group"])
    stretches: dict[int, list[Stretch]] = {}
    parts = held.filter(_FACTOR.is_not_null()).group_by("group", "stretch", maintain_order=True)
    for group, _, *values in parts.agg(
        pl.col("ts").first(), pl.col("ts").last().alias("last"), pl.len(), _FACTOR.first()
    ).iter_rows():
        stretches.setdefault(group, []).append(Stretch(*values))
    found = []
    for group, looked, matched in (
        held.group_by("group").agg(pl.col("bars").first(), pl.len()).iter_rows()
    ):
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
    held = _enough(rows.filter(_same_prices() & _have_volumes()))
    if held.is_empty():
        return []
    held = _with_volume_units(held)
    by_volume = _volume_factors(held)
    ratio = _VOLUME / _OLD_VOLUME
    low, high = pl.col("low") * (1 - 1e-6), pl.col("high") * (1 + 1e-6)
    is_far = ratio.log().abs().median() > 0.05
    between = [((money >= low) & (money <= high)).mean() for money in (ratio, 1 / ratio)]
    by_group = held.group_by("group").agg(
        pl.col("bars").first(), pl.len(), in_quote=is_far & (pl.max_horizontal(between) >= _SHARE)
    )
    found = []
    for group, looked, matched, in_quote in by_group.iter_rows():
        if (factor := by_volume.get(group)) is not None:
            found.append(Factors("volume_scale", group, looked, matched, volume=factor))
        elif in_quote:
            found.append(Factors("volume_scale", group, looked, matched, in_quote=True))
    return found


def _volume_factors(rows: pl.DataFrame) -> dict[int, float]:
    """The one factor of the volumes, by group, of groups that have one."""
    rows = rows.filter(pl.len().over("group") >= LEAST)
    middles = rows.group_by("group").agg(second=(_VOLUME / _OLD_VOLUME).median())
    first = pl.Series([plain(middle) for middle in middles["second"]], dtype=pl.Float64())
    tried = rows.join(middles.with_columns(first=first), on="group")
    fitting = []
    for name in ("first", "second"):
        factor = pl.col(name)
        off = (_VOLUME - factor * _OLD_VOLUME).abs()
        fits = off <= slack(_VOLUME, factor, _VOLUME_UNITS, 0.05)
        is_far = (factor.first() - 1).abs() > 0.01
        fitting.append(pl.when(is_far & _hold(fits, factor)).then(factor.first()))
    found = tried.group_by("group").agg(factor=pl.coalesce(fitting)).drop_nulls()
    return dict(found.iter_rows())


def _hold(fits: pl.Expr, factor: pl.Expr) -> pl.Expr:
    """Whether the volumes of a group fit a factor, where they are large beside their rounding."""
    new, old = _VOLUME_UNITS
    large = 0.505 * (new + factor * old) <= 0.05 * _VOLUME
    enough = large.sum() >= pl.max_horizontal(pl.lit(LEAST), pl.len() / 2)
    return enough & (fits.filter(large).mean() >= _SHARE)


def _have_volumes() -> pl.Expr:
    return (_VOLUME > 0) & (_OLD_VOLUME > 0)


def _with_volume_units(rows: pl.DataFrame) -> pl.DataFrame:
    return with_units(rows, volume_unit=["volume"], old_volume_unit=["old_volume"])


def _enough(rows: pl.DataFrame) -> pl.DataFrame:
    """Those of groups of which most bars are left."""
    least = pl.max_horizontal(pl.lit(LEAST), _SHARE * pl.col("bars"))
    return rows.filter(pl.len().over("group") >= least)


def _fits(factor: pl.Expr) -> pl.Expr:
    return pl.all_horizontal(
        (pl.col(price) - factor * pl.col(old)).abs() <= slack(pl.col(price), factor, _UNITS)
        for price, old in zip(bars.PRICES, _OLD, strict=True)
    )


def _tells(factor: pl.Expr) -> pl.Expr:
    """Whether the factor of a group moves prices by more than their rounding."""
    moved = (pl.col("old_close") * (factor - 1)).abs()
    least = _TIMES * slack(pl.col("close"), factor, _UNITS)
    tells = (factor.first() - 1).abs() > _LEAST_FACTOR
    return factor.first().is_finite() & tells & ((moved > least).mean() > 0.5)


def _same_prices() -> pl.Expr:
    return pl.all_horizontal(
        pl.col(price) == pl.col(old) for price, old in zip(bars.PRICES, _OLD, strict=True)
    )


def _sum(names: tuple[str, ...]) -> pl.Expr:
    return pl.sum_horizontal(names)

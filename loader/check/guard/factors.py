"""Whether changed bars are the stored ones times a factor: another unit, a split, a dividend."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final, Literal

import polars as pl

from loader import bars
from loader.check.guard.rounding import plain, power_of_ten, slack, unit
from loader.lazy import dataclass

#: Fewer bars say nothing.
LEAST: Final = 20
_SHARE: Final = 0.95
#: A first look at all groups may let pass what the second look refuses, but not the other way.
_LOOSE: Final = 0.02
#: Smaller factors are not told from rounding.
_LEAST_FACTOR: Final = 5e-4
#: Bars for which a factor that changes with time must stay.
_STRETCH: Final = 5

_OLD: Final = tuple(f"old_{price}" for price in bars.PRICES)


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
    as `old_open` …, and `group` (int)."""
    found = []
    for group in _worth_a_look(changed):
        rows = changed.filter(pl.col("group") == group).sort("ts")
        if (explained := _prices(group, rows) or _volumes(group, rows)) is not None:
            found.append(explained)
    return found


def _worth_a_look(changed: pl.DataFrame) -> Iterator[int]:
    ratios = [pl.col(price) / pl.col(old) for price, old in zip(bars.PRICES, _OLD, strict=True)]
    of_volume = pl.col("volume") / pl.col("old_volume")
    looked = changed.select(
        "group",
        ratio=_sum(bars.PRICES) / _sum(_OLD),
        spread=(pl.max_horizontal(ratios) / pl.min_horizontal(ratios) - 1).abs(),
        same=_same_prices(),
        volume=pl.when((pl.col("volume") > 0) & (pl.col("old_volume") > 0)).then(of_volume),
    )
    together = pl.col("spread") < _LOOSE
    far = (pl.col("ratio") - 1).abs().median() > _LEAST_FACTOR
    by_group = looked.group_by("group").agg(
        bars=pl.len(),
        prices=(together & ~pl.col("same")).mean().fill_null(0),
        far=far,
        volumes=(pl.col("same") & pl.col("volume").is_not_null()).mean().fill_null(0),
    )
    enough = pl.col("bars") >= LEAST
    worth = by_group.filter(
        enough & ((pl.col("prices") >= _SHARE) & pl.col("far") | (pl.col("volumes") >= _SHARE))
    )
    yield from worth["group"].sort().to_list()


def _prices(group: int, rows: pl.DataFrame) -> Factors | None:
    """Prices times one factor, or times one after the other."""
    units = _unit(rows, bars.PRICES), _unit(rows, _OLD)
    known = rows.with_columns(own=_sum(bars.PRICES) / _sum(_OLD)).filter(
        pl.col("own").is_finite() & (pl.col("own") > 0)
    )
    if known.height < max(LEAST, _SHARE * rows.height):
        return None
    middle = float(known["own"].median() or 0)  # type: ignore[arg-type]
    near = known.filter((pl.col("own") / middle - 1).abs() < _LOOSE)
    weighed = near.select(
        (pl.col("close") * pl.col("old_close")).sum() / (pl.col("old_close") ** 2).sum()
    )
    for factor in dict.fromkeys((plain(middle), weighed.item() or middle)):
        fits = known.select(_fits(pl.lit(factor), units)).to_series()
        if fits.mean() >= _SHARE and _tells(known, factor, units):  # type: ignore[operator]
            held = known.filter(fits)
            stretch = Stretch(held["ts"][0], held["ts"][-1], held.height, factor)
            return _named(group, rows, held, (stretch,))
    return _in_stretches(group, rows, known, units)


def _in_stretches(
    group: int, rows: pl.DataFrame, known: pl.DataFrame, units: tuple[float, float]
) -> Factors | None:
    held = known.filter(_fits(pl.col("own"), units))
    if held.height < _SHARE * rows.height:
        return None
    loose = 3 * slack(pl.col("close"), pl.col("own"), units) / pl.col("old_close").abs()
    opens = held.select(((pl.col("own") - pl.col("own").shift()).abs() > loose).fill_null(False))
    numbered = held.with_columns(stretch=opens.to_series().cum_sum())
    # A ratio that moves on by little from bar to bar is not one factor.
    one = numbered.select(_fits(pl.col("own").median().over("stretch"), units)).to_series()
    if one.sum() < _SHARE * rows.height:
        return None
    stretches = [
        Stretch(part["ts"][0], part["ts"][-1], part.height, float(part["own"].median() or 0))  # type: ignore[arg-type]
        for part in numbered.partition_by("stretch", maintain_order=True)
    ]
    tells = [s for s in stretches if _tells(held, s.factor, units)]
    long = sum(s.bars for s in tells if s.bars >= _STRETCH)
    if len(stretches) > held.height / _STRETCH or long < _SHARE * held.height:
        return None
    return _named(group, rows, held, tuple(s for s in tells if s.bars >= _STRETCH))


def _named(
    group: int, rows: pl.DataFrame, held: pl.DataFrame, stretches: tuple[Stretch, ...]
) -> Factors:
    """Prices that follow factors, by what the volumes do."""
    volumes = _with_volumes(held)
    factor = _one_volume_factor(volumes)
    found = Factors("adjustment", group, rows.height, held.height, stretches, factor)
    if volumes.height >= max(LEAST, held.height / 2):
        units = unit(volumes["volume"]), unit(volumes["old_volume"])
        wanted = pl.col("old_volume") / pl.col("own")
        loose = pl.min_horizontal(pl.lit(0.01), (pl.col("own") - 1).abs() / 4)
        off = slack(pl.col("volume"), 1 / pl.col("own"), units, 0.05) + loose * pl.col("volume")
        if _hold(volumes, (pl.col("volume") - wanted).abs() <= off, 1 / pl.col("own"), units):
            return Factors("split", group, rows.height, held.height, stretches, factor)
    # After a split, prices times volumes change by the factor between the units.
    own = stretches[0].factor
    tens = map(power_of_ten, (own, own * (factor or 1)))
    if len(stretches) == 1 and any(ten is not None for ten in tens):
        return Factors("price_scale", group, rows.height, held.height, stretches, factor)
    return found


def _volumes(group: int, rows: pl.DataFrame) -> Factors | None:
    """Volumes times one factor, or times the price, where prices are as stored."""
    held = _with_volumes(rows.filter(_same_prices()))
    if held.height < max(LEAST, _SHARE * rows.height):
        return None
    if (factor := _one_volume_factor(held)) is not None:
        return Factors("volume_scale", group, rows.height, held.height, volume=factor)
    ratio = pl.col("volume") / pl.col("old_volume")
    low, high = pl.col("low") * (1 - 1e-6), pl.col("high") * (1 + 1e-6)
    is_far = held.select(ratio.log().abs().median() > 0.05).item()
    for money in (ratio, 1 / ratio):
        between = held.select(((money >= low) & (money <= high)).mean()).item()
        if is_far and between >= _SHARE:
            return Factors("volume_scale", group, rows.height, held.height, in_quote=True)
    return None


def _one_volume_factor(rows: pl.DataFrame) -> float | None:
    if rows.height < LEAST:
        return None
    units = unit(rows["volume"]), unit(rows["old_volume"])
    middle = float(rows.select((pl.col("volume") / pl.col("old_volume")).median()).item())
    for factor in dict.fromkeys((plain(middle), middle)):
        off = (pl.col("volume") - factor * pl.col("old_volume")).abs()
        fits = off <= slack(pl.col("volume"), pl.lit(factor), units, 0.05)
        if abs(factor - 1) > 0.01 and _hold(rows, fits, pl.lit(factor), units):
            return factor
    return None


def _hold(rows: pl.DataFrame, fits: pl.Expr, factor: pl.Expr, units: tuple[float, float]) -> bool:
    """Whether volumes fit a factor, as far as they are large beside their rounding."""
    large = 0.505 * (units[0] + factor * units[1]) <= 0.05 * pl.col("volume")
    judged = rows.filter(large).select(fits).to_series()
    enough = judged.len() >= max(LEAST, rows.height / 2)
    return enough and float(judged.mean() or 0) >= _SHARE  # type: ignore[arg-type]


def _with_volumes(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.filter((pl.col("volume") > 0) & (pl.col("old_volume") > 0))


def _fits(factor: pl.Expr, units: tuple[float, float]) -> pl.Expr:
    return pl.all_horizontal(
        (pl.col(price) - factor * pl.col(old)).abs() <= slack(pl.col(price), factor, units)
        for price, old in zip(bars.PRICES, _OLD, strict=True)
    )


def _tells(rows: pl.DataFrame, factor: float, units: tuple[float, float]) -> bool:
    """Whether the factor moves prices by more than their rounding."""
    moved = (pl.col("old_close") * (factor - 1)).abs()
    least = 3 * slack(pl.col("close"), pl.lit(factor), units)
    return abs(factor - 1) > _LEAST_FACTOR and bool(
        rows.select((moved > least).mean() > 0.5).item()
    )


def _same_prices() -> pl.Expr:
    return pl.all_horizontal(
        pl.col(price) == pl.col(old) for price, old in zip(bars.PRICES, _OLD, strict=True)
    )


def _sum(names: tuple[str, ...]) -> pl.Expr:
    return pl.sum_horizontal(names)


def _unit(rows: pl.DataFrame, names: tuple[str, ...]) -> float:
    return unit(pl.concat([rows[name].alias("x") for name in names]))

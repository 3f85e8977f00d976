"""The guard's look at changed bars group by group, as slow as that is: the oracle of the one that
looks at all groups at once. Bars of one time keep their order."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import polars as pl

from loader import bars
from loader.check.guard.differences import Differences, Step
from loader.check.guard.factors import LEAST, Factors, Stretch
from loader.check.guard.rounding import NOISE, plain, power_of_ten
from loader.check.guard.shift import Shift

_SHARE: Final = 0.95
_OF_SHIFT: Final = 0.8
_LOOSE: Final = 0.02
_LOOSE_AMOUNTS: Final = 0.7
_LEAST_FACTOR: Final = 5e-4
_STRETCH: Final = 5
_NEAR: Final = 0.15
_DIGITS: Final = 9
_VALUES: Final = list(bars.PRICES)
_OLD: Final = tuple(f"old_{price}" for price in bars.PRICES)
_MOVED: Final = tuple(pl.col(price) - pl.col(f"old_{price}") for price in bars.PRICES)


def factors(changed: pl.DataFrame) -> list[Factors]:
    """The groups that are explained by factors. `changed` has ts, prices, volume, the stored values
    as `old_open` …, and `group` (int)."""
    found = []
    for group in _worth_a_look(changed):
        rows = changed.filter(pl.col("group") == group).sort("ts", maintain_order=True)
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
    loose = 3 * _slack(pl.col("close"), pl.col("own"), units) / pl.col("old_close").abs()
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
        units = _unit(volumes, ("volume",)), _unit(volumes, ("old_volume",))
        wanted = pl.col("old_volume") / pl.col("own")
        loose = pl.min_horizontal(pl.lit(0.01), (pl.col("own") - 1).abs() / 4)
        off = _slack(pl.col("volume"), 1 / pl.col("own"), units, 0.05) + loose * pl.col("volume")
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
    units = _unit(rows, ("volume",)), _unit(rows, ("old_volume",))
    middle = float(rows.select((pl.col("volume") / pl.col("old_volume")).median()).item())
    for factor in dict.fromkeys((plain(middle), middle)):
        off = (pl.col("volume") - factor * pl.col("old_volume")).abs()
        fits = off <= _slack(pl.col("volume"), pl.lit(factor), units, 0.05)
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
        (pl.col(price) - factor * pl.col(old)).abs() <= _slack(pl.col(price), factor, units)
        for price, old in zip(bars.PRICES, _OLD, strict=True)
    )


def _tells(rows: pl.DataFrame, factor: float, units: tuple[float, float]) -> bool:
    """Whether the factor moves prices by more than their rounding."""
    moved = (pl.col("old_close") * (factor - 1)).abs()
    least = 3 * _slack(pl.col("close"), pl.lit(factor), units)
    return abs(factor - 1) > _LEAST_FACTOR and bool(
        rows.select((moved > least).mean() > 0.5).item()
    )


def _same_prices() -> pl.Expr:
    return pl.all_horizontal(
        pl.col(price) == pl.col(old) for price, old in zip(bars.PRICES, _OLD, strict=True)
    )


def _sum(names: tuple[str, ...]) -> pl.Expr:
    return pl.sum_horizontal(names)


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
    close = pl.col("spread") <= _LOOSE_AMOUNTS * pl.col("amount").abs()
    worth = told.group_by("group").agg(
        bars=pl.len(), share=(close & (pl.col("amount") != 0)).mean()
    )
    groups = worth.filter((pl.col("bars") >= LEAST) & (pl.col("share") >= _SHARE))["group"]
    found = (_of(group, told.filter(pl.col("group") == group)) for group in groups.sort())
    return [each for each in found if each is not None]


def _of(group: int, rows: pl.DataFrame) -> Differences | None:
    rounding = 0.505 * (_unit(rows, bars.PRICES) + _unit(rows, _OLD))
    slack = rounding + NOISE * pl.max_horizontal(pl.col("close").abs(), pl.col("old_close").abs())
    held = (
        rows.with_columns(slack=slack)
        .filter(pl.col("spread") <= 2 * pl.col("slack"))
        .filter(pl.col("amount").abs() > 3 * pl.col("slack"))
        .sort("ts", maintain_order=True)
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


def shifts(hits: pl.DataFrame, stored: pl.DataFrame) -> list[Shift]:
    """The groups that are shifted, and may be in another unit besides.

    Args:
        hits: bars that change stored ones, or are new between them: `group`, `window` (ints), ts
            and prices.
        stored: the stored bars around them: `window`, ts, prices. Prices that a window has several
            times tell nothing.
    """
    found = _of_one_unit(hits, stored)
    for _, rows in _apart(hits, found).group_by("group"):
        if (scale := _scale(rows, stored)) is not None:
            there = stored.with_columns(_rounded(pl.col(_VALUES)))
            # By a column: Polars divides by one number in another way, which rounds otherwise.
            scales = pl.Series([scale] * rows.height)
            own = rows.with_columns(_rounded(pl.col(_VALUES) / scales))
            found += [replace(each, scale=scale) for each in _of_one_unit(own, there)]
    return sorted(found, key=lambda shift: shift.group)


def _of_one_unit(hits: pl.DataFrame, stored: pl.DataFrame) -> list[Shift]:
    told = _once(hits, "ts")
    there = _once(stored.rename({"ts": "stored_ts"}), "stored_ts").select(
        "window", "stored_ts", *_VALUES
    )
    matched = (
        told.join(there, on=["window", *_VALUES], how="left")
        .with_columns(by=pl.col("ts") - pl.col("stored_ts"))
        .with_columns(by=pl.when(pl.col("by") != pl.duration()).then(pl.col("by")))
    )
    found = []
    for (group,), rows in matched.group_by("group"):
        by = rows["by"].drop_nulls().value_counts()
        by = by.sort("count", "by", descending=[True, False])
        number = int(by["count"].sum())
        looked = rows.height
        if (
            looked >= LEAST
            and number >= _OF_SHIFT * looked
            and by["count"][:2].sum() >= _OF_SHIFT * number
        ):
            found.append(Shift(int(group), looked, number, by["by"][0]))
    return found


def _apart(hits: pl.DataFrame, found: list[Shift]) -> pl.DataFrame:
    return hits.filter(~pl.col("group").is_in([shift.group for shift in found]))


def _scale(hits: pl.DataFrame, stored: pl.DataFrame) -> float | None:
    """The power of ten, other than 1, by which the prices of one group are off, if it is one."""
    level = pl.col("close").median()
    levels = hits.group_by("window").agg(own=level).join(
        stored.group_by("window").agg(there=level), on="window"
    )  # fmt: skip
    ratio = levels.select((pl.col("own") / pl.col("there")).median()).item()
    if ratio is None or not 0 < ratio < math.inf:
        return None
    power = round(math.log10(ratio))
    return 10.0**power if power and abs(math.log10(ratio) - power) < _NEAR else None


def _rounded(prices: pl.Expr) -> pl.Expr:
    return prices.round_sig_figs(_DIGITS)


def _once(rows: pl.DataFrame, ts: str) -> pl.DataFrame:
    """Those rows with prices that no other row of their window has."""
    return rows.filter(pl.len().over("window", *_VALUES) == 1).sort("window", ts)


def _unit(rows: pl.DataFrame, names: tuple[str, ...]) -> float:
    values = pl.concat([rows[name].alias("x") for name in names])
    for digits in range(10):
        scaled = values * 10.0**digits
        if ((scaled - scaled.round()).abs() < 1e-5).all():
            return 10.0**-digits
    return 0.0


def _slack(
    new: pl.Expr, factor: pl.Expr, units: tuple[float, float], most: float = 0.005
) -> pl.Expr:
    rounding = 0.505 * (units[0] + factor.abs() * units[1])
    return pl.min_horizontal(rounding, most * new.abs()) + NOISE * new.abs()

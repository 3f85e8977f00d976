"""The guard's look at all groups of changed bars at once, against one at each group by itself."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from loader import bars
from loader.check.guard.differences import differences
from loader.check.guard.factors import factors
from loader.check.guard.rounding import of_groups, unit, units
from loader.check.guard.shift import shifts
from tests.support import slow_guard

T0: Final = datetime(2024, 3, 4, tzinfo=UTC)
HOUR: Final = timedelta(hours=1)
VALUES: Final = (*bars.PRICES, "volume")
Bar = tuple[float, ...]


@dataclass(frozen=True)
class Kind:
    """A group of bars that changed, as `seed` has it."""

    change: str
    seed: int
    bars: int = 40
    #: Digits of prices and of volumes, before and after.
    digits: tuple[int, int] = (2, 2)
    traded: tuple[int, int] = (0, 0)
    #: The share of bars that stay as they were, become anything else, or have no volume.
    same: float = 0.0
    apart: float = 0.0
    unknown: float = 0.0
    level: float = 100.0
    is_narrow: bool = False


def made(kinds: Iterable[Kind]) -> pl.DataFrame:
    """Changed bars of several groups, mixed."""
    return framed(row for group, kind in enumerate(kinds) for row in rows_of(7 * group, kind))


def framed(made: Iterable[tuple[Any, ...]]) -> pl.DataFrame:
    rows = list(made)
    random.Random(len(rows)).shuffle(rows)
    floats = [*VALUES, *(f"old_{name}" for name in VALUES)]
    schema = {"group": pl.UInt32(), "ts": bars.SCHEMA["ts"], **dict.fromkeys(floats, pl.Float64())}
    return pl.DataFrame(rows, schema=schema, orient="row")


def rows_of(group: int, kind: Kind) -> list[tuple[Any, ...]]:
    chance = random.Random(repr(kind))
    stretches = [chance.choice((chance.uniform(0.7, 1.3), 0.5, 1.0)) for _ in range(4)]
    one = chance.choice((0.9934, 0.5, 2.0, 3.0, 1 / 3, 7.13, 0.1, 10.0, 100.0, 0.001, 1.0004))
    price, rows = kind.level, []
    for at in range(kind.bars):
        last, price = price, price + kind.level * chance.uniform(-0.01, 0.01)
        high, low = max(last, price) + abs(kind.level) / 99, min(last, price) - abs(kind.level) / 99
        prices = rounded((last, high, low, price), kind.digits[0])
        volume = round(chance.choice((90.0, 9e4)) * chance.random(), kind.traded[0])
        stretch = stretches[at * len(stretches) // kind.bars]
        old = Before(prices, volume, at, one, stretch, chance.uniform(0.9, 1.1))
        new, traded = CHANGES[kind.change](old)
        if chance.random() < kind.same:
            new, traded = prices, volume
        elif chance.random() < kind.apart:
            new = tuple(each * chance.uniform(0.5, 1.5) for each in prices)
        values = [*rounded(new, kind.digits[1]), round(traded, kind.traded[1])]
        if kind.is_narrow:
            values = pl.Series(values).cast(pl.Float32()).cast(pl.Float64()).to_list()
        volumes = [None if chance.random() < kind.unknown else v for v in (values[4], volume)]
        rows.append((group, T0 + at * HOUR, *values[:4], volumes[0], *prices, volumes[1]))
    return rows


def rounded(values: Iterable[float], digits: int) -> Bar:
    return tuple(round(value, digits) for value in values)


@dataclass(frozen=True)
class Before:
    """A stored bar, number `at` of its group; the factors of the group and of this stretch of it;
    and a number between 0.9 and 1.1."""

    prices: Bar
    volume: float
    at: int
    one: float
    stretch: float
    any: float


def times(old: Before, price: float = 1.0, volume: float = 1.0) -> tuple[Bar, float]:
    return tuple(each * price for each in old.prices), old.volume * volume


def plus(old: Before, amount: float) -> tuple[Bar, float]:
    return tuple(each + amount for each in old.prices), old.volume


#: What becomes of a bar.
CHANGES: Final[dict[str, Callable[[Before], tuple[Bar, float]]]] = {
    "factor": lambda old: times(old, old.one),
    "split": lambda old: times(old, old.one, 1 / old.one),
    "half a split": lambda old: times(old, old.one, 1 / old.one if old.at % 2 else 1.0),
    "factors": lambda old: times(old, old.stretch),
    "splits": lambda old: times(old, old.stretch, 1 / old.stretch),
    "drift": lambda old: times(old, 1 + old.at / 100),
    "volume": lambda old: times(old, 1, old.one),
    "in quote": lambda old: times(old, 1, old.prices[3]),
    "in units": lambda old: times(old, 1, 1 / (old.prices[3] or 1)),
    "both": lambda old: times(old, old.one, 100),
    "amount": lambda old: plus(old, old.one),
    "amounts": lambda old: plus(old, 10 * old.stretch),
    "noise": lambda old: times(old, old.any, old.any**9),
    "correction": lambda old: ((*old.prices[:3], old.prices[3] + 0.01), old.volume + 3),
    "nothing": times,
}


#: Most groups have few of these flaws, so that something is found in them.
SOME: Final = st.sampled_from((*[0.0] * 9, 0.03, 0.05, 0.3))
KINDS: Final = st.builds(
    Kind,
    change=st.sampled_from(list(CHANGES)),
    seed=st.integers(0, 10_000),
    bars=st.sampled_from((19, 20, 21, 25, 40, 40, 100)),
    digits=st.sampled_from((*[(2, 2), (2, 4), (4, 4)] * 3, (0, 2), (2, 0), (2, 15), (15, 15))),
    traded=st.sampled_from((*[(0, 0), (0, 3)] * 3, (3, 0), (15, 15))),
    same=SOME,
    apart=SOME,
    unknown=st.sampled_from((*[0.0] * 9, 0.05, 0.4, 1.0)),
    level=st.sampled_from((*[100.0] * 6, 2.5, 0.03, 0.0, -40.0, 60_000.0)),
    is_narrow=st.booleans(),
)


def exact(found: Iterable[Any]) -> tuple[list[Any], list[float]]:
    """What was found, without the numbers that sums and medians gave; and these."""
    numbers: list[float] = []

    def without(value: Any, name: str = "") -> Any:
        if isinstance(value, dict):
            return {key: without(each, key) for key, each in value.items()}
        if isinstance(value, tuple | list):
            return [without(each) for each in value]
        if name in ("factor", "amount", "volume") and value is not None:
            numbers.append(value)
            return "a number"
        return value

    return [without(asdict(each)) for each in found], numbers


def assert_same(found: Iterable[Any], wanted: Iterable[Any]) -> None:
    (told, numbers), (expected, others) = exact(found), exact(wanted)
    assert told == expected
    assert numbers == pytest.approx(others, rel=1e-12, abs=1e-12)


@given(kinds=st.lists(KINDS, min_size=1, max_size=12))
@settings(max_examples=60)
def test_all_groups_at_once_have_the_factors_of_each_by_itself(kinds: list[Kind]) -> None:
    changed = made(kinds)
    assert_same(factors(changed), slow_guard.factors(changed))


@given(kinds=st.lists(KINDS, min_size=1, max_size=12))
@settings(max_examples=60)
def test_all_groups_at_once_have_the_amounts_of_each_by_itself(kinds: list[Kind]) -> None:
    changed = made(kinds)
    assert_same(differences(changed), slow_guard.differences(changed))


def test_groups_of_each_kind_are_among_those_that_are_compared() -> None:
    """Also groups that just have enough bars."""
    kinds = [
        Kind(change, seed, (20, 20, 22, 100)[seed % 4], traded=(0, seed % 2 * 3),
             apart=seed % 3 * 0.03, unknown=seed // 4 % 2 * 0.4)
        for change in CHANGES for seed in range(48)
    ]  # fmt: skip
    kinds += [Kind("factors", seed, 20, apart=0.05) for seed in range(70)]
    changed = made(kinds)
    of_factors, of_amounts = slow_guard.factors(changed), slow_guard.differences(changed)
    assert_same(factors(changed), of_factors)
    assert_same(differences(changed), of_amounts)
    found = {kind: {kinds[each.group // 7].change for each in of_factors if each.kind == kind}
             for kind in ("price_scale", "volume_scale", "split", "adjustment")}  # fmt: skip
    assert found["price_scale"] >= {"factor", "both"}
    assert found["volume_scale"] >= {"volume", "in quote", "in units"}
    assert found["split"] >= {"split", "splits"}
    assert found["adjustment"] >= {"factor", "factors", "half a split", "both"}
    assert any(each.matched == 19 for each in of_factors)
    assert {each.in_quote for each in of_factors} == {True, False}
    assert {len(each.stretches) for each in of_factors} >= {0, 1, 2, 3, 4}
    assert {kinds[each.group // 7].change for each in of_amounts} >= {"amount", "amounts"}
    assert {len(each.steps) for each in of_amounts} >= {1, 2, 3, 4}
    silent = {"noise", "correction", "nothing", "drift"}
    assert not silent & {kinds[each.group // 7].change for each in (*of_factors, *of_amounts)}


def test_two_small_factors_tell_where_they_move_more_than_half_of_the_prices() -> None:
    """By more than their rounding: those of high prices, not of low ones."""
    chance, rows = random.Random(1), []
    for group in range(300):
        high = chance.sample(range(40), chance.choice((19, 20, 21)))
        factor = 1 + chance.choice((-1, 1)) * chance.uniform(0.0035, 0.0045)
        for at in range(40):
            old = rounded([chance.uniform(*((14, 16) if at in high else (2, 2.2)))] * 4, 2)
            new = rounded((price * (factor if at < 20 else factor**2) for price in old), 2)
            rows.append((group, T0 + at * HOUR, *new, 5.0, *old, 5.0))
    changed = framed(rows)
    wanted = slow_guard.factors(changed)
    assert_same(factors(changed), wanted)
    assert 10 < len(wanted) < 150
    assert {len(each.stretches) for each in wanted} >= {2}


NUMBERS: Final = st.one_of(
    st.integers(-10_000, 10_000).map(float),
    st.builds(round, st.floats(-1e4, 1e4), st.integers(0, 12)),
    st.sampled_from((0.0, 1e-5, 1e-9, 1e-10, 1e12)),
)


@given(groups=st.lists(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=4), min_size=1))
def test_each_group_has_the_unit_of_its_own_values(groups: list[list[tuple[float, float]]]) -> None:
    rows = [(n, *pair) for n, pairs in enumerate(groups) for pair in pairs]
    rows = random.Random(len(rows)).sample(rows, len(rows))
    frame = pl.DataFrame(rows, schema=["group", "x", "y"], orient="row")
    found = of_groups(frame, units(frame, both=["x", "y"], one=["y"]))
    assert found.select("group", "x", "y").rows() == rows
    for group, pairs in enumerate(groups):
        told = found.filter(pl.col("group") == group).select("both", "one").unique().rows()
        both = pl.Series([value for pair in pairs for value in pair])
        assert told == [(unit(both), unit(pl.Series([y for _, y in pairs])))]


@dataclass(frozen=True)
class Late:
    """Bars of a group that may be stored ones of other times."""

    by: tuple[int, ...]
    seed: int
    bars: int = 40
    scale: float = 1.0
    same: float = 0.0
    digits: int = 2


def of_times(groups: Iterable[Late]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Bars and stored bars, in a window or two of each group."""
    hits, stored = [], []
    for group, late in enumerate(groups):
        chance = random.Random(repr(late))
        prices = [rounded([chance.uniform(90, 110)] * 4, late.digits) for _ in range(120)]
        stored += [(2 * group + at // 60, T0 + at * HOUR, *bar) for at, bar in enumerate(prices)]
        for at in range(30, 30 + late.bars):
            there = at - chance.choice(late.by)
            bar = prices[there] if chance.random() >= late.same else prices[0]
            bar = tuple(price * late.scale for price in bar)
            hits.append((group, 2 * group + there // 60, T0 + at * HOUR, *bar))
    schema = {"window": pl.Int32(), "ts": bars.SCHEMA["ts"],
              **{price: pl.Float64() for price in bars.PRICES}}  # fmt: skip
    return (
        pl.DataFrame(hits, schema={"group": pl.UInt32(), **schema}, orient="row"),
        pl.DataFrame(stored, schema=schema, orient="row"),
    )


@given(
    groups=st.lists(
        st.builds(
            Late,
            by=st.sampled_from(((0,), (1,), (-1,), (5,), (1, 1, 1, 2), (1, 2), (1, 2, 3), (-24,))),
            seed=st.integers(0, 10_000),
            bars=st.sampled_from((19, 20, 40)),
            scale=st.sampled_from((1.0, 1.0, 100.0, 0.01, 1.5, -1.0)),
            same=st.sampled_from((0.0, 0.1, 0.2, 0.3)),
            digits=st.sampled_from((0, 2, 9)),
        ),
        min_size=1,
        max_size=8,
    )
)
@example(groups=[Late((-1,), 6038, bars=40, scale=0.01, same=0.3, digits=9)])
def test_all_groups_at_once_have_the_shifts_of_each_by_itself(groups: list[Late]) -> None:
    hits, stored = of_times(groups)
    assert shifts(hits, stored) == slow_guard.shifts(hits, stored)


def test_shifts_in_several_units_are_among_those_that_are_compared() -> None:
    groups = [Late((by,), 1, scale=scale) for by in (1, -5) for scale in (1.0, 100.0, 0.01)]
    hits, stored = of_times([*groups, Late((1, 2, 3), 1), Late((0,), 1)])
    found = shifts(hits, stored)
    assert found == slow_guard.shifts(hits, stored)
    assert [(each.group, each.by, each.scale) for each in found] == [
        (group, late.by[0] * HOUR, late.scale) for group, late in enumerate(groups)
    ]

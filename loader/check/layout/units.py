"""The unit of a volume, which its siblings give away: money that changed hands, other counts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

import polars as pl

from loader import bars
from loader.bars import numbers
from loader.bars.numbers import NumberFormat
from loader.dialects.dialect import fold
from loader.errors import ColumnMismatch
from loader.lazy import regex

_SAMPLE: Final = 1_000
#: A second volume in another unit: of `volume` and `volume_btc` either can be in units traded.
OTHER_VOLUME: Final = regex(
    r"volume\(?(btc|eth|ltc|xrp|bnb|usdt?|usdc|busd|eur|gbp|base|quote|currency|from|to)\)?"
)
#: Words in the names of columns that hold the money that changed hands in a bar.
_MONEY: Final = regex(
    "amount|amt|turnover|value|money|notional|quote|dollar|cash|usd|eur(?!o?pe)|gbp|jpy|krw|cny"
    "|成交额|成交金额|売買代金"
)
#: Words in the names of columns that count what changed hands.
_COUNT: Final = regex("vol|qty|quantity|base|shares|lots|contracts|coins|成交量|出来高")
#: Money and counts of other things.
_OTHERS: Final = regex(
    "rate|ratio|change|avg|average|mean|sma|ema|adj|taker|buy|sell|bid|ask|outstanding|float|size"
    "|weighted|price"
)
#: Powers of ten that names give to their numbers.
_SCALES: Final = (
    (regex("millions?|mio|百万|mln|mn\\)|m\\)$"), 6), (regex("亿"), 8),
    (regex("万"), 4), (regex("thousands?|千|k\\)$|000s?\\)?$"), 3),
)  # fmt: skip
#: A volume beside the value of all units in the world is in money on the sites that have both.
_CAPITAL: Final = ("marketcap", "marketcapitalization", "mktcap")
#: The average price of a bar, its money by its volume, lies between low and high in most bars;
#: both may be rounded.
_MOST, _SLACK = 0.9, 0.01
#: Fewer values show nothing.
_FEWEST: Final = 3
#: Larger units than lots of this many are not known.
_LARGEST: Final = 6


def refuse_others(
    frame: pl.DataFrame, columns: Mapping[str, str], written: NumberFormat, where: str
) -> None:
    """Raises:
    ColumnMismatch: a column beside it shows that the volume is in lots, or is money.
    """
    if "volume" not in columns:
        return
    free = [name for name in frame.columns if name not in columns.values()]
    own = columns["volume"]
    if fields := ", ".join(name for name in free if fold(name) in _CAPITAL):
        raise ColumnMismatch.at(
            where,
            f"column {own!r} stands beside {fields!r}: such files have the volume in money",
            column=own,
            hint=_left_out(own),
        )
    head = frame.head(_SAMPLE)
    found = [name for name in free if _is_sibling(head, name)]
    if not found:
        return
    prices = _prices(head, columns, written)
    volume = _floats(head[own], written)
    siblings = {name: _floats(head[name], written) for name in found}
    siblings = {name: s for name, s in siblings.items() if s.null_count() * 2 <= len(s)}
    if any(_is_money(name, sibling, volume, prices) for name, sibling in siblings.items()):
        return
    for name, sibling in siblings.items():
        fault = _fault(own, name, volume, sibling, prices)
        if fault is not None:
            raise ColumnMismatch.at(where, fault[0], column=own, hint=fault[1])


def scale_of(name: str) -> int:
    """The power of ten that a column's name gives to its numbers: 3 for `Volume (thousands)`."""
    return next((power for words, power in _SCALES if words.search(fold(name))), 0)


def take_volume(frame: pl.DataFrame, free: Sequence[str], names: dict[str, str]) -> list[str]:
    """Puts `volume` into `names` where, of the `free` columns that may be it, one is the money of
    another one at the prices of nearly all bars. Returns a note on that."""
    head = frame.head(_SAMPLE)
    maybe = [name for name in free if OTHER_VOLUME.fullmatch(fold(name))]
    if len(maybe) < 2:
        return []
    prices = _prices(head, names, numbers.PLAIN)
    values = {name: _floats(head[name], numbers.PLAIN) for name in maybe}
    found = [
        (name, other)
        for name, volume in values.items()
        for other, money in values.items()
        if name != other and int((volume > 0).sum()) >= _FEWEST
        and _power(money / volume, prices) == 0
    ]  # fmt: skip
    if len(found) != 1:
        return []
    names["volume"], money = found[0]
    return [f"volume is read from {names['volume']!r}: {money!r} is the same in money"]


def best_first(
    frame: pl.DataFrame, columns: Mapping[str, str], candidates: Sequence[str]
) -> list[str]:
    """Columns that may be the volume: what another one is the money of comes first, and what is
    money by its name last."""
    head = frame.head(_SAMPLE)
    prices = _prices(head, columns, numbers.PLAIN)
    values = {name: _floats(head[name], numbers.PLAIN) for name in candidates}

    def rank(name: str) -> tuple[bool, bool]:
        own = values[name]
        others = (other for key, other in values.items() if key != name)
        return (
            not any(_power(other / own, prices) == 0 for other in others),
            _MONEY.search(fold(name)) is not None,
        )

    return sorted(candidates, key=rank)


def _is_sibling(head: pl.DataFrame, name: str) -> bool:
    """Whether a column has money or another count by its name."""
    folded = fold(name)
    known = _MONEY.search(folded) or _COUNT.search(folded)
    return bool(known) and not _OTHERS.search(folded) and numbers.is_number(head.schema[name])


def _is_money(name: str, sibling: pl.Series, volume: pl.Series, prices: pl.DataFrame) -> bool:
    """Whether the sibling is the money that the volume comes to, so that this is in units."""
    power = _power(sibling / volume, prices)
    return power is not None and power + scale_of(name) == 0


def _fault(
    own: str, name: str, volume: pl.Series, sibling: pl.Series, prices: pl.DataFrame
) -> tuple[str, str] | None:
    """The sentence about the column `own` and the hint, if the `sibling` shows another unit."""
    as_money, as_units = _power(sibling / volume, prices), _power(volume / sibling, prices)
    second = OTHER_VOLUME.fullmatch(fold(name)) is not None
    both = f"--column volume={name!r}, or --column volume={own!r} as it is"
    scale, money = scale_of(name), _MONEY.search(fold(name)) is not None
    if second:
        return (
            f"columns {own!r} and {name!r} could both be the volume in units traded; one of them "
            "is money",
            f"say which: --column volume={own!r}, or --column volume={name!r}"
            if money and as_units != 0
            else f"say which: {both}",
        )
    if not scale and _is_copy(volume, sibling):
        equal = f"column {own!r} is equal to {name!r}, which is money by its name"
        return (equal, _left_out(own)) if money else None
    if (as_units == 0 and not scale) or (not money and as_money is None and as_units is not None):
        return (
            f"column {own!r} is {name!r} times the price: it is money, and {name!r} is in units "
            "traded",
            f"say which: {both}",
        )
    if money:
        power = None if as_money is None else as_money + scale
        of = f"the money that {own!r} units come to at the bars' prices"
        rest = "one of them is in larger units, such as lots of 100"
    else:
        power = _multiple(sibling, volume)
        power = None if power is None else max(0, power + scale)
        of, rest = repr(own), f"{own!r} is in larger units, such as lots of 100"
    if not power:
        return None
    scaled = f"column {name!r}" if not scale else f"column {name!r}, by its name times 1e{scale},"
    return f"{scaled} is {_times(power)} {of}: {rest}", _factor(power)


def _factor(power: int) -> str:
    """The hint where money is ten to `power` times that of the volume: a tenth is thousands of
    money beside lots; other parts are larger units of money, or prices in pence."""
    if power < -1:
        return (
            "say it: --volume-factor 1 if the volume is right (then the money is in larger units, "
            "or prices are in pence), --volume-factor 100 for lots of 100"
        )
    factor = 10**power if 0 < power <= _LARGEST else 100
    return f"say it: --volume-factor {factor} for lots of {factor} (1 if the volume is right)"


def _left_out(own: str) -> str:
    return f"leave it out: --column volume=-; or if it is in units: --column volume={own!r}"


def _is_copy(volume: pl.Series, money: pl.Series) -> bool:
    """Whether the two are equal in every row that has both, at least where something was traded."""
    both = (volume > 0).fill_null(False) & money.is_not_null()
    return bool(both.any()) and bool((volume == money).filter(both).all())


def _power(price: pl.Series, prices: pl.DataFrame) -> int | None:
    """The power of ten by which the average `price` of each bar is above its prices; None where it
    does not lie between low and high for nearly all bars."""
    known = price.is_finite().fill_null(False) & (price > 0) & (prices["low"] > 0)
    price, prices = price.filter(known.fill_null(False)), prices.filter(known.fill_null(False))
    if not len(price):
        return None
    power = round(math.log10(float((price / prices["close"]).median() or 1)))  # type: ignore[arg-type]
    own = price / 10.0**power
    inside = own.is_between(prices["low"] * (1 - _SLACK), prices["high"] * (1 + _SLACK))
    return power if inside.mean() >= _MOST else None  # type: ignore[operator]


def _multiple(larger: pl.Series, volume: pl.Series) -> int | None:
    """The power of ten that `larger` is of the `volume` in nearly all bars, or None. Columns of one
    value show nothing."""
    if larger.n_unique() < 2:
        return None
    ratio = larger / volume
    ratio = ratio.filter(ratio.is_finite().fill_null(False) & (ratio > 0))
    if not len(ratio):
        return None
    power = round(math.log10(float(ratio.median() or 1)))  # type: ignore[arg-type]
    same = (ratio / 10.0**power - 1).abs() <= _SLACK
    return power if same.mean() >= _MOST else None  # type: ignore[operator]


def _prices(head: pl.DataFrame, columns: Mapping[str, str], written: NumberFormat) -> pl.DataFrame:
    return pl.DataFrame([_floats(head[columns[n]], written).alias(n) for n in bars.PRICES])


def _floats(raw: pl.Series, written: NumberFormat) -> pl.Series:
    if not raw.dtype.is_numeric() and not numbers.is_text(
        raw.dtype
    ):  # what is none is refused later
        return pl.Series(raw.name, dtype=pl.Float64).extend_constant(None, len(raw))
    return numbers.to_float(numbers.unformatted(raw, written)).fill_nan(None)


def _times(power: int) -> str:
    return f"{10**power:,} times" if power > 0 else f"1/{10**-power:,} of"

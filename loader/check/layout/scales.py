"""Numbers that stand for others: prices in small units, volume in lots."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

import polars as pl

from loader import bars
from loader.bars import numbers
from loader.bars.numbers import NumberFormat
from loader.dialects.dialect import fold
from loader.errors import ColumnMismatch

#: No price in whole units of a currency is usually above this; 1.00 in 1e-9 units is ten times it.
_HIGHEST: Final = 100_000_000
#: Prices above ten million that all are multiples of this: 0.0505 in 1e-9 units is 505 of them.
_LARGE, _STEP = 10_000_000, 100_000
_SAMPLE: Final = 1_000
#: Columns that hold the money that changed hands in a bar.
_MONEY: Final = (
    "amount",
    "turnover",
    "turnovervalue",
    "turnoveramount",
    "quotevolume",
    "quoteassetvolume",
    "volumequote",
    "quoteamount",
    "tradedvalue",
    "tradevalue",
    "value",
    "money",
    "dollarvolume",
    "volumemoney",
    "cashvolume",
    "notional",
    "成交额",
    "成交金额",
)
#: A volume beside the value of all units in the world is in money on the sites that have both.
_CAPITAL: Final = ("marketcap", "marketcapitalization", "mktcap")
#: The average price of a bar, its money by its volume, lies between low and high in most bars;
#: both may be rounded.
_MOST, _SLACK = 0.9, 0.01


def chosen(asked: int | None, own: int | None, where: str) -> int:
    """The power of ten from the person's option, else the dialect's own.

    Raises:
        ColumnMismatch: neither is given.
    """
    if asked is not None:
        return asked
    if own is None:
        raise ColumnMismatch.at(
            where,
            "prices are in units that depend on the instrument, and its unit is not known",
            hint="say it: --price-divisor 100000 for 1e-5, 1000000000 for 1e-9 (1 if they are "
            "right as they stand)",
        )
    return own


def notes(price_exponent: int, volume_exponent: int) -> tuple[str, ...]:
    """Sentences about what is done to the numbers."""
    exponents = (("prices are", price_exponent), ("volume is", volume_exponent))
    return tuple(
        f"{what} {'multiplied' if exponent > 0 else 'divided'} by {10 ** abs(exponent):,}"
        for what, exponent in exponents
        if exponent
    )


def refuse_fixed_point(
    frame: pl.DataFrame, columns: Mapping[str, str], written: NumberFormat, where: str
) -> None:
    """Raises:
    ColumnMismatch: the prices are whole numbers, most of them above a hundred million, or above
        ten million and all round: probably multiples of a small unit, which the file does not name.
    """
    for field in bars.PRICES:
        raw = frame.get_column(columns[field]).head(_SAMPLE)
        if raw.dtype.is_decimal():
            return
        whole = numbers.to_count(numbers.unformatted(raw, written)).drop_nulls()
        if not len(whole) or len(whole) < len(raw.drop_nulls()):
            return
        level = int(whole.abs().cast(pl.Float64).median() or 0)  # type: ignore[arg-type]
        if level <= _HIGHEST and (level <= _LARGE or (whole % _STEP != 0).any()):
            return
    raise ColumnMismatch.at(
        where,
        f"prices are whole numbers such as {whole[0]:,}, which look like multiples of a "
        "small unit, and nothing in the file says which",
        hint="say it: --price-divisor 1000000000 for 1e-9 (1 if they are right as they stand)",
    )


def refuse_other_units(
    frame: pl.DataFrame,
    columns: Mapping[str, str],
    written: NumberFormat,
    where: str,
) -> None:
    """Raises:
    ColumnMismatch: a column of money beside it shows that the volume is in lots, or is money too.
    """
    if "volume" not in columns:
        return
    free = [name for name in frame.columns if name not in columns.values()]
    own = columns["volume"]
    fields = ", ".join(name for name in free if fold(name) in _CAPITAL)
    if fields:
        raise ColumnMismatch.at(
            where,
            f"column {own!r} stands beside {fields!r}: such files have the volume in money",
            column=own,
            hint=f"leave it out: --column volume=-; or if it is in units: --column volume={own!r}",
        )
    head = frame.head(_SAMPLE)
    prices = pl.DataFrame([_floats(head[columns[n]], written).alias(n) for n in bars.PRICES])
    volume = _floats(head[own], written)
    for name in (name for name in free if fold(name) in _MONEY):
        money = _floats(head[name], written)
        if _is_copy(volume, money):
            raise ColumnMismatch.at(
                where,
                f"column {own!r} is equal to {name!r}, which is money by its name",
                column=own,
                hint=f"leave it out: --column volume=-; or if it is in units: "
                f"--column volume={own!r}",
            )
        power = _power(money / volume, prices)
        if power == 0:
            continue
        if _power(volume / money, prices) == 0:
            raise ColumnMismatch.at(
                where,
                f"column {own!r} is {name!r} times the price: it is money, and {name!r} is in "
                "units traded",
                column=own,
                hint=f"say which: --column volume={name!r}, or --column volume={own!r} as it is",
            )
        if power is not None:
            raise ColumnMismatch.at(
                where,
                f"column {name!r} is {_times(power)} the money that {own!r} units come to at the "
                "bars' prices: one of them is in larger units, such as lots of 100",
                column=own,
                hint="say it: --volume-factor 100 for lots of 100 (1 if the volume is right)",
            )


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


def _floats(raw: pl.Series, written: NumberFormat) -> pl.Series:
    return numbers.to_float(numbers.unformatted(raw, written)).fill_nan(None)


def _times(power: int) -> str:
    return f"{10**power:,} times" if power > 0 else f"1/{10**-power:,} of"

"""Numbers that stand for others: prices in small units."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import polars as pl

from loader import bars
from loader.bars import numbers
from loader.bars.numbers import NumberFormat
from loader.errors import ColumnMismatch

#: No price in whole units of a currency is usually above this; 1.00 in 1e-9 units is ten times it.
_HIGHEST: Final = 100_000_000
#: Prices above ten million that all are multiples of this: 0.0505 in 1e-9 units is 505 of them.
LARGE, _STEP = 10_000_000, 100_000
_SAMPLE: Final = 1_000


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
        plain = numbers.unformatted(raw, written)
        if (numbers.to_float(plain) % 1 != 0).any():  # as mostly
            return
        whole = numbers.to_count(plain).drop_nulls()
        if not len(whole) or len(whole) < len(raw.drop_nulls()):
            return
        level = int(whole.abs().cast(pl.Float64).median() or 0)  # type: ignore[arg-type]
        if level <= _HIGHEST and (level <= LARGE or (whole % _STEP != 0).any()):
            return
    raise ColumnMismatch.at(
        where,
        f"prices are whole numbers such as {whole[0]:,}, which look like multiples of a "
        "small unit, and nothing in the file says which",
        hint="say it: --price-divisor 1000000000 for 1e-9 (1 if they are right as they stand)",
    )

"""Numbers of files as exact decimals: by their digits, never through a float."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import Final

import polars as pl

from loader.bars import numbers
from loader.bars.numbers import NumberFormat
from loader.bars.words import constant
from loader.lazy import dataclass

#: Digits of a decimal128.
_MOST: Final = 38
_NUMBER: Final = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
_EXPONENT: Final = "[eE]"


@dataclass(frozen=True, slots=True)
class Exact:
    """`values`: Decimal(precision, scale), null where a cell is empty or one of the faults is true.
    `unparsable`: the cell is no number. `too_large`: its digits before the point do not fit.
    `rounded`: it has more decimals than `scale`; rounded once, half away from zero, as PostgreSQL
    rounds a numeric."""

    values: pl.Series
    unparsable: pl.Series
    too_large: pl.Series
    rounded: pl.Series


def exact(raw: pl.Series, precision: int, scale: int, written: NumberFormat) -> Exact:
    """The cells of `raw` as decimals. Text counts by its digits, a decimal too; a float by its
    shortest text, which is what its writer meant. Words such as NaN and N/A are empty."""
    if numbers.is_text(raw.dtype):
        raw = numbers.unformatted(raw, written)
    plain = raw.cast(pl.String)
    if (quick := _quick(plain, precision, scale)) is not None:
        return quick
    text = numbers.without_missing(raw).cast(pl.String).str.strip_chars()
    text = text.set((text == "").fill_null(False), None)
    fits = text.str.contains(_NUMBER).fill_null(False)
    unparsable = text.is_not_null() & ~fits
    text = text.set(unparsable, None)
    powers = text.str.contains(_EXPONENT).fill_null(False)
    if powers.any():  # few, so that Python may write them out
        whole = [_plain(cell) for cell in text.filter(powers)]
        text = text.scatter(powers.arg_true(), pl.Series(whole, dtype=pl.String))
    wide = text.str.replace(rf"^([+-]?[0-9]*\.?[0-9]{{0,{scale}}}).*$", "$1")
    wide = wide.str.replace(r"^([+-]?)\.?$", "${1}0")  # no digit is left of .0000000001
    found = wide.cast(pl.Decimal(_MOST, scale), strict=False)
    after = text.str.extract(rf"\.[0-9]{{{scale}}}([0-9]+)$", 1)
    up = (after.str.slice(0, 1) >= "5").fill_null(False)
    if up.any():
        away = pl.when(text.str.starts_with("-")).then(-1).otherwise(1)
        step = pl.DataFrame([up.alias("up")]).select(
            pl.when("up").then(away).otherwise(0).cast(pl.Decimal(_MOST, 0))
            * pl.lit(Decimal(1).scaleb(-scale), pl.Decimal(_MOST, scale))
        )
        found = found + step.to_series().cast(pl.Decimal(_MOST, scale))
    values = found.cast(pl.Decimal(precision, scale), strict=False)
    rounded = after.str.contains("[1-9]").fill_null(False) & values.is_not_null()
    return Exact(values, unparsable, text.is_not_null() & values.is_null(), rounded)


def _quick(text: pl.Series, precision: int, scale: int) -> Exact | None:
    """The same, if each cell is null or a number that the column keeps as it stands."""
    simple = rf"^[+-]?[0-9]+(?:\.[0-9]{{0,{scale}}})?$"
    if not text.str.contains(simple).all():  # ignores nulls
        return None
    values = text.cast(pl.Decimal(precision, scale), strict=False)
    if values.null_count() > text.null_count():
        return None
    no = constant(False, len(text), pl.Boolean())
    return Exact(values, no, no, no)


def _plain(cell: str) -> str:
    """A number without its exponent; of one far too large a number that is too large as well."""
    number = Decimal(cell)
    if number and number.adjusted() > _MOST:
        return "9" * (_MOST + 1)
    with localcontext() as context:
        context.prec = 2 * _MOST + len(cell)
        least = Decimal(1).scaleb(-_MOST)
        if number.adjusted() < -_MOST:  # nothing is left of it in any column
            return "0"
        exponent = number.as_tuple().exponent
        if isinstance(exponent, int) and exponent < -_MOST:
            number = number.quantize(least, ROUND_HALF_UP)
        return format(number, "f")

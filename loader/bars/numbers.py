"""Converts the numbers of files to float64 or int64, each once and correctly rounded."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field
from types import MappingProxyType
from typing import Final

import polars as pl

from loader.bars.words import constant
from loader.lazy import dataclass

#: 1.2E+09, as spreadsheets write large counts. From 2^53 on a float may stand for two of them.
_EXPONENT: Final = r"^[+-]?[0-9]+(\.[0-9]+)?[eE]\+?[0-9]+$"
_EXACT: Final = 2.0**53
#: Words for a value that is not known, as pandas, R, JavaScript, SQL and spreadsheets write it.
_MISSING: Final = (
    "nan", "na", "n/a", "#n/a", "#na", "<na>", "n.a.", "nil", "null", "none", "undefined", r"\n",
    "-", "--", "\u2013", "\u2014", ".", "-nan", "+nan",
)  # fmt: skip
#: What may stand between a number and a currency.
_BLANK: Final = r"[ \u00a0\u202f]"
#: Cells that are looked at before all are.
_GLANCE: Final = 100


@dataclass(frozen=True, slots=True)
class NumberFormat:
    """How a file writes numbers for people; by default as `to_float` reads them.

    Attributes:
        grouping: stands between groups of three digits: `,` in 7,278.20.
        decimal: stands before the fraction: `,` in 7.278,20.
        currency: may stand before the number, behind its sign: `$` in $191.38.
        unit: may stand behind the number, also after a blank: `€` in 20,00 €.
        suffixes: letters that may follow, and the power of ten that each is: `M`, 6 in 190.28M.
        empty: cells that stand for a missing value: `-`, `N/A`.
    """

    grouping: str = ""
    decimal: str = "."
    currency: str = ""
    unit: str = ""
    suffixes: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    empty: tuple[str, ...] = ()

    @property
    def pattern(self) -> str:
        """A number written like this, in full."""
        grouping, decimal = re.escape(self.grouping), re.escape(self.decimal)
        indian = f"[0-9]{{1,2}}(?:{grouping}[0-9]{{2}})+{grouping}[0-9]{{3}}|"  # 12,34,567
        grouped = f"[0-9]{{1,3}}(?:{grouping}[0-9]{{3}})+|{indian}" if self.grouping else ""
        currency = f"(?:{re.escape(self.currency)}{_BLANK}*)?" if self.currency else ""
        unit = f"(?:{_BLANK}*{re.escape(self.unit)})?" if self.unit else ""
        suffix = "|".join(map(re.escape, self.suffixes))
        power = f"(?:[eE][+-]?[0-9]+{f'|{suffix}' if suffix else ''})?"
        return f"^[+-]?{currency}(?:{grouped}[0-9]+)(?:{decimal}[0-9]*)?{power}{unit}$"


PLAIN: Final = NumberFormat()


def is_number(dtype: pl.DataType) -> bool:
    """Whether a column of `dtype` can hold prices or volumes; text can, booleans cannot."""
    return dtype.is_numeric() or is_text(dtype) or dtype == pl.Null


def is_text(dtype: pl.DataType) -> bool:
    return isinstance(dtype, pl.String | pl.Categorical | pl.Enum)


def unformatted(raw: pl.Series, written: NumberFormat) -> pl.Series:
    """The cells of text as `to_float` reads them, digit for digit: `$1,234.5` is `1234.5`,
    `190.28M` is `190.28e6`, an `empty` one null. Other text stays as it is.
    """
    if written == PLAIN or not is_text(raw.dtype):
        return raw
    text = raw.cast(pl.String)
    if written.decimal == ".":  # most need no more than the currency taken off, if that
        bare = text.str.strip_prefix(written.currency).str.strip_suffix(written.unit)
        if _are_numbers(bare.head(_GLANCE)) and _are_numbers(bare):
            return bare
    fits = text.str.contains(written.pattern)
    if not fits.all():  # few files have blanks around a number, or cells without one
        text = text.str.strip_chars()
        text = text.set(text.is_in(written.empty).fill_null(False), None)
        fits = text.str.contains(written.pattern)
    bare = text
    for mark in filter(None, (written.grouping, written.currency, written.unit)):
        bare = bare.str.replace_all(mark, "", literal=True)
    if written.currency or written.unit:
        bare = bare.str.replace_all(_BLANK, "")
    for suffix, exponent in written.suffixes.items():
        if bare.str.ends_with(suffix).any():
            bare = bare.str.replace(f"{re.escape(suffix)}$", f"e{exponent}")
    if written.decimal != ".":
        bare = bare.str.replace(written.decimal, ".", literal=True)
        text = text.str.replace_all(".", written.decimal, literal=True)  # a point would be wrong
    return bare if fits.all() else bare.zip_with(fits.fill_null(False), text)


def without_currency(raw: pl.Series, written: NumberFormat) -> pl.Series:
    """The cells of text, trimmed, without the currency and the unit."""
    text = raw.cast(pl.String).str.strip_chars()
    for mark in filter(None, (written.currency, written.unit)):
        text = text.str.replace(f"{_BLANK}*{re.escape(mark)}{_BLANK}*", "")
    return text


def _are_numbers(text: pl.Series) -> bool:
    """Whether all of the cells are digits with a point and an exponent at most, or null."""
    number = text.cast(pl.Float64, strict=False)
    return number.null_count() == text.null_count() and not text.str.contains("^[^0-9]").any()


def to_float(raw: pl.Series) -> pl.Series:
    """Float64, null where a cell is empty or not a number.

    Text is what Python's `float` reads, in ASCII digits and without `_`: a sign, an exponent,
    blanks around it, `inf` and `nan` (which the rules reject). Integers above 2^53 and decimals get
    the nearest float64; float32 is widened as it stands.
    """
    if not is_text(raw.dtype):
        return raw.cast(pl.Float64, strict=False)
    text = raw.cast(pl.String)
    number = text.cast(pl.Float64, strict=False)
    if number.null_count() > text.null_count():  # Polars takes no blanks around a number
        number = text.str.strip_chars().cast(pl.Float64, strict=False)
    return number


def scaled(raw: pl.Series, exponent: int) -> pl.Series:
    """`to_float` of each cell times ten to `exponent`; text and integers are rounded once.

    Text gets the exponent appended. Integers up to 2^53 and ten to the 22nd are exact as floats, so
    that one division rounds once; larger integers go through text.
    """
    if exponent == 0:
        return to_float(raw)
    if is_text(raw.dtype):
        text = raw.cast(pl.String).str.strip_chars()
        own = text.str.contains("[eE]").fill_null(False)
        number = to_float(text.set(own, None) + f"e{exponent}")
        return number.zip_with(~own, _product(to_float(text), exponent)) if own.any() else number
    if raw.dtype.is_integer() and not _exact(raw):
        return scaled(raw.cast(pl.String), exponent)
    return _product(to_float(raw), exponent)


def _exact(integers: pl.Series) -> bool:
    """Whether all of them are exact as floats."""
    limit = int(_EXACT)
    return bool(integers.cast(pl.Int128).is_between(-limit, limit).all())


def _product(number: pl.Series, exponent: int) -> pl.Series:
    if exponent > 0:
        return number * 10.0**exponent
    # by a column: Polars multiplies by the inverse of a single divisor, and 3 / 10 is not 0.3 then
    return number / constant(10.0**-exponent, len(number), pl.Float64())


def to_count(raw: pl.Series) -> pl.Series:
    """Int64, null where a cell is empty, not a whole number, or beyond int64. 12.0 is 12."""
    if raw.dtype.is_float():
        number = raw.cast(pl.Float64)
        return number.set(number != number.floor(), None).cast(pl.Int64, strict=False)
    if not is_text(raw.dtype) and not raw.dtype.is_decimal():
        return raw.cast(pl.Int64, strict=False)
    text = raw.cast(pl.String).str.strip_chars()
    count = text.str.replace(r"\.0*$", "").cast(pl.Int64, strict=False)
    if count.null_count() == text.null_count():
        return count
    large = text.set(~text.str.contains(_EXPONENT), None).cast(pl.Float64, strict=False)
    return count.fill_null(to_count(large.set(large.abs() >= _EXACT, None)))


def without_missing(raw: pl.Series) -> pl.Series:
    """`raw` with null where a cell only says that there is no value: NaN, `NA`, `null`, `-`."""
    if raw.dtype.is_float():
        return raw.fill_nan(None)
    if not is_text(raw.dtype):
        return raw
    words = raw.cast(pl.String).str.strip_chars().str.to_lowercase()
    missing = words.is_in(_MISSING).fill_null(False)
    return raw.set(missing, None) if missing.any() else raw


def unparsable(raw: pl.Series, parsed: pl.Series) -> pl.Series:
    """True where a cell is not empty and `parsed` is null."""
    if parsed.null_count() == raw.null_count():
        return constant(False, len(raw), pl.Boolean())
    lost = parsed.is_null() & raw.is_not_null()
    return lost & ~is_blank(raw)


def is_blank(raw: pl.Series) -> pl.Series:
    """True where a cell holds nothing but blanks; never for numbers and times. Null is null."""
    if not is_text(raw.dtype):
        return constant(False, len(raw), pl.Boolean())
    return raw.cast(pl.String).str.strip_chars() == ""

"""Numbers as files have them, to float64 or int64, each converted once and correctly rounded."""

from __future__ import annotations

from typing import Final

import polars as pl

from loader.distinct import constant

#: 1.2E+09, as spreadsheets write large counts.
_EXPONENT: Final = r"^[+-]?[0-9]+(\.[0-9]+)?[eE]\+?[0-9]+$"
_EXACT: Final = 2.0**53


def is_number(dtype: pl.DataType) -> bool:
    """Whether a column of `dtype` can hold prices or volumes; text can, booleans cannot."""
    return dtype.is_numeric() or is_text(dtype) or dtype == pl.Null


def is_text(dtype: pl.DataType) -> bool:
    return isinstance(dtype, pl.String | pl.Categorical | pl.Enum)


def to_float(raw: pl.Series) -> pl.Series:
    """Float64, null where a cell is empty or no number.

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


def to_count(raw: pl.Series) -> pl.Series:
    """Int64, null where a cell is empty, no whole number, or beyond int64. 12.0 is 12."""
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
    return count.fill_null(to_count(large.set(large.abs() > _EXACT, None)))


def unparsable(raw: pl.Series, parsed: pl.Series) -> pl.Series:
    """True where a cell has something in it and `parsed` has nothing."""
    if parsed.null_count() == raw.null_count():
        return constant(False, len(raw), pl.Boolean())
    lost = parsed.is_null() & raw.is_not_null()
    return lost & ~is_blank(raw)


def is_blank(raw: pl.Series) -> pl.Series:
    """True where a cell holds nothing but blanks; never for numbers and times. Null is null."""
    if not is_text(raw.dtype):
        return constant(False, len(raw), pl.Boolean())
    return raw.cast(pl.String).str.strip_chars() == ""

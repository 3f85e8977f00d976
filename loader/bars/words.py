"""A column has few distinct words and many rows: work on the words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Final

import polars as pl

_FORMULA: Final = r'^\s*="([^"]*)"\s*$'
_APOSTROPHE: Final = r"^\s*'([^']+)$"


@dataclass(frozen=True, slots=True)
class Words:
    """A column and its `distinct` values, in any order; null is a value too."""

    rows: pl.Series
    distinct: pl.Series

    @staticmethod
    def of(rows: pl.Series) -> Words:
        """The words of `rows`. Most rows repeat the one before; only the others are compared."""
        return Words(rows, rows.filter(changes([rows])).unique())

    @staticmethod
    def all(word: str | None, height: int) -> Words:
        """One word in every row."""
        rows = constant(word, height, pl.String())
        return Words(rows, rows[:1])

    def each(self, transform: Callable[[pl.Series], pl.Series]) -> pl.Series:
        """`transform(rows)` for an element-wise transform, computed once per word.

        Returns `rows` itself, uncopied, if the transform changes nothing.
        """
        return self.to(transform).rows

    def to(self, transform: Callable[[pl.Series], pl.Series]) -> Words:
        """`each`, with the distinct words of the result."""
        rows = self.rows
        if len(self.distinct) == len(rows):
            meanings = transform(rows)
            return Words(meanings, meanings.unique())
        meanings = transform(self.distinct)
        if meanings.dtype == rows.dtype and meanings.equals(self.distinct, null_equal=True):
            return self
        words = meanings.unique()
        if len(words) == 1:
            return Words(words.new_from_index(0, len(rows)).alias(rows.name), words)
        dtype = meanings.dtype
        return Words(rows.replace_strict(self.distinct, meanings, return_dtype=dtype), words)


def changes(columns: Sequence[pl.Series]) -> pl.Series:
    """The first row, and where a row differs from the one before it in any of the columns. Null is
    a value like others."""
    first = pl.Series([True])[: len(columns[0])]
    return pl.concat([first, reduce(or_, map(_differs, columns))])


def _differs(column: pl.Series) -> pl.Series:
    """Whether each row but the first differs from the one before it."""
    now, before = column[1:], column[:-1]
    return now.ne_missing(before) if column.null_count() else now != before


def unprotected(text: pl.Series) -> pl.Series:
    """Text without the marks that keep a spreadsheet from reading it as a number: `="0050"` and
    `'0050` are both `0050`."""
    return text.str.replace(_FORMULA, "$1").str.replace(_APOSTROPHE, "$1")


def is_protected(text: pl.Series) -> bool:
    """Whether a cell among the first few has such a mark."""
    return bool(text.head(100).str.contains(f"{_FORMULA}|{_APOSTROPHE}").any())


def by_distinct(values: pl.Series, transform: Callable[[pl.Series], pl.Series]) -> pl.Series:
    """`transform(values)` for an element-wise transform, computed once per distinct value."""
    return Words.of(values).each(transform)


def constant(value: object, height: int, dtype: pl.DataType) -> pl.Series:
    """A column of one value; for small ones ten times as fast as `pl.repeat`."""
    return pl.Series([value], dtype=dtype).new_from_index(0, height)

"""A column has few distinct words and many rows: work on the words."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from functools import reduce
from operator import or_
from typing import Final

import polars as pl

from loader.lazy import dataclass

_FORMULA: Final = r'^\s*="([^"]*)"\s*$'
_APOSTROPHE: Final = r"^\s*'([^']+)$"
_MARKS: Final = ("=", "'")
#: Rows of which all distinct values are found sooner than where one of them ends.
_FEW: Final = 10_000
#: What single words mean under the keys of `Words.to`, at most so many.
_MEANINGS: Final[dict[Hashable, pl.Series]] = {}
_REMEMBERED: Final = 5_000
_LONGEST: Final = 100


@dataclass(frozen=True, slots=True)
class Words:
    """A column and its `distinct` values, in any order; null is a value too."""

    rows: pl.Series
    distinct: pl.Series

    @staticmethod
    def of(rows: pl.Series) -> Words:
        """The words of `rows`. Most rows repeat the one before; only the others are compared."""
        if len(rows) <= _FEW and rows.n_unique() == 1:
            return Words(rows, rows[:1])
        return Words(rows, rows.filter(changes([rows])).unique())

    @staticmethod
    def all(word: str | None, height: int) -> Words:
        """One word in every row."""
        rows = constant(word, height, pl.String())
        return Words(rows, rows[:1])

    def each(
        self, transform: Callable[[pl.Series], pl.Series], key: Hashable | None = None
    ) -> pl.Series:
        """`transform(rows)` for an element-wise transform, computed once per word.

        Returns `rows` itself, uncopied, if the transform changes nothing.
        """
        return self.to(transform, key).rows

    def to(self, transform: Callable[[pl.Series], pl.Series], key: Hashable | None = None) -> Words:
        """`each`, with the distinct words of the result.

        A `key` says that transforms of an equal key give equal results: the files of a load have
        the same providers and intervals, and each file asks for its symbol several times.
        """
        rows = self.rows
        if len(self.distinct) == len(rows) != 1:
            meanings = transform(rows)
            return Words(meanings, meanings.unique())
        meanings = _meanings(transform, self.distinct, key)
        if meanings.dtype == rows.dtype and meanings.equals(self.distinct, null_equal=True):
            return self
        words = meanings if len(meanings) == 1 else meanings.unique()
        if len(words) == 1:
            return Words(words.new_from_index(0, len(rows)).alias(rows.name), words)
        dtype = meanings.dtype
        return Words(rows.replace_strict(self.distinct, meanings, return_dtype=dtype), words)


def _meanings(
    transform: Callable[[pl.Series], pl.Series], words: pl.Series, key: Hashable | None
) -> pl.Series:
    """`transform(words)`, which is looked up if it was made of the same single word before."""
    word = words[0] if key is not None and len(words) == 1 and words.dtype == pl.String else ""
    if key is None or word == "" or len(word or "") > _LONGEST:
        return transform(words)
    found = _MEANINGS.get((key, word))
    if found is None:
        if len(_MEANINGS) >= _REMEMBERED:
            _MEANINGS.clear()
        found = _MEANINGS[key, word] = transform(words)
    return found


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
    first = text.head(100)
    if not any(cell is not None and cell.lstrip()[:1] in _MARKS for cell in first):
        return False  # twenty times as fast as a query
    return bool(first.str.contains(f"{_FORMULA}|{_APOSTROPHE}").any())


def by_distinct(values: pl.Series, transform: Callable[[pl.Series], pl.Series]) -> pl.Series:
    """`transform(values)` for an element-wise transform, computed once per distinct value."""
    return Words.of(values).each(transform)


def constant(value: object, height: int, dtype: pl.DataType) -> pl.Series:
    """A column of one value; for small ones ten times as fast as `pl.repeat`."""
    return pl.Series([value], dtype=dtype).new_from_index(0, height)

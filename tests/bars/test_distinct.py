"""A transform of a column's distinct words equals the transform of each row."""

from __future__ import annotations

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from loader.bars.words import Words, by_distinct, changes

COLUMNS = st.lists(st.sampled_from(["a", "A", "b", "", " a", None]), max_size=12)


def upper(words: pl.Series) -> pl.Series:
    return words.str.to_uppercase()


def is_blank(words: pl.Series) -> pl.Series:
    return words.str.strip_chars() == ""


@given(COLUMNS)
def test_as_row_by_row(cells: list[str | None]) -> None:
    column = pl.Series("c", cells, dtype=pl.String)
    words = Words.of(column)
    assert sorted(words.distinct, key=str) == sorted(set(cells), key=str)
    raised = words.to(upper)
    assert raised.rows.to_list() == [cell and cell.upper() for cell in cells]
    assert sorted(raised.distinct, key=str) == sorted({c and c.upper() for c in cells}, key=str)
    blank = [None if cell is None else cell == "" for cell in cells]
    assert by_distinct(column, is_blank).to_list() == blank
    assert raised.each(is_blank).to_list() == blank


def test_what_changes_nothing_copies_nothing() -> None:
    column = pl.Series("c", ["A", "A", None])
    assert Words.of(column).to(upper).rows is column


def test_one_word_in_every_row() -> None:
    assert Words.all("a", 3).to(upper).rows.to_list() == ["A", "A", "A"]
    assert Words.all(None, 2).to(upper).rows.to_list() == [None, None]
    assert Words.all("a", 0).to(upper).rows.to_list() == []


@given(st.lists(st.tuples(st.sampled_from(["a", "b", None]), st.sampled_from(["x", "y"]))))
def test_changes_from_row_to_row(rows: list[tuple[str | None, str]]) -> None:
    columns = [pl.Series([row[n] for row in rows], dtype=pl.String) for n in range(2)]
    expected = [at == 0 or row != rows[at - 1] for at, row in enumerate(rows)]
    assert changes(columns).to_list() == expected


@given(st.sampled_from(["a", " A", "", None]), st.integers(1, 3))
def test_what_is_remembered_of_a_word_is_what_it_means(word: str | None, rows: int) -> None:
    """Two transforms under keys of their own, each asked twice: nothing is mixed up."""
    column = pl.Series("c", [word] * rows, dtype=pl.String)
    for _ in range(2):
        words = Words.of(column)
        assert words.to(upper, "upper").rows.to_list() == [word and word.upper()] * rows
        assert (
            words.each(is_blank, "blank").to_list() == [None if word is None else word == ""] * rows
        )
        assert words.to(upper, "upper").rows.name == "c"

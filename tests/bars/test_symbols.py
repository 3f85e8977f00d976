"""Symbol conventions."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loader.bars import names
from loader.bars.conventions import CONVENTIONS
from loader.bars.names import symbols, unreadable
from loader.bars.words import Words, unprotected


def plain(*spellings: str | None) -> list[str | None]:
    words = Words.of(pl.Series(spellings, dtype=pl.String))
    return symbols(words, "plain").rows.to_list()


@pytest.mark.parametrize(
    ("spelling", "symbol"),
    [
        ("AAPL", "AAPL"),
        (" aapl ", "AAPL"),
        ("\tbrk.b\u00a0", "BRK.B"),
        ("BTC/usd", "BTC/USD"),
        ("^gspc", "^GSPC"),
        ("CL=F", "CL=F"),
        ("600000", "600000"),
        ("nan", "NAN"),
        ("1e5", "1E5"),
        ("AAPL  250221C00250000", "AAPL  250221C00250000"),
        ("straße", "STRASSE"),
        ("ǆ", "Ǆ"),
        ("ŉ", "\u02bcN"),
        (None, None),
    ],
)
def test_plain(spelling: str | None, symbol: str | None) -> None:
    assert plain(spelling, "X", spelling) == [symbol, "X", symbol]


@given(st.lists(st.text(), max_size=10))
def test_plain_equals_its_upper_case_under_any_collation(spellings: list[str]) -> None:
    """PostgreSQL's upper() maps ASCII only under C, and all letters under ICU; both must agree."""
    once = plain(*spellings)
    assert plain(*once) == once
    for symbol in once:
        assert symbol is not None
        assert not any("a" <= character <= "z" for character in symbol)
        assert symbol == symbol.upper() or any(ord(c) > 127 for c in symbol)


def test_every_letter_of_unicode_is_settled_after_one_pass() -> None:
    letters = pl.Series([chr(c) for c in range(1, 0x110000) if not 0xD800 <= c < 0xE000])
    convert = CONVENTIONS["plain"]
    once = letters.to_frame("s").select(convert(pl.col("s"))).to_series()
    twice = once.to_frame("s").select(convert(pl.col("s"))).to_series()
    assert once.equals(twice)


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("AAPL", False),
        ("BRK B", False),
        ("RÉMY", False),
        ("A\0B", True),
        ("A\tB", True),
        ("A\u200bB", True),
        ("\ufeffAAPL", True),
        ("A\u2028", True),
        ("A\ufffd", True),
        (None, False),
    ],
)
def test_names_that_nobody_can_read(name: str | None, bad: bool) -> None:
    assert unreadable(Words.of(pl.Series([name, "X"]))).to_list() == [bad, False]


TEXT = st.text(alphabet="aZ1.=^'\" \t\x00\u00a0\u200b\ufffdé", max_size=5)


@given(st.lists(st.none() | TEXT | st.sampled_from(["AAPL", "BRK.B", '="0050"', "'0050"])))
def test_few_words_are_read_as_by_a_query(spellings: list[str | None]) -> None:
    words = pl.Series(spellings, dtype=pl.String)
    same = {
        "spelled": (names._spelled(words, "X"), names._filled(unprotected(words), "X")),
        "trimmed": (names.trimmed(Words.of(words)).rows, words.str.strip_chars()),
        "unreadable": (
            names._unreadable(words), words.str.contains(names._UNREADABLE).fill_null(False)
        ),
        "too_long": (names._too_long(words, 2), (words.str.len_chars() > 2).fill_null(False)),
    }  # fmt: skip
    for name, (found, expected) in same.items():
        assert found.to_list() == expected.to_list(), name

"""Numbers written for people, against Python's Decimal: the nearest float64 of the text."""

from __future__ import annotations

from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loader.bars.numbers import NumberFormat, is_blank, to_float, unformatted, unparsable

SITE = NumberFormat(grouping=",", currency="$", suffixes={"K": 3, "M": 6}, empty=("-", "N/A"))
GERMAN = NumberFormat(grouping=".", decimal=",")
amounts = st.decimals(-(10**12), 10**12, allow_nan=False, places=4)


def read(texts: list[str | None], written: NumberFormat) -> list[float | None]:
    return to_float(unformatted(pl.Series(texts, dtype=pl.String), written)).to_list()


@given(st.lists(amounts, max_size=20))
def test_groups_are_no_part_of_the_number(values: list[Decimal]) -> None:
    expected = [float(value) for value in values]
    assert read([f"{value:,}" for value in values], SITE) == expected
    assert read([str(value) for value in values], SITE) == expected
    swapped = str.maketrans(",.", ".,")
    assert read([f"{value:,}".translate(swapped) for value in values], GERMAN) == expected


@given(st.decimals(0, 10_000, places=2), st.sampled_from(["", "K", "M"]))
def test_a_suffix_is_a_power_of_ten(value: Decimal, suffix: str) -> None:
    power = {"": 0, "K": 3, "M": 6}[suffix]
    assert read([f"{value}{suffix}"], SITE) == [float(value.scaleb(power))]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("7,278.20", 7278.2), ("$191.38", 191.38), ("-$1,191.38", -1191.38), (" 19.28M ", 19.28e6),
        ("150.25K", 150250.0), ("3.60E-05", 3.6e-05), ("1.2E+09", 1.2e9), ("12", 12.0), (".5", 0.5),
        ("72,78.20", None), ("1,23", None), ("7278,200", None), ("1.5,000", None), ("12G", None),
        ("M", None), ("$", None), ("", None), ("1M2", None), ("$-", None),
    ],
)  # fmt: skip
def test_what_is_written_otherwise_is_no_number(text: str, number: float | None) -> None:
    assert read([text, None], SITE) == [number, None]


@pytest.mark.parametrize("text", ["7278.20", "1.5", "7.278.20", "7,278.2"])
def test_a_point_is_no_decimal_point_where_a_comma_is(text: str) -> None:
    assert read([text], NumberFormat(decimal=",")) == [None]
    assert read(["7278,20", "1,5E3"], NumberFormat(decimal=",")) == [7278.2, 1500.0]


def test_no_value_is_not_unreadable() -> None:
    raw = unformatted(pl.Series(["-", " N/A ", "", None, "n.a."]), SITE)
    assert unparsable(raw, to_float(raw)).to_list() == [False, False, False, False, True]
    assert is_blank(raw).to_list() == [None, None, True, None, False]


def test_other_than_text_stands_as_it_is() -> None:
    for raw in (pl.Series([1, 2]), pl.Series([1.5])):
        assert unformatted(raw, SITE) is raw
    text = pl.Series(["1,5"])
    assert unformatted(text, NumberFormat()) is text
    assert unformatted(pl.Series(["1,500"], dtype=pl.Categorical), SITE).to_list() == ["1500"]

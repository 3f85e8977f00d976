"""Whole numbers that may be prices in a small unit: refused only where they look like it."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loader import bars
from loader.bars.numbers import NumberFormat, to_count, to_float
from loader.check.layout.scales import chosen, refuse_fixed_point
from loader.errors import ColumnMismatch

COLUMNS = {name: name for name in bars.PRICES}


def frame(*prices: object) -> pl.DataFrame:
    return pl.DataFrame({name: list(prices) for name in bars.PRICES})


@pytest.mark.parametrize(
    "prices",
    [
        (100, 200),  # round and small
        (5_000_000, 6_000_000),  # round, up to ten million
        (20_000_001, 30_000_000),  # large, but not all round
        (185_640_000_000.5, 186_000_000_000.0),  # a fraction
        ("185.64", "186000000000"),
    ],
)
def test_numbers_that_are_prices(prices: tuple[object, ...]) -> None:
    refuse_fixed_point(frame(*prices), COLUMNS, NumberFormat(), "a.csv")


@pytest.mark.parametrize(
    "prices",
    [
        (185_640_000_001, 186_000_000_001),  # above a hundred million
        (20_000_000, 30_000_000),  # above ten million, and all round
        ("185640000000", "186000000000"),
        (-37_630_000_000, -40_320_000_000),
    ],
)
def test_numbers_in_a_small_unit(prices: tuple[object, ...]) -> None:
    with pytest.raises(ColumnMismatch, match="multiples of a small unit") as refused:
        refuse_fixed_point(frame(*prices), COLUMNS, NumberFormat(), "a.csv")
    assert "--price-divisor" in str(refused.value.hint)


def test_the_person_s_zero_precedes_the_dialect_s_exponent() -> None:
    """`--price-divisor 1` says that the prices are right as they are."""
    assert chosen(0, -9, "a.csv") == 0
    assert chosen(None, -9, "a.csv") == -9
    with pytest.raises(ColumnMismatch):
        chosen(None, None, "a.csv")


CELLS = st.sampled_from(
    [None, "", " ", "1", "1.0", "1.5", " 2.5 ", "1e3", "1.5e1", "1.25e1", "9007199254740993",
     "1e30", "nan", "inf", "x", "-1.5", "+7."]
)  # fmt: skip


@given(st.lists(CELLS, max_size=6))
def test_a_fraction_is_no_whole_number(cells: list[str | None]) -> None:
    """So that the first fraction shows that prices are not in a small unit."""
    raw = pl.Series(cells, dtype=pl.String)
    for column in (raw, to_float(raw)):
        if (to_float(column) % 1 != 0).any():
            assert len(to_count(column).drop_nulls()) < len(column.drop_nulls())

"""Numbers of every dtype, against Python's own float, int and Decimal."""

from __future__ import annotations

import math
import re
import struct
from decimal import Decimal, localcontext

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from loader.bars import numbers
from loader.bars.numbers import is_blank, is_number, to_count, to_float, unparsable

#: Numbers allowed in text: Python's, in ASCII and without underscores.
ASCII_NUMBER = re.compile(r"[ \t\n\r]*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?[ \t\n\r]*")


def same(got: float | None, expected: float) -> bool:
    """Bit for bit, so that -0.0 is not 0.0."""
    return got is not None and struct.pack("<d", got) == struct.pack("<d", expected)


@st.composite
def halfway(draw: st.DrawFn) -> str:
    """Decimals exactly between two neighbouring floats, or very close to that."""
    low = draw(st.floats(min_value=1e-30, max_value=1e30))
    middle = (Decimal(low) + Decimal(math.nextafter(low, math.inf))) / 2
    text = f"{middle:f}"
    return text + draw(st.sampled_from(["", "0" * 30 + "1"])) if "." in text else text


decimal_text = st.decimals(allow_nan=False, allow_infinity=False).map(str)
plain_text = st.from_regex(
    r"[+-]?[0-9]{1,40}(\.[0-9]{0,40})?([eE][+-]?[0-9]{1,3})?", fullmatch=True
)


@given(st.lists(plain_text | halfway() | decimal_text | st.floats().map(repr), max_size=20))
@example(["2.47032822920623272e-324", "1.7976931348623159e308", "9007199254740993", "0.1"])
def test_text_is_what_python_reads(texts: list[str]) -> None:
    got = to_float(pl.Series(texts, dtype=pl.String))
    for text, value in zip(texts, got, strict=True):
        if math.isnan(float(text)):
            assert math.isnan(value)
        else:
            assert same(value, float(text)), text


@given(st.lists(st.text("0123456789+-._eExXnaif ,'$%\u0661", max_size=8), max_size=20))
def test_what_is_no_ascii_number_is_null(texts: list[str]) -> None:
    words = {"nan", "inf", "infinity"}
    for text, value in zip(texts, to_float(pl.Series(texts, dtype=pl.String)), strict=True):
        if ASCII_NUMBER.fullmatch(text):
            assert same(value, float(text)), text
        elif text.strip().lstrip("+-").lower() not in words:
            assert value is None, text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12.5", 12.5),
        ("+1", 1.0),
        (" 167761.49", 167761.49),
        ("\t8 ", 8.0),
        ("3.60E-05", 3.6e-05),
        ("1e+3", 1000.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("00012.50", 12.5),
        ("Infinity", math.inf),
        ("-inf", -math.inf),
        ("", None),
        ("  ", None),
        ("-", None),
        ("null", None),
        ("N/A", None),
        ("1,234.5", None),
        ("1 000", None),
        ("1_000", None),
        ("0x10", None),
        ("1f", None),
        ("1d5", None),
        ("$191.38", None),
        ("12%", None),
        ("true", None),
        ("\u0661", None),
        ("--1", None),
    ],
)
def test_forms_of_text(text: str, value: float | None) -> None:
    assert to_float(pl.Series([text]))[0] == value
    # the answer is the same beside a number that needs no trimming
    assert to_float(pl.Series(["1.5", text]))[1] == value


def test_text_nan_is_a_number_for_the_rules_to_reject() -> None:
    assert all(math.isnan(x) for x in to_float(pl.Series(["nan", "NaN", "-nan"])))


@given(st.data(), st.integers(min_value=0, max_value=30))
def test_decimals_are_rounded_once(data: st.DataObject, scale: int) -> None:
    unscaled = data.draw(st.lists(st.integers(-(10**37), 10**37), max_size=20))
    values = [Decimal(n).scaleb(-scale) for n in unscaled]
    got = to_float(pl.Series(values, dtype=pl.Decimal(38, scale)))
    assert got.to_list() == [float(value) for value in values]


@given(st.lists(halfway().map(Decimal), max_size=20), st.integers(min_value=0, max_value=25))
def test_decimals_near_halfway_are_rounded_once(near: list[Decimal], scale: int) -> None:
    one = Decimal(1).scaleb(-scale)
    values = [d.quantize(one) for d in near if d.adjusted() + scale < 25]
    values += [v + one for v in values]
    got = to_float(pl.Series(values, dtype=pl.Decimal(38, scale)))
    assert got.to_list() == [float(value) for value in values]


@pytest.mark.parametrize(
    ("dtype", "low", "high"),
    [
        (pl.Int8, -(2**7), 2**7 - 1),
        (pl.Int16, -(2**15), 2**15 - 1),
        (pl.Int32, -(2**31), 2**31 - 1),
        (pl.Int64, -(2**63), 2**63 - 1),
        (pl.Int128, -(2**127), 2**127 - 1),
        (pl.UInt8, 0, 2**8 - 1),
        (pl.UInt16, 0, 2**16 - 1),
        (pl.UInt32, 0, 2**32 - 1),
        (pl.UInt64, 0, 2**64 - 1),
    ],
)
@given(st.data())
def test_integers_of_any_width(
    dtype: pl.DataType, low: int, high: int, data: st.DataObject
) -> None:
    values = data.draw(st.lists(st.integers(low, high) | st.none(), max_size=20))
    got = to_float(pl.Series(values, dtype=dtype))
    assert got.to_list() == [None if v is None else float(v) for v in values]


@given(st.lists(st.floats(width=32), max_size=20))
def test_float32_is_widened_as_it_stands(values: list[float]) -> None:
    got = to_float(pl.Series(values, dtype=pl.Float32))
    assert all(
        same(g, v) or (math.isnan(g) and math.isnan(v)) for g, v in zip(got, values, strict=True)
    )


def test_float32_keeps_its_noise() -> None:
    assert to_float(pl.Series([31.95], dtype=pl.Float32)).to_list() == [31.950000762939453]


def test_categories_are_read_as_their_text() -> None:
    words = pl.Series(["1.5", "x", None, "1.5"])
    for dtype in (pl.Categorical, pl.Enum(["1.5", "x"])):
        assert to_float(words.cast(dtype)).to_list() == [1.5, None, None, 1.5]


def test_a_column_without_any_value() -> None:
    nothing = pl.Series([None, None])
    assert to_float(nothing).dtype == pl.Float64
    assert to_count(nothing).dtype == pl.Int64


@pytest.mark.parametrize(
    ("raw", "count"),
    [
        ("12", 12),
        (" 12 ", 12),
        ("12.0", 12),
        ("12.", 12),
        ("12.000000", 12),
        ("-3", -3),
        ("1.2E+09", 1_200_000_000),
        ("1e3", 1000),
        ("9223372036854775807", 2**63 - 1),
        ("9007199254740993.0", 9007199254740993),
        ("9223372036854775808", None),
        ("12.5", None),
        ("1.25E+01", None),
        ("9.007199254740991E+15", 2**53 - 1),
        ("9.007199254740992E+15", None),  # as a float this is 9.007199254740993E+15 too
        ("9.007199254740993E+15", None),
        ("1e400", None),
        ("1e19", None),
        ("nan", None),
        ("1,000", None),
        ("", None),
        ("NULL", None),
    ],
)
def test_counts_in_text(raw: str, count: int | None) -> None:
    assert to_count(pl.Series([raw])).to_list() == [count]
    assert to_count(pl.Series(["7", raw])).to_list() == [7, count]


@pytest.mark.parametrize(
    ("raw", "counts"),
    [
        (pl.Series([12.0, 12.5, math.nan, math.inf, 9.3e18, None, 2.0**62]),
         [12, None, None, None, None, None, 2**62]),
        (pl.Series([12.0, 0.5], dtype=pl.Float32), [12, None]),
        (pl.Series([2**63 - 1, 2**63, 2**64 - 1], dtype=pl.UInt64), [2**63 - 1, None, None]),
        (pl.Series([-(2**63)], dtype=pl.Int64), [-(2**63)]),
        (pl.Series([Decimal("12.00"), Decimal("12.50")], dtype=pl.Decimal(10, 2)), [12, None]),
        (pl.Series([3, None], dtype=pl.UInt8), [3, None]),
    ],
)  # fmt: skip
def test_counts_in_typed_columns(raw: pl.Series, counts: list[int | None]) -> None:
    got = to_count(raw)
    assert got.dtype == pl.Int64
    assert got.to_list() == counts


@given(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=20), st.sampled_from(["", ".0", ".000"]))
def test_counts_are_exact(values: list[int], tail: str) -> None:
    assert to_count(pl.Series([f"{v}{tail}" for v in values], dtype=pl.String)).to_list() == values


def test_unparsable_is_what_is_neither_empty_nor_read() -> None:
    raw = pl.Series(["1", "", " ", None, "x", "-"])
    assert unparsable(raw, to_float(raw)).to_list() == [False, False, False, False, True, True]
    typed = pl.Series([1.5, None, 2.0])
    assert unparsable(typed, to_count(typed)).to_list() == [True, False, False]


def test_blank_is_only_blanks() -> None:
    assert is_blank(pl.Series(["", " \t", "x", None])).to_list() == [True, True, False, None]
    assert is_blank(pl.Series([0, 1])).to_list() == [False, False]


@pytest.mark.parametrize(
    ("dtype", "fits"),
    [
        (pl.Float32(), True),
        (pl.UInt64(), True),
        (pl.Decimal(38, 9), True),
        (pl.String(), True),
        (pl.Categorical(), True),
        (pl.Null(), True),
        (pl.Boolean(), False),
        (pl.Date(), False),
        (pl.Duration("us"), False),
        (pl.Binary(), False),
        (pl.List(pl.Float64), False),
    ],
)
def test_which_types_can_be_numbers(dtype: pl.DataType, fits: bool) -> None:
    assert is_number(dtype) is fits


class TestScaled:
    @given(st.integers(-(2**63), 2**63 - 1), st.integers(-12, 6))
    def test_integers_are_rounded_once(self, value: int, exponent: int) -> None:
        exact = float(Decimal(value).scaleb(exponent))
        assert numbers.scaled(pl.Series([value]), exponent).to_list() == [exact]
        assert numbers.scaled(pl.Series([str(value)]), exponent).to_list() == [exact]

    @given(st.decimals(allow_nan=False, allow_infinity=False, places=9), st.integers(-12, 6))
    def test_text_is_rounded_once(self, value: Decimal, exponent: int) -> None:
        with localcontext(prec=100):
            exact = float(value.scaleb(exponent))
        assert numbers.scaled(pl.Series([f" {value:f} "]), exponent).to_list() == [exact]

    def test_text_that_has_an_exponent(self) -> None:
        scaled = numbers.scaled(pl.Series(["1.5e3", "2", "x", None, ""]), 2)
        assert scaled.to_list() == [150_000.0, 200.0, None, None, None]

"""The number format of a file, from its cells: decided where they leave no doubt, else asked."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loader.bars import number_format
from loader.bars.cells import number_format_of
from loader.bars.number_format import currencies, evidence
from loader.bars.numbers import NumberFormat, to_float, unformatted
from loader.errors import ColumnMismatch


def written(*columns: list[str]) -> NumberFormat | None:
    found = evidence([pl.Series(cells) for cells in columns])
    return NumberFormat() if found is None else found.written


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        ("$20.50", 20.5), ("-$20.50", -20.5), ("US$ 20.50", 20.5), ("R$ 1.020,50", 1020.5),
        ("20,50 €", 20.5), ("20.50 USD", 20.5), ("20.50GBp", 20.5), ("EUR 1,020.50", 1020.5),
        ("1\u00a0020,50\u00a0€", 1020.5), ("£1,020.50", 1020.5), ("20.50 kr", 20.5),
    ],
)  # fmt: skip
def test_a_currency_beside_the_prices(cell: str, number: float) -> None:
    prices = {name: [cell, cell.replace("2", "3"), ""] for name in ("open", "high", "low", "close")}
    frame = pl.DataFrame({**prices, "volume": ["1200", "900", ""]})
    columns = {name: name for name in frame.columns}
    made, notes = number_format_of(frame, columns, NumberFormat(), (None, None), "a.csv")
    assert notes[0].endswith("beside the prices is left out")
    read = to_float(unformatted(frame["close"], made)).to_list()
    assert (read[0], read[2]) == (number, None)
    assert read[1] is not None
    assert to_float(unformatted(frame["volume"], made)).to_list() == [1200, 900, None]


@pytest.mark.parametrize(
    ("asked", "number"), [((",", None), 20.5), ((".", None), 20_500), ((None, "."), 20.5)]
)
def test_a_currency_beside_prices_with_the_marks_that_a_person_names(
    asked: tuple[str | None, str | None], number: float
) -> None:
    """As the question of numbers such as 20,500 asks for."""
    prices = {name: ["20,500 €", "20,625 €"] for name in ("open", "high", "low", "close")}
    columns, frame = {name: name for name in prices}, pl.DataFrame(prices)
    with pytest.raises(ColumnMismatch, match="decimal or between thousands"):
        number_format_of(frame, columns, NumberFormat(), (None, None), "a.csv")
    made, notes = number_format_of(frame, columns, NumberFormat(), asked, "a.csv")
    assert notes == ("'€' beside the prices is left out",)
    assert to_float(unformatted(frame["close"], made))[0] == number


def test_a_volume_with_a_currency_is_money() -> None:
    prices = {name: ["$20.50", "$20.75"] for name in ("open", "high", "low", "close")}
    frame = pl.DataFrame({**prices, "volume": ["$1,200", "$900"]})
    columns = {name: name for name in frame.columns}
    with pytest.raises(ColumnMismatch, match="'volume' has a currency beside") as raised:
        number_format_of(frame, columns, NumberFormat(), (None, None), "a.csv")
    assert "--column volume=-" in str(raised.value.hint)


@pytest.mark.parametrize("cell", ["20.5 PCT", "20.5MIO", "20.5 BPS", "20.5%", "A20.5"])
def test_other_words_beside_numbers_are_no_currencies(cell: str) -> None:
    columns = {name: name for name in ("open", "high", "low", "close")}
    frame = pl.DataFrame({name: [cell] * 2 for name in columns})
    made, notes = number_format_of(frame, columns, NumberFormat(), (None, None), "a.csv")
    assert (made, notes) == (NumberFormat(), ())


def test_several_currencies() -> None:
    prices = {name: ["$20.50", "€20.50"] for name in ("open", "high", "low", "close")}
    columns = {name: name for name in prices}
    with pytest.raises(ColumnMismatch, match=r"in several currencies, '\$' and '€'"):
        number_format_of(pl.DataFrame(prices), columns, NumberFormat(), (None, None), "a.csv")


@pytest.mark.parametrize(
    ("columns", "decimal", "grouping"),
    [
        ([["16,60", "16"], ["58.100", "71.500"]], ",", "."),
        ([["16,6", "16,75"], ["1200", "900"]], ",", "."),
        ([["7.278,20"]], ",", "."),
        ([["2.593.000"]], ",", "."),
        ([["0,123", "0,456"]], ",", "."),
        ([["2,593.00", "986.40"], ["6,093,219"]], ".", ","),
        ([["12.25"], ["1,234", "999"]], ".", ","),
        ([["61.02"], ["12,34,567"]], ".", ","),
        ([["16"], ["4 865 421"]], ".", " "),
        ([["61,05"], ["4\u00a0865\u00a0421"]], ",", "\u00a0"),
        ([["61.05"], ["4'865'421"]], ".", "'"),
        ([["12.5", "13"], ["58.100"]], ".", ""),
        ([["12", "13"], ["58.100"]], ".", ""),
    ],
)
def test_a_format_that_the_cells_show(
    columns: list[list[str]], decimal: str, grouping: str
) -> None:
    assert written(*columns) == NumberFormat(decimal=decimal, grouping=grouping)


@pytest.mark.parametrize(
    "columns",
    [
        [["1,234", "2,345"]],
        [["110.123"], ["1,234"]],
        [["16"], ["58,100"]],
        [["16,60"], ["58.1"]],
        [["16,60", "16.60"]],
    ],
)
def test_cells_that_leave_doubt(columns: list[list[str]]) -> None:
    assert written(*columns) is None


def test_a_slip_among_many_does_not_change_the_format() -> None:
    cells = ["16.60"] * 200 + ["16,60"]
    assert written(cells) == NumberFormat(grouping=",")
    assert to_float(unformatted(pl.Series(cells), NumberFormat(grouping=",")))[-1] is None


@given(st.lists(st.decimals(0, 10**7, places=2), min_size=1, max_size=20))
def test_every_number_comes_back_in_either_format(values: list) -> None:  # type: ignore[type-arg]
    for marks, decimal in ((",.", "."), (".,", ",")):
        texts = [f"{v:,}".translate(str.maketrans(",.", marks)) for v in values]
        found = written(texts)
        assert found is not None
        assert found.decimal == decimal
        assert to_float(unformatted(pl.Series(texts), found)).to_list() == [*map(float, values)]


MONEY = st.sampled_from(
    [None, "", " ", "1.5", "1", "-2e3", "nan", "$1", "1 €", "1 EUR", "USD 1", "x"]
)


@given(st.lists(st.lists(MONEY, max_size=5), max_size=3))
def test_currencies_are_those_beside_most_numbers(columns: list[list[str | None]]) -> None:
    cells = pl.Series([c for column in columns for c in column if c and c.strip()], dtype=pl.String)
    currency, blanks = number_format._CURRENCY, number_format._BLANKS
    before = cells.str.extract(f"^[+-]?({currency}){blanks}[0-9]").drop_nulls().to_list()
    behind = cells.str.extract(f"[0-9]{blanks}({currency})$").drop_nulls().to_list()
    most = len(before) + len(behind) > len(cells) / 2
    expected = (list(dict.fromkeys(before)), list(dict.fromkeys(behind))) if most else ([], [])
    assert currencies([pl.Series(column, dtype=pl.String) for column in columns]) == expected

"""The number format of a file, from its cells: decided where they leave no doubt, else asked."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loader.bars.number_format import evidence
from loader.bars.numbers import NumberFormat, to_float, unformatted


def written(*columns: list[str]) -> NumberFormat | None:
    found = evidence([pl.Series(cells) for cells in columns])
    return NumberFormat() if found is None else found.written


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

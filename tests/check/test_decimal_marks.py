"""Decimal marks that a file leaves open, and hints that lead to a load."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from loader.check.instruments.lacks import Known
from loader.check.layout.decide import Layout, decide
from loader.check.normalise import normalise
from loader.errors import ColumnMismatch
from loader.read.batch import Location, RawBatch
from loader.settings import Meaning

SEMICOLONS = Known(delimiter=";")


def table(price: str, *volume: str, **columns: list[str]) -> RawBatch:
    ts = [f"2024-06-{day:02}" for day in range(3, 3 + len(volume))]
    prices = {name: [price] * len(ts) for name in ("open", "high", "low", "close")}
    frame = pl.DataFrame({"ts": ts, **prices, "volume": list(volume), **columns})
    return RawBatch(frame, Location("file.csv", 0, 1))


def layout(raw: RawBatch, known: Known = SEMICOLONS, **said: Any) -> Layout:
    meaning = Meaning(**{"provider": "demo", "symbol": "X", "interval": "1d", **said})
    return decide(raw, meaning, known=known)


def first(raw: RawBatch, **said: Any) -> tuple[float, float]:
    bars = normalise(raw, layout(raw, **said)).bars
    return bars["close"][0], bars["volume"][0]


@pytest.mark.parametrize("price", ["14", "14.250"])
def test_points_in_counts_between_semicolons_are_asked_about(price: str) -> None:
    raw = table(price, "2.750", "980", "31.004")
    with pytest.raises(
        ColumnMismatch, match=r"'2\.750' have a point, decimal or between"
    ) as raised:
        layout(raw)
    assert raised.value.hint == "say which: --decimal . or --thousands ."
    assert first(raw, decimal=".") == (float(price), 2.75)
    assert first(raw, thousands=".") == (float(price.replace(".", "")), 2750)
    with pytest.raises(ColumnMismatch, match="have a point, decimal or between"):
        layout(raw, Known(delimiter="\t"))
    assert layout(raw, Known(delimiter=",")).numbers.decimal == "."


@pytest.mark.parametrize(
    ("price", "volume", "read"),
    [
        ("14.25", ["2.750", "980"], (14.25, 2.75)),
        ("14,25", ["2.750", "980"], (14.25, 2750)),
        ("14", ["2.750", "0.125"], (14, 2.75)),
        ("14", ["2.750", "12750"], (14, 2.75)),
        ("141.125", ["7", "0"], (141.125, 7)),
        ("1.410,50", ["2.750", "980"], (1410.5, 2750)),
        ("1,4105E+3", ["2,75E+6", "1E+6"], (1410.5, 2_750_000)),
        ("9,5E+1", ["1000", "2000"], (95, 1000)),
    ],
)
def test_a_file_that_shows_its_marks(
    price: str, volume: list[str], read: tuple[float, float]
) -> None:
    assert first(table(price, *volume)) == read


def test_different_marks_in_prices_and_volume_have_a_way_out() -> None:
    raw = table("10.5", "1.230,00", "1.240,00")
    with pytest.raises(ColumnMismatch, match="have different decimal marks") as raised:
        layout(raw)
    assert str(raised.value.hint).endswith("without those columns: --column volume=-")
    assert normalise(raw, layout(raw, columns={"volume": "-"})).bars["close"][0] == 10.5
    with pytest.raises(ColumnMismatch, match=r"'10\.5', which have no ','") as raised:
        layout(raw, decimal=",")
    assert str(raised.value.hint).startswith("leave out --decimal")
    prices = table("10.5", "7", "8", open=["10,5", "10,25"])
    with pytest.raises(ColumnMismatch, match="have different decimal marks") as raised:
        layout(prices)
    assert raised.value.hint == "write all numbers of the file with one decimal mark"


def test_numbers_before_names() -> None:
    frame = pl.DataFrame({
        "key": ["2024-06-03", "2024-06-04"], "1. open": ["5", "6"], "2. high": ["9", "9"],
        "3a. low": ["4", "5"], "4. close": ["7", "8"], "5. volume": ["70", "80"],
    })  # fmt: skip
    found = layout(RawBatch(frame, Location("file.json", 0, 1)), Known())
    assert [found.columns[name] for name in ("open", "low", "volume")] == [
        "1. open", "3a. low", "5. volume"
    ]  # fmt: skip

"""Frames that name one symbol, or one bar, for rows that another column tells apart."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from loader.client.client import StoreClient
from loader.errors import ColumnMismatch
from tests.support.sql import fetch

SAID = {"provider": "p", "interval": "1d"}
PRICES = ("open", "high", "low", "close")
DAYS = [f"2024-07-0{day}" for day in range(1, 7)]


def frame(prices: list[float], **columns: list[Any]) -> pl.DataFrame:
    return pl.DataFrame(columns | dict.fromkeys(PRICES, prices))


def test_a_column_that_names_instruments(database_url: str) -> None:
    both = frame([10.0] * 6, coin=["KILO"] * 3 + ["LIMA"] * 3, date=DAYS)
    with StoreClient(database_url) as client:
        with pytest.raises(ColumnMismatch, match="'coin' tells several series apart") as raised:
            client.write_frame(both, symbol="KILO", **SAID)
        assert "drop the column" in str(raised.value.hint)
        assert client.write_frame(both.drop("coin"), symbol="KILO", **SAID).inserted == 6


def test_rows_of_one_bar(database_url: str) -> None:
    sides = frame([10.0, 11.0], side=["bid", "ask"], symbol=["LIMA"] * 2, date=DAYS[:1] * 2)
    with StoreClient(database_url) as client:
        with pytest.raises(ColumnMismatch, match="'side' tells apart"):
            client.write_frame(sides, **SAID)
        updates = sides.rename({"side": "remark"})  # says something of the row
        assert client.write_frame(updates, **SAID).inserted == 1
    assert fetch(database_url, "SELECT symbol, close FROM bars_ohlcv") == [("LIMA", 11.0)]

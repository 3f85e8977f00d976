"""Volumes in lots, thousands or money, which the columns beside them give away."""

from __future__ import annotations

import polars as pl
import pytest

from loader.check.layout.decide import decide
from loader.check.normalise import normalise
from loader.errors import ColumnMismatch
from loader.read.batch import Location, RawBatch
from loader.settings import Meaning

#: Prices around 20, 21 and 19; 30, 40 and 50 units were traded.
BARS = {
    "ts": ["2024-05-06", "2024-05-07", "2024-05-08"],
    "open": ["20", "21", "19"], "high": ["20.4", "21.3", "19.3"], "low": ["19.8", "20.7", "18.8"],
    "close": ["20.2", "20.9", "19.1"],
}  # fmt: skip
UNITS = ["30", "40", "50"]
MONEY = ["603", "840", "953"]  # at 20.1, 21.0 and 19.06


def table(**columns: list[str]) -> RawBatch:
    return RawBatch(pl.DataFrame({**BARS, **columns}), Location("file.csv", 0, 1))


def volumes(raw: RawBatch, **said: object) -> list[float | None]:
    meaning = Meaning(provider="demo", symbol="X", interval="1d", **said)  # type: ignore[arg-type]
    return normalise(raw, decide(raw, meaning)).bars["volume"].to_list()


def times(factor: float, values: list[str]) -> list[str]:
    return [f"{float(value) * factor:g}" for value in values]


@pytest.mark.parametrize(
    "name",
    ["Value Traded", "volCcyQuote", "quote_asset_vol", "turnover_usd", "dollar volume", "成交额",
     "trade_money", "Notional Value"],
)  # fmt: skip
def test_money_beside_units_is_no_doubt_and_beside_lots_is(name: str) -> None:
    assert volumes(table(volume=UNITS, **{name: MONEY})) == [30, 40, 50]
    lots = table(volume=UNITS, **{name: times(100, MONEY)})
    with pytest.raises(ColumnMismatch, match="is 100 times the money") as raised:
        volumes(lots)
    assert "--volume-factor 100 " in str(raised.value.hint)
    assert volumes(lots, volume_exponent=2) == [3000, 4000, 5000]
    with pytest.raises(ColumnMismatch, match=f"'volume' is equal to '{name}'"):
        volumes(table(volume=MONEY, **{name: MONEY}))


@pytest.mark.parametrize(
    ("units", "money"),
    [("volumefrom", "volumeto"), ("Volume BTC", "Volume USD"), ("volume_base", "volume_quote")],
)
def test_a_pair_of_volumes_of_which_one_is_the_money_of_the_other(units: str, money: str) -> None:
    assert volumes(table(**{money: MONEY, units: UNITS})) == [30, 40, 50]
    assert volumes(table(**{money: times(100, MONEY), units: UNITS})) == [None] * 3
    assert volumes(table(**{money: MONEY})) == [None] * 3
    said = {"columns": {"volume": money}, "volume_exponent": 0}
    assert volumes(table(**{money: MONEY, units: UNITS}), **said) == [603, 840, 953]
    assert volumes(table(**{money: MONEY, units: UNITS}), columns={"volume": "-"}) == [None] * 3


@pytest.mark.parametrize(
    "name", ["base_volume", "volCcyBase", "vol_base", "qty", "coins", "amount"]
)
def test_a_volume_in_money_beside_its_units(name: str) -> None:
    raw = table(volume=MONEY, **{name: UNITS})
    with pytest.raises(ColumnMismatch, match=f"it is money, and '{name}' is in units") as raised:
        volumes(raw)
    assert f"--column volume={name!r}" in str(raised.value.hint)
    assert volumes(raw, columns={"volume": name}) == [30, 40, 50]


def test_a_name_says_that_money_is_in_thousands() -> None:
    thousands = times(0.001, MONEY)
    assert volumes(table(volume=UNITS, **{"turnover (thousands)": thousands})) == [30, 40, 50]
    with pytest.raises(ColumnMismatch, match="is 1/1,000 of the money") as raised:
        volumes(table(volume=UNITS, turnover=thousands))
    assert str(raised.value.hint).startswith("say it: --volume-factor 1 if the volume is right")
    assert volumes(table(volume=UNITS, turnover=thousands), volume_exponent=0) == [30, 40, 50]
    lots = table(volume=UNITS, **{"turnover (thousands)": times(0.1, MONEY)})
    with pytest.raises(ColumnMismatch, match="by its name times 1e3, is 100 times") as raised:
        volumes(lots)
    assert "--volume-factor 100 " in str(raised.value.hint)


def test_a_name_in_japanese_says_millions() -> None:
    millions = {"売買代金(百万円)": times(1e-6, MONEY)}
    assert volumes(table(volume=UNITS, **millions)) == [30, 40, 50]
    with pytest.raises(ColumnMismatch, match="is 1,000 times the money") as raised:
        volumes(table(volume=times(0.001, UNITS), **millions))
    assert "--volume-factor 1000 " in str(raised.value.hint)


def test_money_that_confirms_the_units_settles_it() -> None:
    contracts = times(10, UNITS)
    assert volumes(table(volume=UNITS, contracts=contracts, quote=MONEY)) == [30, 40, 50]


def test_a_volume_in_lots_beside_the_same_in_shares() -> None:
    raw = table(volume=UNITS, shares=times(100, UNITS))
    with pytest.raises(ColumnMismatch, match="'shares' is 100 times 'volume'") as raised:
        volumes(raw)
    assert "--volume-factor 100 " in str(raised.value.hint)
    assert volumes(table(volume=UNITS, volume_lots=times(0.01, UNITS))) == [30, 40, 50]


def test_a_second_volume_is_money_or_a_question() -> None:
    assert volumes(table(volume=UNITS, volume_usd=MONEY)) == [30, 40, 50]
    with pytest.raises(ColumnMismatch, match="one of them is money") as raised:
        volumes(table(volume=MONEY, volume_btc=UNITS))
    assert str(raised.value.hint).startswith("say which: --column volume='volume_btc'")
    with pytest.raises(ColumnMismatch, match="one of them is money") as raised:
        volumes(table(volume=UNITS, volume_usd=["7", "70", "7000"]))
    assert str(raised.value.hint).startswith("say which: --column volume='volume'")


def test_of_two_columns_the_units_are_named_first() -> None:
    raw = table(**{"Volume USD": times(1000, MONEY), "Volume BTC": UNITS})
    meaning = Meaning(provider="demo", symbol="X", interval="1d")
    assert any(
        note.text.endswith("choose with --column volume='Volume BTC'")
        for note in decide(raw, meaning).notes
    )
    pair = table(**{"Volume BTC": MONEY, "Volume ETH": UNITS})  # ETH against BTC
    assert volumes(pair) == [30, 40, 50]


def test_a_volume_in_thousands_is_offered_with_its_factor() -> None:
    raw = table(**{"volume (thousands)": UNITS})
    notes = [
        note.text for note in decide(raw, Meaning(provider="d", symbol="X", interval="1d")).notes
    ]
    assert any(
        "--column volume='volume (thousands)' --volume-factor 1000" in note for note in notes
    )
    found = volumes(raw, columns={"volume": "volume (thousands)"}, volume_exponent=3)
    assert found == [30_000, 40_000, 50_000]


@pytest.mark.parametrize(
    ("name", "cells"),
    [("openinterest", ["300", "400", "500"]), ("turnover_rate", ["0.3", "0.4", "0.5"]),
     ("avg_volume", ["603", "840", "953"]), ("taker_buy_quote_volume", ["6030", "8400", "9530"]),
     ("shares_outstanding", ["3000", "4000", "5000"]), ("lot_size", ["300", "400", "500"]),
     ("base_capital", ["3000", "3000", "3000"]), ("spread", ["3", "4", "5"]),
     ("value_area_high", ["20.3", "21.2", "19.2"])],
)  # fmt: skip
def test_other_columns_say_nothing(name: str, cells: list[str]) -> None:
    assert volumes(table(volume=UNITS, **{name: cells})) == [30, 40, 50]

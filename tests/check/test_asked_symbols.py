"""What to type where rows are to be selected by a symbol, or stand under names in JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from loader.check.file import Checking
from loader.errors import ColumnMismatch
from loader.read.formats import read
from loader.read.sources import find
from loader.settings import Settings

DAYS = [f"2024-03-{day:02}" for day in range(4, 10)]
BARS = [{"date": day, "open": 8, "high": 9, "low": 7, "close": 8} for day in DAYS]


def symbols(path: Path, **said: Any) -> list[str]:
    with find([str(path)]) as (source,), read(source, 1_000) as reading:
        pieces = list(Checking(reading, source, Settings(provider="p", **said)).pieces())
    return sorted({symbol for piece in pieces for symbol in piece.good["symbol"]})


@pytest.mark.parametrize(
    ("more", "hint"),
    [
        ("", "--column symbol=NAME --where NAME=KILO"),
        (",stock", "--column symbol=stock --where stock=KILO"),
    ],
)
def test_rows_of_a_symbol_that_nothing_gives(tmp_path: Path, more: str, hint: str) -> None:
    path = tmp_path / "x.csv"
    cell = ",KILO" if more else ""
    rows = [f"{day},8,9,7,8{cell}" for day in DAYS]
    path.write_text("\n".join([f"date,open,high,low,close{more}", *rows, ""]))
    with pytest.raises(ColumnMismatch, match="the symbol of the bars is not known") as raised:
        symbols(path, where={"symbol": "KILO"})
    assert raised.value.hint == (
        f"if all rows are of KILO: --symbol KILO; if a column holds the symbols: {hint}"
    )
    assert symbols(path, symbol="KILO", where={"symbol": "KILO"}) == ["KILO"]


@pytest.mark.parametrize("names", [["KILO"], ["KILO", "LIMA"]])
def test_names_that_rows_stand_under(tmp_path: Path, names: list[str]) -> None:
    path = tmp_path / "x.json"
    path.write_text(json.dumps(dict.fromkeys(names, BARS)))
    with pytest.raises(ColumnMismatch, match="rows stand under names such as 'KILO'") as raised:
        symbols(path)
    assert str(raised.value.hint).startswith("name it: --column symbol=key; or if it is something")
    assert symbols(path, columns={"symbol": "key"}) == names

"""Files with symbols: columns that show that the rows of one symbol are of several series."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from loader.errors import ColumnMismatch
from loader.settings import Settings
from tests.support.golden import Loaded, taken_in

DAYS = tuple(f"2024-07-{day:02}" for day in range(1, 29))
HEADER = "date,open,high,low,close"


def load(
    path: Path, column: str, rows: list[tuple[str, str, str]], batch_rows: int, **said: Any
) -> Loaded:
    """Loads bars of 10, of a symbol, a value of `column` and a day each."""
    lines = [f"{symbol},{word},{day},10,10,10,10" for symbol, word, day in rows]
    (path / "x.csv").write_text("\n".join([f"symbol,{column},{HEADER}", *lines, ""]))
    return taken_in(path / "x.csv", Settings(provider="p", interval="1d", **said), batch_rows)


def blocks(
    *words: str, symbols: tuple[str, ...] = ("KI",), days: int = 4
) -> list[tuple[str, str, str]]:
    """Of each symbol, `days` days of each word, one after the other."""
    return [
        (symbol, word, DAYS[at * days + day])
        for symbol in symbols
        for at, word in enumerate(words)
        for day in range(days)
    ]


@pytest.mark.parametrize("batch_rows", [1_000, 3])
@pytest.mark.parametrize(
    ("column", "words"),
    [
        ("strike", ("150.0", "155.0")), ("right", ("C", "P")), ("currency", ("USD", "EUR")),
        ("Quote Currency", ("USDT", "USDC")), ("is_adjusted", ("0", "1")),
        ("price_type", ("BID", "ASK")),
    ],
)  # fmt: skip
def test_a_value_that_a_series_has_once(
    tmp_path: Path, column: str, words: tuple[str, str], batch_rows: int
) -> None:
    rows = blocks(*words)
    with pytest.raises(ColumnMismatch, match=f"several values in column '{column}'") as raised:
        load(tmp_path, column, rows, batch_rows)
    assert str(raised.value.hint).endswith("are of one series: --column symbol=symbol")
    apart = load(tmp_path, column, rows, batch_rows, columns={"symbol": f"symbol+{column}"})
    assert {bar[1] for bar in apart.bars} == {f"KI.{word}" for word in words}
    same = load(tmp_path, column, rows, batch_rows, columns={"symbol": "symbol"})
    assert {bar[1] for bar in same.bars} == {"KI"}
    assert len(same.bars) == 8


@pytest.mark.parametrize("batch_rows", [1_000, 3])
def test_one_value_for_each_symbol(tmp_path: Path, batch_rows: int) -> None:
    rows = [*blocks("USD", symbols=("KI", "LI")), *blocks("EUR", symbols=("MI",))]
    assert len(load(tmp_path, "currency", rows, batch_rows).bars) == 12


@pytest.mark.parametrize("batch_rows", [1_000, 3])
def test_contracts(tmp_path: Path, batch_rows: int) -> None:
    """They follow each other in a continuous series, and may take turns for some days."""
    rolls = blocks("2024-09", "2024-12", "2025-03")
    assert len(load(tmp_path, "expiry", rolls, batch_rows).bars) == 12
    turns = [
        *rolls[:3],
        *(("KI", word, DAYS[at]) for at, word in enumerate(("2024-12", "2024-09"), 3)),
        *rolls[5:],
    ]
    assert len(load(tmp_path, "contract_month", turns, batch_rows).bars) == 12
    mixed = [("KI", f"2024-{9 + 3 * (at % 2):02}", day) for at, day in enumerate(DAYS)]
    with pytest.raises(ColumnMismatch, match="several values in column 'expiry'"):
        load(tmp_path, "expiry", mixed, batch_rows)


@pytest.mark.parametrize("batch_rows", [1_000, 3])
def test_venues_one_after_the_other(tmp_path: Path, batch_rows: int) -> None:
    rows = blocks("binance", "kraken", symbols=("BTC-USD", "ETH-USD"))
    with pytest.raises(ColumnMismatch, match="several values in column 'exchange'"):
        load(tmp_path, "exchange", rows, batch_rows)
    moved = [*rows[:8], *blocks("binance", symbols=("ETH-USD", "SOL-USD"), days=8)]
    assert len(load(tmp_path, "exchange", moved, batch_rows).bars) == 24
    last = [("KI", "XNAS" if at % 3 else "XNYS", day) for at, day in enumerate(DAYS)]
    assert len(load(tmp_path, "venue", last, batch_rows).bars) == 28


def test_venues_of_the_one_symbol(tmp_path: Path) -> None:
    lines = [f"{word},{day},10,10,10,10" for _, word, day in blocks("XNAS", "XNYS")]
    (tmp_path / "x.csv").write_text("\n".join([f"venue,{HEADER}", *lines, ""]))
    said = Settings(provider="p", interval="1d", symbol="KI")
    with pytest.raises(ColumnMismatch, match="names several venues, one after the other"):
        taken_in(tmp_path / "x.csv", said, 1_000)


@pytest.mark.parametrize("batch_rows", [1_000, 5])
def test_a_zone_that_changes_later(tmp_path: Path, batch_rows: int) -> None:
    lines = [f"2024-07-01 10:{at:02}:00,{zone},1,1,1,1" for at, zone in
             enumerate(["America/New_York"] * 8 + ["Asia/Tokyo"] * 8)]  # fmt: skip
    path = tmp_path / "x.csv"
    path.write_text("\n".join(["time,tz,open,high,low,close", *lines, ""]))
    said = Settings(provider="p", symbol="K", interval="1m", timezone="America/New_York")
    with pytest.raises(ColumnMismatch, match="times are of several zones") as raised:
        taken_in(path, said, batch_rows)
    assert "--where tz=Asia/Tokyo --timezone Asia/Tokyo" in str(raised.value.hint)


@pytest.mark.parametrize(("column", "words"), [("strike", ("150", "155")), ("right", ("C", "P"))])
def test_options_under_the_symbol_of_their_underlying(
    tmp_path: Path, column: str, words: tuple[str, str]
) -> None:
    """Strikes follow each other, so that no two rows have one key."""
    lines = [f"KI,{words[at // 4]},{DAYS[at]},10,10,10,10" for at in range(8)]
    path = tmp_path / "x.csv"
    path.write_text("\n".join([f"underlying,{column},{HEADER}", *lines, ""]))
    settings = Settings(provider="p", interval="1d", columns={"symbol": "underlying"})
    with pytest.raises(ColumnMismatch, match=f"several values in column '{column}'") as raised:
        taken_in(path, settings, 1_000)
    assert raised.value.hint == (
        f"make it part of the symbol: --column symbol='underlying+{column}'; or load the rows of "
        f"one: --where {column}={words[0]}"
    )
    one = Settings(
        provider="p", interval="1d", columns={"symbol": "underlying"}, where={column: words[1]}
    )
    assert len(taken_in(path, one, 1_000).bars) == 4

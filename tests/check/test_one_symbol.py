"""Files of one symbol: columns that tell several series apart, whatever they are called."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from loader.errors import ColumnMismatch
from loader.settings import Settings
from tests.support.golden import Loaded, taken_in

HEADER = "date,open,high,low,close"
DAYS = tuple(f"2024-07-{day:02}" for day in range(1, 29))


def table(path: Path, column: str, *blocks: tuple[str, float, int]) -> Path:
    """A bar a day, at the price of its block: value of `column`, price, number of bars."""
    days = iter(DAYS)
    rows = [
        f"{word},{next(days)},{price},{price},{price},{price}"
        for word, price, count in blocks
        for _ in range(count)
    ]
    path.write_text("\n".join([f"{column},{HEADER}", *rows, ""]))
    return path


def load(path: Path, batch_rows: int = 1_000, **options: Any) -> Loaded:
    said = {"provider": "p", "interval": "1d", "symbol": "KILO"} | options
    return taken_in(path, Settings(**said), batch_rows)


NAMED = [
    ("coin", ("KILO", "LIMA")), ("Pair", ("KI/USD", "KI/EUR")), ("price_type", ("BID", "ASK")),
    ("what", ("bid", "ask")), ("contract", ("KIJ4", "KIK4")), ("PERMNO", ("10107", "14593")),
    ("isin", ("US1", "US2")), ("is_adjusted", ("0", "1")), ("kind", ("raw", "adjusted")),
    ("strike", ("50.0", "55.0")), ("Market", ("KI-USD", "LI-USD")),
    ("Bid/Ask", ("B", "A")),
]  # fmt: skip


@pytest.mark.parametrize(("column", "words"), NAMED)
@pytest.mark.parametrize("batch_rows", [1_000, 3])
def test_a_column_that_names_instruments(
    tmp_path: Path, column: str, words: tuple[str, str], batch_rows: int
) -> None:
    one, other = words
    path = table(tmp_path / "x.csv", column, (one, 10, 4), (other, 10.1, 4))
    with pytest.raises(ColumnMismatch, match=f"column '{column}' tells several series") as raised:
        load(path, batch_rows)
    assert f"--where {column}={one}" in str(raised.value.hint).replace("'", "")
    one_only = load(path, where={column: one})
    assert (len(one_only.bars), one_only.skipped) == (4, 4)
    with pytest.raises(ColumnMismatch, match="tells several series"):
        load(path, batch_rows, where={column: f"{one}|{other}"})
    all_of_one = load(path, columns={"symbol": "-"})
    assert {bar[1] for bar in all_of_one.bars} == {"KILO"}
    assert len(all_of_one.bars) == 8
    apart = load(path, columns={"symbol": f"symbol+{column}"})
    assert {bar[1] for bar in apart.bars} == {f"KILO.{one}".upper(), f"KILO.{other}".upper()}


def test_a_part_symbol_is_whatever_gives_it(tmp_path: Path) -> None:
    path = table(tmp_path / "LIMA.csv", "side", ("bid", 10, 4), ("ask", 10.1, 4))
    made = {"columns": {"symbol": "symbol+side"}}
    named = load(path, symbol=None, name_pattern="{symbol}.csv", **made)
    assert {bar[1] for bar in named.bars} == {"LIMA.BID", "LIMA.ASK"}
    nothing = load(path, symbol=None, **made)
    assert {bar[1] for bar in nothing.bars} == {"BID", "ASK"}
    path.write_text(f"ticker,side,{HEADER}\nmike,bid,2024-07-01,1,1,1,1\n")
    alias = load(path, symbol=None, **made)
    assert {bar[1] for bar in alias.bars} == {"MIKE.BID"}


@pytest.mark.parametrize("batch_rows", [1_000, 3])
def test_an_unknown_column_that_changes_where_the_price_jumps(
    tmp_path: Path, batch_rows: int
) -> None:
    for name in ("grp", "ID"):
        path = table(tmp_path / "x.csv", name, ("a", 10, 4), ("b", 90, 4), ("c", 30, 4))
        with pytest.raises(ColumnMismatch, match=f"'{name}' changes where prices jump") as raised:
            load(path, batch_rows)
        assert "--column symbol=-" in str(raised.value.hint)
        assert len(load(path, columns={"symbol": "-"}).bars) == 12


def test_an_unknown_column_of_blocks_that_go_back_in_time(tmp_path: Path) -> None:
    rows = [f"{word},{day},10,10,10,10" for word, days in (("a", DAYS[:8:2]), ("b", DAYS[1:8:2]))
            for day in days]  # fmt: skip
    (tmp_path / "x.csv").write_text("\n".join([f"grp,{HEADER}", *rows, ""]))
    with pytest.raises(ColumnMismatch, match="'grp' changes where prices jump or times go back"):
        load(tmp_path / "x.csv")


@pytest.mark.parametrize(
    ("column", "blocks"),
    [
        ("coin", [("KILO", 10, 4), ("KILO", 90, 4)]),  # one value, and a price that jumps
        ("phase", [("a", 10, 4), ("b", 10.2, 4)]),  # nothing but the word changes
        ("tz", [("EST", 10, 4), ("EDT", 10.1, 4)]),
        ("signal", [("buy", 10, 1), ("sell", 30, 1), ("buy", 10, 1), ("sell", 30, 1)]),
        ("event", [("", 10, 4), ("halt", 90, 1), ("", 10, 4)]),
        ("remark", [("a", 10, 4), ("b", 90, 4)]),  # about the row
        ("rank", [(str(number), 10.0 * number, 1) for number in range(1, 9)]),
    ],
)
def test_a_column_that_does_not(
    tmp_path: Path, column: str, blocks: list[tuple[str, float, int]]
) -> None:
    path = table(tmp_path / "x.csv", column, *blocks)
    assert len(load(path).bars) == sum(count for *_, count in blocks)


def test_a_table_with_symbols_may_name_its_contracts(tmp_path: Path) -> None:
    """As continuous series do."""
    path = table(tmp_path / "x.csv", "symbol,contract", ("KI,KIJ4", 10, 4), ("KI,KIK4", 11, 4))
    assert {bar[1] for bar in load(path, symbol=None).bars} == {"KI"}


@pytest.mark.parametrize(
    ("column", "hint"),
    [
        ("adjusted", "--where adjusted=x; or keep them apart: --column symbol='symbol+adjusted'"),
        ("side", "--where side=x; or keep them apart: --column symbol='symbol+side'"),
        ("coin", "--column symbol=coin; or load the rows of one: --where coin=x"),
    ],
)
def test_rows_of_one_time(tmp_path: Path, column: str, hint: str) -> None:
    rows = [f"{word},{day},{price},{price},{price},{price}" for day in DAYS[:6]
            for word, price in (("x", 10), ("y", 20))]  # fmt: skip
    (tmp_path / "x.csv").write_text("\n".join([f"{column},{HEADER}", *rows, ""]))
    with pytest.raises(ColumnMismatch, match=f"'{column}' tells apart") as raised:
        load(tmp_path / "x.csv")
    assert hint in str(raised.value.hint)


def test_no_row_is_wanted(tmp_path: Path) -> None:
    path = table(tmp_path / "x.csv", "SERIES", ("BE", 10, 4), ("N1", 10.1, 4))
    for batch_rows in (3, 1_000):
        with pytest.raises(ColumnMismatch, match="no row has series=EQ") as raised:
            load(path, batch_rows, where={"series": "EQ"})
        assert "'SERIES' has 'BE', 'N1'" in str(raised.value)
        assert raised.value.hint == "name one of its values: --where SERIES=BE"
        assert raised.value.exit_code == 3

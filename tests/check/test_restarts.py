"""Two series one behind the other under one symbol, and updates of single bars, which are none."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import chain
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from loader.check.file import Checking
from loader.check.unique import MayRepeat, in_order, partitioned
from loader.errors import ColumnMismatch
from loader.read.formats import read
from loader.read.sources import find
from loader.settings import Settings

HEADER = "date,open,high,low,close,volume"


def days(prices: list[float], first: date = date(2024, 3, 1)) -> list[str]:
    return [
        f"{first + timedelta(days=at)},{price},{price + 1},{price - 1},{price},{100 + at}"
        for at, price in enumerate(prices)
    ]


ONE = [100 + at / 4 for at in range(40)]
OTHER = [97 + at / 4 for at in range(40)]


def load(tmp_path: Path, rows: list[str], header: str = HEADER, **said: Any) -> list[float]:
    """The closes of the file's bars, however it is cut: as one batch, and in small ones."""
    path = tmp_path / "x.csv"
    path.write_text("\n".join([header, *rows, ""]))
    settings = Settings(**({"provider": "p", "symbol": "KILO", "interval": "1d"} | said))
    found = []
    for size in (10_000, 16):
        with find([str(path)]) as (source,):
            try:
                with read(source, size) as reading:
                    whole = [
                        each.bars for each in in_order(Checking(reading, source, settings).pieces())
                    ]
            except MayRepeat:
                with read(source, size) as reading:
                    pieces = Checking(reading, source, settings).pieces()
                    whole = [each.bars for each in partitioned(pieces, 80, size, lambda _: None)]
        found.append(pl.concat(whole).sort("symbol", "ts")["close"].to_list())
    assert found[0] == found[1]
    return found[0]


@pytest.mark.parametrize("levels", [(ONE, OTHER), (ONE, [price / 3 for price in ONE[:10]])])
@pytest.mark.parametrize("newest_first", [False, True])
def test_two_files_joined(
    tmp_path: Path, levels: tuple[list[float], list[float]], newest_first: bool
) -> None:
    way = -1 if newest_first else 1
    rows = [row for prices in levels for row in days(prices)[::way]]
    with pytest.raises(ColumnMismatch, match="from row 41 on times begin again") as raised:
        load(tmp_path, rows)
    assert str(raised.value.hint).endswith("if later rows correct earlier ones: --column symbol=-")
    closes = load(tmp_path, rows, columns={"symbol": "-"})
    assert closes == levels[1] + ONE[len(levels[1]) :]


@pytest.mark.parametrize("common", [1, 2, 3])
@pytest.mark.parametrize("newest_first", [False, True])
def test_two_files_with_few_bars_in_common(tmp_path: Path, common: int, newest_first: bool) -> None:
    """The price jumps where the second one begins, and stays there."""
    first = date(2024, 3, 1)
    one, two = (
        days(ONE, first),
        days([9 + at / 8 for at in range(40)], first + timedelta(40 - common)),
    )
    rows = [*two[::-1], *one[::-1]] if newest_first else one + two
    with pytest.raises(ColumnMismatch, match="from row 41 on times begin again"):
        load(tmp_path, rows)
    assert len(load(tmp_path, rows, columns={"symbol": "-"})) == 80 - common


@pytest.mark.parametrize("corrected", [7, 38, 39])
def test_a_wrong_price_that_is_corrected_before_the_next_bars(
    tmp_path: Path, corrected: int
) -> None:
    wrong = [price * (100 if at == corrected else 1) for at, price in enumerate(ONE)]
    later = [110 + at / 4 for at in range(10)]
    rows = [*days(wrong), days(ONE)[corrected], *days(later, date(2024, 4, 10))]
    assert load(tmp_path, rows) == ONE + later


def test_two_files_with_the_same_symbols(tmp_path: Path) -> None:
    rows = [f"{name},{row}" for prices in (ONE, OTHER) for name in "AB" for row in days(prices)]
    header = f"Ticker,{HEADER}"
    with pytest.raises(ColumnMismatch, match="80 bars have other prices") as raised:
        load(tmp_path, rows, header, symbol=None)
    assert "--column symbol=Ticker" in str(raised.value.hint)
    closes = load(tmp_path, rows, header, symbol=None, columns={"symbol": "Ticker"})
    assert sorted(closes) == sorted(OTHER * 2)


def test_one_symbol_of_three_is_restated(tmp_path: Path) -> None:
    rows = [f"{name},{row}" for name in "ABC" for row in days(ONE)]
    rows += [f"B,{row}" for row in days(OTHER)]
    closes = load(tmp_path, rows, f"symbol,{HEADER}", symbol=None)
    assert sorted(closes) == sorted([*ONE, *ONE, *OTHER])


def polls(window: int, times: int) -> list[str]:
    """`window` bars at once, asked for several `times` a day: the last one is still running."""
    return list(
        chain.from_iterable(
            days([*ONE[at : at + window - 1], ONE[at + window - 1] - 0.1 * (times - each)],
                 date(2024, 3, 1) + timedelta(days=at))
            for at in range(40 - window + 1)
            for each in range(times + 1)
        )
    )  # fmt: skip


@pytest.mark.parametrize(
    ("window", "times"), [(1, 3), (2, 1), (2, 3), (3, 2), (5, 1), (5, 3), (30, 2)]
)
def test_bars_that_were_still_running(tmp_path: Path, window: int, times: int) -> None:
    assert load(tmp_path, polls(window, times)) == ONE


@pytest.mark.parametrize(
    "corrected", [[3], [0, 1], [38, 39], [4, 11, 20, 21], [17, 18, 19, 20, 21]]
)
def test_corrections_at_the_end(tmp_path: Path, corrected: list[int]) -> None:
    rows = days(ONE) + [days(OTHER)[at] for at in corrected]
    assert load(tmp_path, rows) == [OTHER[at] if at in corrected else ONE[at] for at in range(40)]


def test_the_same_bars_again_and_volumes_alone(tmp_path: Path) -> None:
    again = [row.rpartition(",")[0] + ",7" for row in days(ONE)]
    assert load(tmp_path, days(ONE) + again + days(ONE)) == ONE


def test_versions(tmp_path: Path) -> None:
    rows = [f"{row},2024-06-0{at}" for at, prices in ((1, ONE), (2, OTHER)) for row in days(prices)]
    assert load(tmp_path, rows, f"{HEADER},as_of") == OTHER
    split = [price / 2 for price in ONE]
    rows = [f"{row},2024-06-0{at}" for at, prices in ((1, ONE), (2, split)) for row in days(prices)]
    assert load(tmp_path, rows, f"{HEADER},as_of") == split
    other = [20 + (at % 7) for at in range(40)]
    rows = [f"{row},2024-06-0{at}" for at, prices in ((1, ONE), (2, other)) for row in days(prices)]
    with pytest.raises(ColumnMismatch, match="two series"):
        load(tmp_path, rows, f"{HEADER},downloaded_at")


def turns(one: list[float], other: list[float]) -> list[str]:
    return [*chain.from_iterable(zip(days(one), days(other), strict=True))]


@pytest.mark.parametrize("other", [OTHER, [price * 6 for price in ONE]])
def test_two_series_in_turns(tmp_path: Path, other: list[float]) -> None:
    """Each time comes twice, with prices that no update gives."""
    with pytest.raises(ColumnMismatch, match="40 bars of KILO have two rows with prices that do n"):
        load(tmp_path, turns(ONE, other))
    assert load(tmp_path, turns(ONE, other), columns={"symbol": "-"}) == other


def test_symbols_that_differ_in_capitals(tmp_path: Path) -> None:
    rows = [f"{row},{name}" for at, row in enumerate(turns(ONE, OTHER))
            for name in [("KI", "ki")[at % 2]]]  # fmt: skip
    with pytest.raises(ColumnMismatch, match="two rows with prices that do not meet") as raised:
        load(tmp_path, rows, f"{HEADER},ticker")
    assert str(raised.value.hint).endswith("--column symbol=ticker")


def test_bars_that_become_wider_and_snapshots_are_one_series(tmp_path: Path) -> None:
    wider = [
        f"{date(2024, 3, 1) + timedelta(days=at)},10,{10 + more},{10 - more},{10 + more / 2},9"
        for at in range(20)
        for more in (1, 2, 4)
    ]
    assert load(tmp_path, wider) == [12.0] * 20
    polls = [
        f"{date(2024, 3, 1) + timedelta(days=at)},{price},{price},{price},{price},9"
        for at in range(20)
        for price in (10, 11, 10.5)
    ]
    assert load(tmp_path, polls) == [10.5] * 20
    assert load(tmp_path, turns(ONE, ONE[:10] + OTHER[:2] + ONE[12:])) == [
        *ONE[:10], *OTHER[:2], *ONE[12:]
    ]  # fmt: skip

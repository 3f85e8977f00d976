"""One row per key: which row stays, what is counted, and when a file has to be partitioned."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from loader import bars
from loader.check.unique import (
    BARS_AND_ROW,
    MayRepeat,
    UniqueBatch,
    in_order,
    made_unique,
    partitioned,
)
from loader.check.validate import CheckedBatch

START = datetime(2024, 7, 1, 13, 30, tzinfo=UTC)
VALUES: dict[str, Any] = {
    "open": 10.0, "high": 12.0, "low": 9.0, "close": 11.0, "volume": 100.0, "vwap": 10.5,
    "trade_count": 7,
}  # fmt: skip
BAD = {"row_number": pl.Int64(), "rules": pl.List(pl.String()), "raw": pl.String()}
Row = dict[str, Any]


def row(symbol: str, minute: int, provider: str = "p", interval: str = "1m", **values: Any) -> Row:
    key = {"provider": provider, "symbol": symbol, "interval": interval}
    return {**key, "ts": START + timedelta(minutes=minute), **VALUES, **values}


def piece(rows: list[Row], first: int = 1) -> CheckedBatch:
    numbered = [{**each, "row_number": number} for number, each in enumerate(rows, first)]
    frame = pl.DataFrame(numbered, schema=BARS_AND_ROW)
    bad = pl.DataFrame(schema=BAD)
    return CheckedBatch(frame, bad, {}, pl.DataFrame(), last_row=first + len(rows) - 1)


def unique(*rows: Row) -> UniqueBatch:
    return made_unique(piece(list(rows)))


def key_of(each: Row) -> tuple[Any, ...]:
    return tuple(each[name] for name in bars.KEY)


def last_of_each(rows: Iterable[Row]) -> list[tuple[Any, ...]]:
    """The bars that have to stay, sorted by key: what a dict keeps."""
    kept = {key_of(each): each for each in rows}
    return [tuple(kept[key][name] for name in bars.COLUMNS) for key in sorted(kept)]


@pytest.mark.parametrize("field", bars.OPTIONAL)
@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_null_against_a_value_is_a_conflict(field: str, order: tuple[int, int]) -> None:
    two = [row("A", 0), row("A", 0, **{field: None})]
    found = unique(*(two[at] for at in order))
    assert (found.duplicate, found.conflicting) == (1, 1)
    assert found.conflicts == ("A 1m 2024-07-01 13:30:00Z (row 1, row 2 kept)",)
    assert found.bars[field].to_list() == [two[order[1]][field]]


def test_two_nulls_are_a_repeat_and_no_conflict() -> None:
    empty = dict.fromkeys(bars.OPTIONAL)
    found = unique(row("A", 0, **empty), row("A", 0, **empty))
    assert (found.duplicate, found.conflicting, found.conflicts) == (1, 0, ())


@pytest.mark.parametrize("field", bars.VALUES)
def test_each_value_that_differs_is_a_conflict(field: str) -> None:
    found = unique(row("A", 0), row("A", 0, **{field: VALUES[field] + 1}))
    assert (found.duplicate, found.conflicting) == (1, 1)
    assert found.bars[field].to_list() == [VALUES[field] + 1]


def test_the_last_row_stays_however_many_there_are() -> None:
    found = unique(*(row("A", 0, close=9.0 + n / 8) for n in range(9)), row("A", 1), row("B", 0))
    assert found.bars["row_number"].to_list() == [9, 10, 11]
    assert (found.read, found.duplicate, found.conflicting) == (11, 8, 8)
    assert found.conflicts[0].endswith("(row 1, row 9 kept)")


def test_a_series_is_all_three_words() -> None:
    rows = [row("A", 0), row("A", 0, interval="5m"), row("A", 0, provider="q"), row("B", 0)]
    for order in (rows, rows[::-1]):
        found = unique(*order)
        assert (found.bars.height, found.duplicate) == (4, 0)
        assert found.series.select("provider", "symbol", "interval", "rows").rows() == [
            ("p", "A", "1m", 1), ("p", "A", "5m", 1), ("p", "B", "1m", 1), ("q", "A", "1m", 1),
        ]  # fmt: skip


def test_a_series_spans_its_first_and_last_bar() -> None:
    found = unique(row("A", 5), row("A", 2), row("B", 1), row("A", 9), row("A", 2))
    assert found.series.select("symbol", "lo", "hi", "rows").rows() == [
        ("A", START + timedelta(minutes=2), START + timedelta(minutes=9), 3),
        ("B", START + timedelta(minutes=1), START + timedelta(minutes=1), 1),
    ]


@pytest.mark.parametrize("seed", range(30))
def test_rows_in_any_order_against_a_dict(seed: int) -> None:
    chance = random.Random(seed)
    rows = [
        row(chance.choice("AB"), chance.randrange(12), chance.choice("pq"), close=chance.random())
        for _ in range(chance.choice((1, 2, 30)))
    ]
    found = unique(*rows)
    kept = last_of_each(rows)
    assert found.bars.select(bars.COLUMNS).rows() == kept
    assert (found.read, found.duplicate) == (len(rows), len(rows) - len(kept))


@pytest.mark.parametrize(
    ("second", "repeats"),
    [(range(4, 8), False), (range(3, 8), True), (range(-4, 0), False), (range(-4, 1), True),
     (range(1, 3), True), (range(-4, 8), True)],
)  # fmt: skip
def test_a_series_may_move_on_either_way_but_not_meet_itself(second: range, repeats: bool) -> None:
    pieces = [piece([row("A", n) for n in range(4)]), piece([row("A", n) for n in second], 5)]
    if repeats:
        with pytest.raises(MayRepeat):
            list(in_order(pieces))
    else:
        assert [p.bars.height for p in in_order(pieces)] == [4, len(second)]


def test_a_series_is_remembered_over_all_pieces() -> None:
    spans = [("A", (2, 3, 4)), ("B", (0, 1)), ("A", (5, 6)), ("A", (0, 1))]
    pieces = [piece([row(symbol, n) for n in minutes]) for symbol, minutes in spans]
    assert len(list(in_order(pieces))) == 4
    for again in range(7):
        with pytest.raises(MayRepeat):
            list(in_order([*pieces, piece([row("A", again)])]))


@pytest.mark.parametrize("by_time", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_partitions_give_each_key_once_and_count_every_row(seed: int, by_time: bool) -> None:
    chance = random.Random(seed)
    rows = [
        row(chance.choice("ABCDE"), chance.randrange(40) * 1_440, close=chance.random())
        for _ in range(400)
    ]
    pieces = [piece(rows[at : at + 64], at + 1) for at in range(0, 400, 64)]
    found = list(partitioned(pieces, 400, 7, lambda rows: None, by_time=by_time))
    kept = last_of_each(rows)
    together = pl.concat(each.bars for each in found).select(bars.COLUMNS)
    assert together.sort(bars.KEY).rows() == kept
    assert sum(each.read for each in found) == 400
    assert sum(each.duplicate for each in found) == 400 - len(kept)
    assert sum(each.conflicting for each in found) == 400 - len(kept)
    assert max(each.bars.height for each in found) == 7
    assert [each.last_row for each in found] == list(range(1, len(found) + 1))
    assert [each.seen for each in found][:7] == [64, 128, 192, 256, 320, 384, 400]
    for each in found:
        assert each.series["rows"].sum() == each.bars.height


PREFERS = (pl.col("trade_count").is_not_null(), pl.col("volume"))


def preferring(*rows: Row) -> UniqueBatch:
    return made_unique(replace(piece(list(rows)), prefers=PREFERS))


def test_a_dialect_knows_the_better_of_two_rows() -> None:
    final = row("A", 1, volume=500.0, trade_count=9)
    coarse = row("A", 1, volume=600.0, trade_count=None)
    for rows in ([final, coarse], [coarse, final]):
        found = preferring(*rows, row("A", 0))
        assert found.bars.rows()[1][-2] == 9
        assert (found.duplicate, found.conflicting) == (1, 1)
    early = row("A", 1, volume=400.0, trade_count=None)
    assert preferring(coarse, early).bars["volume"].to_list() == [600.0]
    same = row("A", 1, volume=500.0, trade_count=9, close=11.5)
    assert preferring(final, same).bars["close"].to_list() == [11.5]


def test_the_better_row_is_kept_across_batches_too() -> None:
    final = row("A", 1, volume=500.0, trade_count=9)
    coarse = row("A", 1, volume=600.0, trade_count=None)
    pieces = [
        replace(piece([final]), prefers=PREFERS),
        replace(piece([coarse], 2), prefers=PREFERS),
    ]
    with pytest.raises(MayRepeat):
        list(in_order(pieces))
    kept = pl.concat([found.bars for found in partitioned(pieces, 2, 10, lambda rows: None)])
    assert kept["trade_count"].to_list() == [9]

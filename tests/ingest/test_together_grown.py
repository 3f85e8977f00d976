"""Files that hold more than when they were last loaded, as of each night: what is stored is left,
and the new bars are written together with those of their like."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import polars as pl
import pytest

from loader.settings.limit import RejectLimit
from tests.support.both_ways import (
    MIDNIGHT,
    NEW_YORK_OPEN,
    at,
    day,
    dearer,
    frame,
    of_several,
    symbol,
    written,
)
from tests.support.sql import fetch

#: Random histories that are tried.
SEEDS: Final = int(os.environ.get("MDLOAD_TOGETHER_SEEDS", "3"))
COUNTS = (
    "SELECT rows_inserted, rows_unchanged, count(*) FROM job_run_files"
    " WHERE run_id = {} GROUP BY 1, 2"
)
Ways = Callable[..., int]


def test_files_that_grow_each_night(ways: Ways, database_url: str, tmp_path: Path) -> None:
    for night, rows in enumerate((20, 25, 31), 1):
        tables = [frame(symbol(n), MIDNIGHT, rows=rows, step=86_400) for n in range(9)]
        assert ways([written(tmp_path, n, table) for n, table in enumerate(tables)]) == 8
        new = rows if night == 1 else {25: 5, 31: 6}[rows]
        assert fetch(database_url, COUNTS.format(night)) == [(new, rows - new, 9)]


def test_files_that_begin_earlier_and_end_later(
    ways: Ways, database_url: str, tmp_path: Path
) -> None:
    whole = [of_several([3 * n, 3 * n + 1], rows=40) for n in range(8)]
    middle = pl.col("ts").is_between(
        NEW_YORK_OPEN + timedelta(minutes=9), NEW_YORK_OPEN + timedelta(minutes=28)
    )
    ways([written(tmp_path, n, table.filter(middle)) for n, table in enumerate(whole)])
    assert ways([written(tmp_path, n, table) for n, table in enumerate(whole)]) == 7
    assert fetch(database_url, COUNTS.format(2)) == [(40, 40, 8)]
    assert fetch(database_url, "SELECT count(*) FROM bars_ohlcv") == [(640,)]
    assert fetch(database_url, "SELECT sum(bars_inserted_between) FROM job_run_files") == [(0,)]


def test_files_of_series_that_grow_stay_and_begin(ways: Ways, tmp_path: Path) -> None:
    def table(n: int, rows: int) -> pl.DataFrame:
        return pl.concat([
            frame(symbol(n), rows=12),
            frame(symbol(n + 20), rows=rows),
            *([frame(symbol(n + 40), day(1), rows=rows)] if rows > 12 else []),
        ])  # fmt: skip

    ways([written(tmp_path, n, table(n, 12)) for n in range(8)])
    assert ways([written(tmp_path, n, table(n, 15)) for n in range(8)]) == 7
    assert ways([written(tmp_path, n, table(n, 17).sort("ts", "symbol")) for n in range(8)]) >= 6


def test_files_that_grow_and_do_more(ways: Ways, database_url: str, tmp_path: Path) -> None:
    """One restates its last bar, one lacks a bar, one has a bar between others, one has lost half
    of its rows, one has a bad row: each has its own turn."""
    before = [frame(symbol(n), rows=40) for n in range(16)]
    before[9] = before[9].filter(pl.int_range(pl.len()) != 20)
    ways([written(tmp_path, n, table) for n, table in enumerate(before)])
    after = [frame(symbol(n), rows=45) for n in range(16)]
    after[3] = after[3].with_columns(at(39, close=pl.col("close") + 0.01))
    after[6] = after[6].filter(pl.int_range(pl.len()) != 11)
    after[11] = frame(symbol(11), rows=20)
    after[13] = after[13].with_columns(at(42, high=pl.col("low") - 1))
    files = [written(tmp_path, n, table) for n, table in enumerate(after)]
    assert ways(files, max_rejects=RejectLimit.parse("5%")) >= 5
    noted = "SELECT path FROM job_run_files WHERE run_id = 2 AND notes::text LIKE '%is it whole?%'"
    assert fetch(database_url, noted) == [(files[11],)]
    touched = (
        "SELECT sum(bars_changed), sum(bars_inserted_between), sum(bars_gone) FROM job_run_files"
    )
    assert fetch(database_url, touched) == [(1, 1, 1)]


def test_a_file_that_has_lost_most_of_what_it_had(ways: Ways, tmp_path: Path) -> None:
    """Its series are new to the store or the same, and still it may not be whole."""
    ways([written(tmp_path, n, of_several([3 * n, 3 * n + 1], rows=60)) for n in range(8)])
    files = [written(tmp_path, n, frame(symbol(3 * n), rows=60)) for n in range(8)]
    assert ways(files) == 0
    assert ways(files, max_gone=RejectLimit.parse("10%"), force=True) == 7


def test_a_file_that_had_more_rows_before_it_was_known(
    ways: Ways, database_url: str, tmp_path: Path
) -> None:
    """Half of each file came under another path first, and under its own one as a known content:
    what was last loaded from there is the whole."""
    tables = [frame(symbol(n), rows=60) for n in range(8)]
    ways([written(tmp_path, n, table) for n, table in enumerate(tables)])
    ways([written(tmp_path, 10 + n, table[:30]) for n, table in enumerate(tables)])
    halves = [written(tmp_path, n, table[:30]) for n, table in enumerate(tables)]
    assert ways(halves) == 0  # all are known
    others = [written(tmp_path, 20 + n, frame(symbol(20 + n))) for n in range(4)]
    ways([*others, *halves], force=True, max_gone=RejectLimit.parse("10%"))
    states = "SELECT state, count(*) FROM job_run_files WHERE run_id = 4 GROUP BY 1 ORDER BY 1"
    assert fetch(database_url, states) == [("loaded", 4), ("refused", 8)]


def test_files_that_grow_on_the_same_series(ways: Ways, tmp_path: Path) -> None:
    """Several files of one run go on with one series, or meet there."""
    ways([written(tmp_path, 0, frame("AAPL", day(0), rows=30))])
    tables = [
        pl.concat([frame("AAPL", day(0), rows=30), frame("AAPL", day(n), rows=30)])
        for n in (1, 2, 3, 2)
    ]
    more = [frame("AAPL", day(n), rows=30) for n in (4, 5)]
    ways([written(tmp_path, 10 + n, table) for n, table in enumerate([*tables, *more])])


def test_a_file_that_grows_up_to_another_of_its_run(
    ways: Ways, database_url: str, tmp_path: Path
) -> None:
    """Its new bars come between stored ones, once the file before it is written."""
    daily = frame("AAPL", MIDNIGHT, rows=40, step=86_400)
    ways([written(tmp_path, 0, daily[:10])])
    tables = [frame("MSFT"), daily[30:], daily[:15], frame("IBM")]
    ways([written(tmp_path, 10 + n, table) for n, table in enumerate(tables)])
    between = "SELECT array_agg(bars_inserted_between ORDER BY id) FROM job_run_files"
    assert fetch(database_url, between) == [([0, 0, 0, 5, 0],)]


@pytest.mark.parametrize("seed", range(SEEDS))
def test_random_nights(ways: Ways, tmp_path: Path, seed: int) -> None:
    """Each night some files grow, at one end or both, and few do anything else."""
    chance = random.Random(seed)
    spans = {n: (10 + chance.randrange(4), 20 + chance.randrange(4)) for n in range(14)}

    def table(n: int) -> pl.DataFrame:
        first, last = spans[n]
        parts = []
        for own in range(1 + n % 3):
            whole = dearer(frame(symbol(20 * own + n // 2), day(n % 2), rows=60), n % 5)
            part = whole[first - own : last]
            if chance.random() < 0.08:
                part = part.filter(pl.int_range(pl.len()) % 7 != 1)
            if chance.random() < 0.08:
                part = part.with_columns(at(part.height - 1, close=pl.col("close") + 0.01))
            parts.append(part)
        return pl.concat(parts)

    for _ in range(4):
        ways([written(tmp_path, n, table(n)) for n in spans], force=chance.random() < 0.2)
        for n, (first, last) in spans.items():
            grow = chance.choice([0, 1, 5])
            spans[n] = (max(3, first - chance.choice([0, 0, 0, 2])), last + grow)


def test_one_bar_a_night_of_many_symbols(ways: Ways, tmp_path: Path) -> None:
    """A window that moves on: the oldest bar is left out of the file, and stays in the store."""

    def window(first: datetime) -> list[pl.DataFrame]:
        return [frame(symbol(n), first, rows=30, step=86_400) for n in range(8)]

    def moved(by: int) -> list[pl.DataFrame]:
        whole = [frame(symbol(n), MIDNIGHT, rows=40, step=86_400) for n in range(8)]
        return [table[by : 30 + by] for table in whole]

    ways([written(tmp_path, n, table) for n, table in enumerate(window(MIDNIGHT))])
    for night in (1, 2, 5):
        assert ways([written(tmp_path, n, table) for n, table in enumerate(moved(night))]) == 7

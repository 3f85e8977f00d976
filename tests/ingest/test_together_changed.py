"""Small files that change a few stored bars, as the last, provisional one of each night: together
with their like, the same as each by itself."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import polars as pl
import psycopg
import pytest

from loader.bars import PRICES
from loader.ingest.run import together, turns
from loader.settings.limit import RejectLimit
from loader.store.runs import JobRunTracker
from loader.store.versions.selection import Since
from loader.store.versions.undo import rollback
from tests.conftest import not_on_citus
from tests.support.both_ways import (
    MIDNIGHT,
    NEW_YORK_OPEN,
    Way,
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
#: The fewest changes in which the guard looks for a sign.
SIGN: Final = 20
REVISED = (
    "SELECT symbol, ts, old_close, new_close, run_id FROM bars_ohlcv_revisions ORDER BY id LIMIT 3"
)
TOUCHED = (
    "SELECT sum(rows_updated), sum(bars_changed), sum(bars_inserted_between) FROM job_run_files"
    " WHERE run_id = {}"
)
Ways = Callable[..., int]
together_only = not_on_citus("files load one by one there")


def restated(table: pl.DataFrame, *rows: int, by: float = 0.01) -> pl.DataFrame:
    """The table with other closes in these rows."""
    for row in rows:
        table = table.with_columns(at(row, close=pl.col("close") + by))
    return table


def test_a_provisional_bar_each_night(ways: Ways, database_url: str, tmp_path: Path) -> None:
    def night(rows: int) -> list[str]:
        tables = [frame(symbol(n), MIDNIGHT, rows=rows, step=86_400) for n in range(9)]
        return [written(tmp_path, n, restated(table, rows - 1)) for n, table in enumerate(tables)]

    ways(night(20))
    assert ways(night(21)) == 8
    assert ways(night(22)) == 8
    assert fetch(database_url, TOUCHED.format(3)) == [(9, 9, 0)]
    last = MIDNIGHT + timedelta(days=19)
    assert fetch(database_url, REVISED) == [
        (symbol(n), last, pytest.approx(1.45), pytest.approx(1.44), 2) for n in range(3)
    ]
    assert ways(night(22)) == 0


@together_only
def test_the_past_and_the_way_back(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was known each night can be read, and a night undone."""
    monkeypatch.setattr(turns, "_ALONE", 1)
    nights = []
    for rows in (20, 21, 22):
        tables = [restated(frame(symbol(n), rows=rows), rows - 1) for n in range(9)]
        Way(database_url).load([written(tmp_path, n, t) for n, t in enumerate(tables)])
        nights.append([(bar["symbol"], bar["ts"], bar["close"])
                       for table in tables for bar in table.iter_rows(named=True)])  # fmt: skip
    stored = "SELECT symbol, ts, close FROM {} ORDER BY symbol, ts"
    known = "SELECT max(known_at) FROM bars_loads WHERE run_id <= {}"
    for night, bars in enumerate(nights, 1):
        ((instant,),) = fetch(database_url, known.format(night))
        past = stored.format(f"bars_ohlcv_as_of('{instant.isoformat()}')")
        assert fetch(database_url, past) == bars
    for night in (3, 2):
        with JobRunTracker(database_url, metrics=None) as tracker:
            back = rollback(database_url, Since(run_id=night), tracker.start_run("back"))
        assert (back.updated, back.deleted) == (9, 9)
        assert fetch(database_url, stored.format("bars_ohlcv")) == nights[night - 2]


def test_files_that_only_restate(ways: Ways, database_url: str, tmp_path: Path) -> None:
    tables = [of_several([3 * n, 3 * n + 1], rows=40) for n in range(8)]
    ways([written(tmp_path, n, table) for n, table in enumerate(tables)])
    changed = [restated(table, 0, 39, 41 + n) for n, table in enumerate(tables)]
    assert ways([written(tmp_path, n, table) for n, table in enumerate(changed)]) == 7
    assert fetch(database_url, TOUCHED.format(2)) == [(24, 24, 0)]
    assert (
        fetch(database_url, "SELECT updated, inserted FROM bars_loads WHERE run_id = 2")
        == [(3, 0)] * 8
    )
    assert fetch(database_url, "SELECT count(*) FROM bars_ohlcv_revisions") == [(24,)]


def test_values_that_come_and_go(ways: Ways, tmp_path: Path) -> None:
    """NULLs, zeros of both signs, and the least change of a price."""
    columns = {"volume": 10.0, "vwap": 1.1, "trade_count": 7}
    tables = [frame(symbol(n), **columns) for n in range(8)]
    ways([written(tmp_path, n, table) for n, table in enumerate(tables)])
    less = [
        at(3, volume=pl.lit(None)), at(4, vwap=pl.lit(None)), at(5, trade_count=pl.lit(None)),
        at(6, volume=pl.lit(0.0)), at(7, trade_count=pl.lit(0)), at(8, volume=pl.lit(-0.0)),
        at(9, close=pl.col("close") * (1 + 2**-52)), at(9, volume=pl.lit(10.0)),
    ]  # fmt: skip
    assert ways([written(tmp_path, n, t.with_columns(less[n])) for n, t in enumerate(tables)]) >= 6
    others = [at(8, volume=pl.lit(0.0)) if n == 5 else at(0) for n in range(8)]
    again = [t.with_columns(o) if o else t for t, o in zip(tables, others, strict=True)]
    assert ways([written(tmp_path, n, table) for n, table in enumerate(again)]) >= 6


def test_late_bars_between_stored_ones(ways: Ways, database_url: str, tmp_path: Path) -> None:
    whole = [frame(symbol(n), rows=40) for n in range(8)]
    gaps = [t.filter(pl.int_range(pl.len()) % 11 != n) for n, t in enumerate(whole)]
    ways([written(tmp_path, n, table[:35]) for n, table in enumerate(gaps)])
    assert ways([written(tmp_path, n, restated(table, 8)) for n, table in enumerate(whole)]) == 7
    # Of each file three bars or four; the others come before the first or after the last stored.
    assert fetch(database_url, TOUCHED.format(2)) == [(8, 8, 4 * 4 + 4 * 3)]


@pytest.mark.parametrize("changes", [SIGN - 1, SIGN])
def test_as_many_as_may_be_a_sign(ways: Ways, tmp_path: Path, changes: int) -> None:
    """Prices in another unit, in all of a file and in the pool of its series."""
    for several in (1, 4):
        start = day(several)
        tables = [
            pl.concat(frame(symbol(10 * n + own), start, rows=220) for own in range(several))
            for n in range(8)
        ]
        ways([written(tmp_path, n, table) for n, table in enumerate(tables)])
        each, more = divmod(changes, several)
        tables[4] = pl.concat(
            pl.concat([dearer(part[: each + (own < more)], 7), part[each + (own < more) :]])
            for own, part in enumerate(tables[4].partition_by("symbol", maintain_order=True))
        )
        tables = [restated(table, 0) if n != 4 else table for n, table in enumerate(tables)]
        together = ways([written(tmp_path, n, table) for n, table in enumerate(tables)])
        assert together == (7 if changes < SIGN else 6)


def test_prices_of_another_hour(ways: Ways, database_url: str, tmp_path: Path) -> None:
    """Most of a file is shifted by an hour: refused, while its neighbours restate a bar."""
    chance = random.Random(7)
    wild = [100 + cents / 100 for cents in chance.sample(range(10_000), 390)]
    tables = [
        frame(symbol(n), rows=390).with_columns(
            open=pl.Series(wild) + n, high=pl.Series(wild) + n + 1,
            low=pl.Series(wild) + n - 1, close=pl.Series(wild) + n + 0.5,
        )
        for n in range(8)
    ]  # fmt: skip
    ways([written(tmp_path, n, table) for n, table in enumerate(tables)])
    after = [restated(table, 200) for table in tables]
    after[5] = tables[5].with_columns(ts=pl.col("ts").dt.offset_by("1h"))[:330]
    assert ways([written(tmp_path, n, table) for n, table in enumerate(after)]) >= 5
    refused = "SELECT state, findings::text LIKE '%shift%' FROM job_run_files WHERE run_id = 2"
    assert sorted(fetch(database_url, refused)) == [("loaded", False)] * 7 + [("refused", True)]


@pytest.mark.parametrize(("limit", "together"), [("2", 7), ("1", 0), ("4%", 0), ("50%", 7)])
def test_no_more_may_be_restated(ways: Ways, tmp_path: Path, limit: str, together: int) -> None:
    tables = [frame(symbol(n), rows=40) for n in range(8)]
    ways([written(tmp_path, n, table) for n, table in enumerate(tables)])
    after = [restated(table, 3, 30) for table in tables]
    files = [written(tmp_path, n, table) for n, table in enumerate(after)]
    assert ways(files, max_restated=RejectLimit.parse(limit)) == together


def test_several_files_of_one_series(ways: Ways, tmp_path: Path) -> None:
    """One restates what another has grown by, or restated; and days of it follow each other."""
    whole = frame("AAPL", rows=60)
    ways([written(tmp_path, 0, whole[:30])])
    others = [frame(symbol(n)) for n in range(7)]  # after them eight go together
    after = [
        *others, restated(whole[:30], 29), whole[2:30], restated(whole[10:40], 19),
        restated(whole[:40], 39), restated(whole[:20], 5), whole, frame("AAPL", day(1)),
        restated(whole, 7), restated(frame("AAPL", day(1)), 3), frame("MSFT"), frame("IBM"),
    ]  # fmt: skip
    ways([written(tmp_path, n, table) for n, table in enumerate(after)])


@pytest.mark.parametrize(("changes", "state"), [(3, "loaded"), (4, "failed")])
def test_bars_of_a_file_of_another_name(
    ways: Ways, database_url: str, tmp_path: Path, changes: int, state: str
) -> None:
    """A tenth of the stored bars that it meets tell it apart: prices that are not adjusted."""
    adjusted, raw = (str(tmp_path / f"AAPL_{kind}.parquet") for kind in ("adj", "raw"))
    table = frame("AAPL", rows=40)
    table.write_parquet(adjusted)
    restated(table, *range(changes)).write_parquet(raw)
    ways([written(tmp_path, 0, frame("IBM")), adjusted])
    others = [written(tmp_path, 1 + n, frame(symbol(n))) for n in range(7)]
    assert ways([*others, raw, adjusted]) >= (7 if state == "loaded" else 6)
    states = f"SELECT state FROM job_run_files WHERE path = '{raw}'"
    assert fetch(database_url, states) == [(state,)]


def test_days_of_a_series_that_is_restated(ways: Ways, database_url: str, tmp_path: Path) -> None:
    """Last night's file corrects a bar of yesterday; today's, beside it, is new."""
    days = [[frame(symbol(n), day(number), rows=40) for n in range(6)] for number in range(2)]
    ways([written(tmp_path, n, table) for n, table in enumerate(days[0])])
    pairs = zip([restated(table, 39) for table in days[0]], days[1], strict=True)
    tables = [table for pair in pairs for table in pair]
    assert ways([written(tmp_path, 10 + n, table) for n, table in enumerate(tables)]) == 11
    assert fetch(database_url, TOUCHED.format(2)) == [(6, 6, 0)]


@pytest.mark.parametrize("words", [{}, {"provider": "other"}, {"interval": "5m"}], ids=str)
def test_bars_within_the_span_of_a_file_that_is_restated_before(
    ways: Ways, database_url: str, tmp_path: Path, words: dict[str, str]
) -> None:
    """One symbol of the file goes on where stored bars end, the other one covers them: the next run
    asks for changes of both within the whole span, and those before its turn are none of them."""
    step = 300 if "interval" in words else 60
    stored = [frame(symbol(n), rows=30) for n in range(6)]
    ways([written(tmp_path, n, table) for n, table in enumerate(stored)])
    both = [
        pl.concat([
            frame(symbol(50 + n), step=step, **words), frame(symbol(n), day(1), rows=30)
        ])
        for n in range(6)
    ]  # fmt: skip
    pairs = zip([restated(table, 3) for table in stored], both, strict=True)
    tables = [table for pair in pairs for table in pair]
    files = [written(tmp_path, 10 + n, table) for n, table in enumerate(tables)]
    assert ways(files) >= 5
    ways(files)
    states = "SELECT state, count(*) FROM job_run_files WHERE run_id = 3 GROUP BY 1"
    assert fetch(database_url, states) == [("known", 12)]


def test_bars_of_another_time_that_a_file_before_has_written(
    ways: Ways, database_url: str, tmp_path: Path
) -> None:
    """A day between two others has the prices of the next one, as a file before it has just
    restated them."""
    own = "AAPL"
    chance = random.Random(3)

    def wild(number: int, rows: int) -> pl.DataFrame:
        opens = pl.Series([100 + c / 100 for c in chance.sample(range(9_999), rows)])
        return frame(own, day(number), rows=rows).with_columns(
            open=opens, high=opens + 1, low=opens - 1, close=opens + 0.5
        )

    first, last, other = wild(0, 30), wild(2, 30), wild(2, SIGN - 1)
    ways([written(tmp_path, n, table) for n, table in enumerate([first, last])])
    between = wild(1, SIGN)
    copied = [pl.concat([other[name], between[name][SIGN - 1 :]]) for name in PRICES]
    tables = [
        *(frame(symbol(n)) for n in range(3)),  # after them four go together
        pl.concat([other, last[SIGN - 1 :]]), between.with_columns(copied), frame("KO"),
    ]  # fmt: skip
    ways([written(tmp_path, 10 + n, table) for n, table in enumerate(tables)])
    states = "SELECT array_agg(state ORDER BY path) FROM job_run_files WHERE run_id = 2"
    assert fetch(database_url, states) == [(["loaded"] * 4 + ["refused", "loaded"],)]


def test_a_bar_that_is_gone_too(ways: Ways, database_url: str, tmp_path: Path) -> None:
    tables = [frame(symbol(n), rows=40) for n in range(8)]
    ways([written(tmp_path, n, table) for n, table in enumerate(tables)])
    after = [restated(table, 12) for table in tables]
    after[3] = after[3].filter(pl.int_range(pl.len()) != 20)
    assert ways([written(tmp_path, n, table) for n, table in enumerate(after)]) >= 5
    assert fetch(database_url, "SELECT sum(bars_gone) FROM job_run_files") == [(1,)]


#: What another writer does to the bar, and how many bars the file then updates.
MEANWHILE: Final = {
    "restates it the same way": ("UPDATE bars_ohlcv SET close = 1.4", 0),
    "restates it otherwise": ("UPDATE bars_ohlcv SET close = 1.2", 1),
    "deletes it": ("DELETE FROM bars_ohlcv", 0),
}


def committed_late(url: str, statement: str, *given: Any) -> threading.Thread:
    """Executes the statement, and commits it once another session waits for it."""
    connection = psycopg.connect(url)
    connection.execute(statement.encode(), given)

    def commit() -> None:
        until = time.monotonic() + 30
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        while fetch(url, waiting) == [(0,)] and time.monotonic() < until:
            time.sleep(0.01)
        connection.commit()
        connection.close()

    thread = threading.Thread(target=commit)
    thread.start()
    return thread


@together_only
@pytest.mark.parametrize("late", [False, True], ids=["before", "while the file waits"])
@pytest.mark.parametrize("what", MEANWHILE)
def test_another_writer_meanwhile(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str, late: bool
) -> None:
    """A bar is not as it was when it was compared: what the file says is stored, and its books say
    what it did."""
    statement, updated = MEANWHILE[what]
    tables = [frame(symbol(n)) for n in range(8)]
    Way(database_url).load([written(tmp_path, n, table) for n, table in enumerate(tables)])
    real = together.together.booked
    waiting: list[threading.Thread] = []

    def meanwhile(session: Any, bookings: Sequence[Any]) -> list[int]:
        if symbol(4) in [one for each in bookings for one in each.symbols]:
            key = (symbol(4), NEW_YORK_OPEN + timedelta(minutes=5))
            where = f"{statement} WHERE symbol = %s AND ts = %s"
            waiting.append(committed_late(database_url, where, *key))
            if not late:
                with psycopg.connect(database_url) as waiter:
                    waiter.execute(b"LOCK TABLE bars_ohlcv IN SHARE MODE")
        return real(session, bookings)

    monkeypatch.setattr(together.together, "booked", meanwhile)
    monkeypatch.setattr(turns, "_ALONE", 1)
    after = [table.with_columns(at(5, close=pl.lit(1.4))) for table in tables]
    result = Way(database_url).load([written(tmp_path, n, t) for n, t in enumerate(after)])
    (thread,) = waiting
    thread.join()
    assert [file.counts.updated for file in result.files] == [
        1 if n != 4 else updated for n in range(8)
    ]
    stored = "SELECT count(*), sum(close) FROM bars_ohlcv WHERE symbol = %s"
    with psycopg.connect(database_url) as connection:
        assert connection.execute(stored.encode(), (symbol(4),)).fetchone() == (
            12, pytest.approx(sum(after[4]["close"])),
        )  # fmt: skip
    kept = (
        "SELECT symbol, old_close, new_close FROM bars_ohlcv_revisions WHERE file_id IS NOT NULL"
        " ORDER BY symbol"
    )
    old = {"restates it otherwise": 1.2}
    assert fetch(database_url, kept) == [
        (symbol(n), pytest.approx(old[what] if n == 4 else 1.3), pytest.approx(1.4))
        for n in range(8)
        if n != 4 or what in old
    ]


@pytest.mark.parametrize("seed", range(SEEDS))
def test_random_nights(ways: Ways, tmp_path: Path, seed: int) -> None:
    """Each night files grow, are restated here and there, get late bars or lose some."""
    chance = random.Random(seed)
    last = {n: 20 + chance.randrange(5) for n in range(14)}
    late = {n: chance.sample(range(60), 4) for n in range(14)}
    moved: dict[tuple[int, int, int], float] = {}

    def table(n: int) -> pl.DataFrame:
        parts = []
        for own in range(1 + n % 3):
            whole = dearer(frame(symbol(20 * own + n // 2), day(n % 2), rows=60), n % 5)
            for row in chance.sample(range(last[n]), chance.choice([0, 0, 1, 1, 3, 12])):
                moved[n, own, row] = chance.choice([0.0, 0.01, 0.02])
            for (owner, series, row), by in moved.items():
                if (owner, series) == (n, own):
                    whole = restated(whole, row, by=by)
            part = whole[: last[n]]
            parts.append(part.filter(~pl.int_range(pl.len()).is_in(late[n])))
        return pl.concat(parts)

    for _ in range(4):
        limit = chance.choice([None, None, "4", "8%"])
        ways(
            [written(tmp_path, n, table(n)) for n in last],
            force=chance.random() < 0.2,
            max_restated=RejectLimit.parse(limit) if limit else None,
        )
        for n in last:
            last[n] += chance.choice([0, 1, 5])
            if chance.random() < 0.4 and late[n]:
                late[n].pop()
            if chance.random() < 0.05:
                late[n].append(chance.randrange(20))

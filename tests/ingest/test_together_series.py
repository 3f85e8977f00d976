"""Small files that are checked one by one and written together: of several series, of vendors, or
read by options. The same, row for row, as when each is loaded by itself."""

from __future__ import annotations

import os
import random
import zipfile
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import polars as pl
import pytest

from loader.bars.symbol_map import Rename, SymbolMap
from loader.ingest.run import together
from loader.settings.limit import RejectLimit
from tests.conftest import not_on_citus
from tests.support.both_ways import (
    MIDNIGHT,
    Way,
    after_another_writer,
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
together_only = not_on_citus("files load one by one there")


def test_files_of_several_symbols(ways: Callable[..., int], tmp_path: Path) -> None:
    """A file a day, each with all symbols; then with one more; by symbol and by time."""
    files = [written(tmp_path, n, of_several(range(5), day(n))) for n in range(8)]
    assert ways(files) == 7
    assert ways(files, force=True) == 7
    more = [written(tmp_path, 20 + n, of_several(range(6), day(8 + n)).sort("ts", "symbol"))
            for n in range(8)]  # fmt: skip
    assert ways([*files, *more]) >= 7


def test_one_symbol_a_day_a_file(ways: Callable[..., int], tmp_path: Path) -> None:
    """Each file goes on where the one before it ends, and none meets it."""
    files = [written(tmp_path, n, frame("AAPL", day(n))) for n in range(12)]
    assert ways(files) == 11
    earlier = [written(tmp_path, 50 + n, frame("MSFT", day(20 - n))) for n in range(12)]
    assert ways(earlier) == 11


def test_days_that_lie_between_others(
    ways: Callable[..., int], database_url: str, tmp_path: Path
) -> None:
    """Bars between stored ones are counted, also where the files around them are of the same
    run."""
    order = [0, 1, 7, 4, 8, 2, 9, 10, 3, 11]
    tables = [dearer(frame("AAPL", day(n), rows=30), n) for n in order]
    files = [written(tmp_path, n, table) for n, table in enumerate(tables)]
    assert ways(files) == 9
    between = "SELECT array_agg(bars_inserted_between ORDER BY id) FROM job_run_files"
    assert fetch(database_url, between) == [([0, 0, 0, 30, 0, 30, 0, 0, 30, 0],)]
    more = [dearer(of_several([1, 2, 3], day(n), rows=9), n) for n in (0, 9, 4, 5, 6)]
    assert ways([written(tmp_path, 20 + n, table) for n, table in enumerate(more)]) >= 3
    assert ways([written(tmp_path, 30, dearer(frame("AAPL", day(5), rows=30), 5))]) == 0


def test_each_file_between_others_is_looked_at_by_itself(
    ways: Callable[..., int], database_url: str, tmp_path: Path
) -> None:
    """How many series of a file the guard looks at does not depend on the files before it."""
    order = [0, 9, 5, 1, 2, 6]
    tables = [dearer(of_several(range(70), day(n), rows=22), n) for n in order]
    tables[-1] = dearer(of_several(range(70), day(6), rows=22), 5)  # as day 5
    assert ways([written(tmp_path, n, table) for n, table in enumerate(tables)]) == 4
    states = "SELECT array_agg(state ORDER BY id) FROM job_run_files"
    assert fetch(database_url, states) == [([*["loaded"] * 5, "refused"],)]


def test_two_workers_with_the_same_symbols(database_url: str, tmp_path: Path) -> None:
    """Each one's days come between the other's: all are stored once, with nothing to report."""
    tables = [dearer(of_several(range(4), day(n), rows=9), n) for n in range(60)]
    files = [written(tmp_path, n, table) for n, table in enumerate(tables)]
    result = Way(database_url).load(files, workers=2)
    assert [file.state for file in result.files] == ["loaded"] * 60
    assert [file.counts.inserted for file in result.files] == [36] * 60
    assert not any(file.findings for file in result.files)
    stored = "SELECT symbol, ts, open, high, low, close, volume FROM bars_ohlcv ORDER BY 1, 2"
    wanted = pl.concat(tables).select("symbol", "ts", "open", "high", "low", "close", "volume")
    assert fetch(database_url, stored) == wanted.sort("symbol", "ts").rows()
    counted = "SELECT rows_read, rows_inserted, rows_updated FROM job_runs"
    assert fetch(database_url, counted) == [(2160, 2160, 0)]
    again = Way(database_url).load(files, force=True, workers=2)
    assert [file.counts.unchanged for file in again.files] == [36] * 60


def test_days_between_others_with_their_prices(
    ways: Callable[..., int], database_url: str, tmp_path: Path
) -> None:
    """A file with the prices of the day before or after is refused, whether that day is stored or
    of a file that is written with it; so are several series together, of few bars each."""

    def states() -> list[Any]:
        return fetch(database_url, "SELECT array_agg(state ORDER BY id) FROM job_run_files")[0][0]

    days = [dearer(frame("AAPL", day(n), rows=30), n) for n in (0, 2, 9, 10, 4, 5)]
    days.append(dearer(frame("AAPL", day(6), rows=30), 5))  # as day 5
    days.append(dearer(frame("AAPL", day(8), rows=30), 9))  # as day 9
    days.append(dearer(frame("AAPL", day(7), rows=30), 7))
    assert ways([written(tmp_path, n, table) for n, table in enumerate(days)]) >= 5
    assert states() == ["loaded"] * 6 + ["refused", "refused", "loaded"]
    several = [dearer(of_several(range(5), day(n), rows=6), n) for n in (0, 1, 2, 11, 12, 4, 5, 6)]
    several[6] = dearer(of_several(range(5), day(5), rows=6), 4)  # as day 4
    assert ways([written(tmp_path, 20 + n, table) for n, table in enumerate(several)]) >= 5
    assert states()[9:] == [*["loaded"] * 6, "refused", "loaded"]


def test_cross_sections(ways: Callable[..., int], tmp_path: Path) -> None:
    """A file a day, each with one bar of many symbols."""
    days = [of_several(range(150), MIDNIGHT + timedelta(days=n), rows=1, step=86_400)
            for n in (0, 1, 2, 6, 7, 8)]  # fmt: skip
    files = [written(tmp_path, n, table) for n, table in enumerate(days)]
    assert ways(files) == 5
    assert ways(files, force=True) >= 1


def test_more_symbols_than_the_ledger_lists(
    ways: Callable[..., int], database_url: str, tmp_path: Path
) -> None:
    many = [f"S{number}" for number in range(1001)]
    days = [frame("S", MIDNIGHT + timedelta(days=n), rows=1, step=86_400) for n in range(4)]
    crosses = [table.drop("symbol").join(pl.DataFrame({"symbol": many}), how="cross")
               for table in days]  # fmt: skip
    tables = [*crosses[:3], crosses[3][:1000], crosses[3].with_columns(at(7, close=pl.lit(1.3)))]
    files = [written(tmp_path, n, table) for n, table in enumerate(tables)]
    assert ways(files) >= 3
    listed = "SELECT array_agg(cardinality(symbols) ORDER BY id) FROM job_run_files"
    assert fetch(database_url, listed) == [([None, None, None, 1000, None],)]
    assert fetch(database_url, "SELECT cardinality(symbols) FROM job_runs") == [(1001,)]


def test_new_series_beside_stored_ones(
    ways: Callable[..., int], database_url: str, tmp_path: Path
) -> None:
    first = [written(tmp_path, n, of_several([n, n + 50])) for n in range(6)]
    ways(first)
    files = [written(tmp_path, 20 + n, of_several([n, n + 50, n + 100])) for n in range(6)]
    assert ways(files) >= 4
    both = "SELECT rows_inserted, rows_unchanged FROM job_run_files WHERE rows_unchanged > 0"
    assert fetch(database_url, both) == [(12, 24)] * 6


def test_several_providers_and_intervals(ways: Callable[..., int], tmp_path: Path) -> None:
    def mixed(n: int) -> pl.DataFrame:
        return pl.concat([
            frame(symbol(n), provider="first"),
            frame(symbol(n), rows=30, step=300, provider="first"),
            frame(symbol(n), rows=7, provider="second"),
        ])  # fmt: skip

    assert ways([written(tmp_path, n, mixed(n)) for n in range(6)]) >= 4


def test_a_symbol_in_two_spellings(ways: Callable[..., int], tmp_path: Path) -> None:
    """In one file, and in two files of one run: each is refused, or noted, as it is by itself."""
    spelled = [frame(s, day(n)) for n, s in enumerate(["BRK.B", "BRK/B", "brk.b", "BRK B"])]
    files = [written(tmp_path, 2 * n, table) for n, table in enumerate(spelled)]
    files += [written(tmp_path, 20 + n, frame(symbol(n))) for n in range(4)]
    files.append(written(tmp_path, 30, pl.concat([frame("BF.B"), frame("BF/B", day(1))])))
    files += [written(tmp_path, 40 + n, frame(symbol(n), day(1))) for n in range(4)]
    ways(files)
    ways(files, force=True, symbol_convention="cqs")


def test_options(ways: Callable[..., int], tmp_path: Path) -> None:
    """What the person says of a file is read with it."""

    def made(first: int, spelled: Callable[[str], str] = str) -> list[str]:
        numbers = range(first, first + 8)
        return [written(tmp_path, n, frame(spelled(symbol(n)), rows=30)) for n in numbers]

    assert ways(made(0), stamp="start") == 7
    assert ways(made(10), stamp="end") == 7
    assert ways(made(20), price_exponent=-2) == 7
    assert ways(made(30, str.lower), symbol_convention="plain") == 7
    renames = (Rename(symbol(n).lower(), f"X{n}") for n in range(40, 48))
    assert ways(made(40, str.lower), symbol_map=SymbolMap(tuple(renames))) == 7


def binance(folder: Path, name: str, start: datetime, rows: int = 40, packed: bool = False) -> str:
    cents = [10_000 + n for n in range(rows)]
    lines = []
    for n, cent in enumerate(cents):
        at_ms = int((start + timedelta(minutes=n)).timestamp() * 1000)
        price, high, low = cent / 100, cent / 100 + 1, cent / 100 - 1
        lines.append(f"{at_ms},{price},{high},{low},{price},{n}.5,{at_ms + 59_999},7.0,3,1.0,2.0,0")
    path = folder / f"{name}-1m-{start:%Y-%m-%d}.csv"
    if not packed:
        path.write_text("\n".join(lines) + "\n")
        return str(path)
    with zipfile.ZipFile(path.with_suffix(".zip"), "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(path.name, "\n".join(lines) + "\n")
    return str(path.with_suffix(".zip"))


def stooq(folder: Path, ticker: str, first: int) -> str:
    lines = ["<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>"]
    dates = [datetime(2024, 1, d) for d in range(1, 30) if datetime(2024, 1, d).weekday() < 5]
    for date in dates[first:]:
        lines.append(f"{ticker}.US,D,{date:%Y%m%d},000000,10,11,9,10.5,100,0")
    path = folder / f"{ticker.lower()}.us.txt"
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def yahoo(folder: Path, ticker: str, without_prices: Sequence[int] = ()) -> str:
    lines = ["Date,Open,High,Low,Close,Adj Close,Volume"]
    dates = [datetime(2024, 1, d) for d in range(1, 30) if datetime(2024, 1, d).weekday() < 5]
    for n, date in enumerate(dates):
        bar = "null,null,null,null,null,null" if n in without_prices else "10,11,9,10.5,10.4,100"
        lines.append(f"{date:%Y-%m-%d},{bar}")
    path = folder / f"{ticker}.csv"
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def test_vendors(ways: Callable[..., int], tmp_path: Path) -> None:
    """Each file's format, symbol and notes are its own."""
    begin = MIDNIGHT + timedelta(hours=3)
    coins = [binance(tmp_path, f"A{n}USDT", begin) for n in range(5)]
    coins += [binance(tmp_path, "ETHUSDT", begin + timedelta(days=n)) for n in range(5)]
    coins += [binance(tmp_path, f"B{n}USDT", begin, packed=True) for n in range(5)]
    assert ways(coins) == 14
    shares = [stooq(tmp_path, f"S{n}", n) for n in range(5)]
    shares += [yahoo(tmp_path, f"Y{n}") for n in range(5)]
    shares += [written(tmp_path, n, frame(symbol(n))) for n in range(5)]
    random.Random(3).shuffle(shares)
    assert ways([*shares, *coins]) >= 13
    assert ways([*coins, *shares], force=True) >= 20


def test_rows_that_are_no_bars(ways: Callable[..., int], database_url: str, tmp_path: Path) -> None:
    """They are counted as skipped, and noted."""
    files = [yahoo(tmp_path, f"Y{n}", without_prices=(n, n + 10)) for n in range(6)]
    assert ways(files) == 5
    skipped = "SELECT rows_skipped, rows_inserted, rows_unchanged FROM job_run_files"
    assert fetch(database_url, skipped) == [(2, 19, 0)] * 6
    assert fetch(database_url, "SELECT rows_skipped, rows_inserted FROM job_runs") == [(12, 114)]


def test_rejects_and_refusals_among_others(
    ways: Callable[..., int], database_url: str, tmp_path: Path
) -> None:
    """A file with a bad row, one with a row twice, one that cannot be read, one of two units: each
    has its own turn, and those around it are written together."""
    tables = [of_several([3 * n, 3 * n + 1, 3 * n + 2], rows=30) for n in range(16)]
    tables[4] = tables[4].with_columns(at(33, high=pl.col("low") - 1))
    tables[7] = pl.concat([tables[7], tables[7][-1:]])
    tables[10] = tables[10].with_columns(at(70, ts=pl.lit(None)))
    tables[12] = tables[12].drop("close")
    files = [written(tmp_path, n, table) for n, table in enumerate(tables)]
    assert ways(files, max_rejects=RejectLimit.parse("5%")) >= 8
    states = fetch(database_url, "SELECT state, count(*) FROM job_run_files GROUP BY 1 ORDER BY 1")
    assert states == [("failed", 1), ("loaded", 15)]


@pytest.mark.parametrize("seed", range(SEEDS))
def test_random_histories(ways: Callable[..., int], tmp_path: Path, seed: int) -> None:
    """Files of some series each, over some stretch of time that may meet, restate, halve or leave
    holes in what others of the same or an earlier run have."""
    chance = random.Random(seed)

    def table() -> pl.DataFrame:
        parts = []
        for n in sorted(chance.sample(range(6), chance.choice([1, 1, 2, 3]))):
            part = frame(symbol(n), day(chance.randrange(8)), rows=chance.choice([1, 12, 30]))
            part = dearer(part, chance.randrange(20))
            if chance.random() < 0.2 and part.height > 6:
                part = part.filter(pl.int_range(pl.len()) % chance.choice([2, 5]) != 1)
            if chance.random() < 0.2:
                part = part.with_columns(pl.col("close") + chance.choice([0.01, 0.1]))
            parts.append(part)
        made = pl.concat(parts)
        return made.sort("ts", "symbol") if chance.random() < 0.3 else made

    files = [written(tmp_path, n, table()) for n in range(25)]
    ways(files)
    for n in chance.sample(range(25), 5):
        written(tmp_path, n, table())
    ways(files)
    ways(files, force=True)


@together_only
def test_a_writer_that_is_faster_with_one_of_the_series(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of the file in question is kept by the attempt; then it is loaded by itself."""
    files = [written(tmp_path, n, of_several([n, n + 20, n + 40])) for n in range(8)]
    booked = after_another_writer(database_url, symbol(42), together.together.booked)
    monkeypatch.setattr(together.together, "booked", booked)
    result = Way(database_url).load(files)
    assert [file.counts.inserted for file in result.files] == [36, 36, 35, *[36] * 5]
    assert [file.counts.updated for file in result.files] == [0, 0, 1, *[0] * 5]
    assert fetch(database_url, "SELECT count(*) FROM bars_ohlcv") == [(288,)]
    assert fetch(database_url, "SELECT rows_read, rows_written FROM job_runs") == [(288, 288)]

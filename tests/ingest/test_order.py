"""Files that restate each other, loaded by several workers: the last one that was given counts."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path
from threading import Event
from typing import Any

import polars as pl
import pytest

from loader.cli.views.load import print_load
from loader.ingest.pipeline import load
from loader.ingest.run.order import Order
from loader.ingest.ways import chosen
from loader.ingest.ways.processes.team import started
from loader.read.sources import Source, find
from loader.results import LoadResult
from loader.results.events import Event as Emitted
from loader.results.events import FileDone, FileNote, FileStarted
from loader.settings import Settings, place
from loader.settings.limit import RejectLimit
from tests.conftest import database
from tests.support.both_ways import NEW_YORK_OPEN, at, frame, symbol
from tests.support.sql import fetch

CLOSE = "SELECT close FROM bars_ohlcv ORDER BY ts LIMIT 1"
LEDGER = """SELECT path, state, rows_updated, rows_unchanged, notes FROM job_run_files
    WHERE run_id = {} ORDER BY id"""
WHY = (
    "loaded again, because the last file counts: {} was given before it, and changed bars of it "
    "after it was loaded"
)
STAMPS = "times are read as the starts of the bars; if they are ends: --stamp end"


class Held:
    """Two workers, of which one waits with the first file until the other has ended the second,
    and waits for the first one then."""

    def __init__(self, url: str, files: Sequence[str]) -> None:
        self.url, self.files = url, files
        self.events: list[Emitted] = []
        self._first, self._second = Event(), Event()

    def __call__(self, event: Emitted) -> None:
        self.events.append(event)
        first, second = self.files[:2]
        if isinstance(event, FileStarted) and event.path == first:
            assert self._second.wait(60)
        elif isinstance(event, FileDone) and event.result.path == first:
            self._first.set()
        elif isinstance(event, FileDone) and event.result.path == second:
            self._second.set()
            assert self._first.wait(60)

    def load(self, **settings: Any) -> LoadResult:
        with find(list(self.files)) as sources:
            return load(Settings(workers=2, **settings), self.url, sources, [self])


def one_worker(url: str, files: Sequence[str], **settings: Any) -> LoadResult:
    with find(list(files)) as sources:
        return load(Settings(**settings), url, sources)


def states(result: LoadResult) -> list[tuple[str, str, int]]:
    return [(Path(one.path).stem[-2:], one.state, one.counts.updated) for one in result.files]


@pytest.fixture
def dump(tmp_path: Path) -> Callable[..., str]:
    """A dump of a day: forty bars, of which the first closes as it is said."""

    def write(day: int, close: float, symbol: str = "AAPL", **columns: Any) -> str:
        path = tmp_path / f"2024-01-{day:02}.parquet"
        table = frame(symbol, rows=40).with_columns(at(0, close=pl.lit(close)))
        table.with_columns(**{name: pl.lit(each) for name, each in columns.items()}).write_parquet(
            path
        )
        return str(path)

    return write


def test_a_file_that_is_loaded_before_an_earlier_one(
    database_url: str, dump: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    """It is loaded again at the end, and its note is in the ledger and in its result."""
    files = [dump(2, 1.0), dump(3, 1.25)]
    held = Held(database_url, files)
    result = held.load()
    assert fetch(database_url, CLOSE) == [(1.25,)]
    assert states(result) == [("02", "loaded", 1), ("03", "loaded", 0), ("03", "loaded", 1)]
    assert result.files[2].notes[-1].text == WHY.format(files[0])
    said = [each.text for each in held.events if isinstance(each, FileNote)]
    assert said.count(WHY.format(files[0])) == 1
    path = files[1]
    assert fetch(database_url, LEDGER.format(result.run_id)) == [
        (path, "loaded", 0, 0, [STAMPS]),
        (files[0], "loaded", 1, 39, [STAMPS]),
        (path, "loaded", 1, 39, [STAMPS, WHY.format(files[0])]),
    ]
    (counted,) = fetch(database_url, "SELECT rows_read, rows_inserted, rows_updated FROM job_runs")
    assert counted == (120, 40, 2) == (
        result.counts.read, result.counts.inserted, result.counts.updated,
    )  # fmt: skip
    print_load(result, as_json=False)
    assert "   again  1 load, because the last file counts\n" in capsys.readouterr().out
    again = one_worker(database_url, files)
    assert {file.state for file in again.files} <= {"known", "loaded"}
    print_load(again, as_json=False)
    assert " again " not in capsys.readouterr().out
    assert fetch(database_url, CLOSE) == [(1.25,)]


def test_a_third_file_that_was_in_its_turn(database_url: str, dump: Callable[..., str]) -> None:
    """It is not loaded again: the one before it is, and would not change what it says."""
    files = [dump(2, 1.0), dump(3, 1.25), dump(4, 1.5)]
    result = Held(database_url, files).load()
    assert fetch(database_url, CLOSE) == [(1.5,)]
    assert states(result) == [("02", "loaded", 1), ("03", "loaded", 0), ("04", "loaded", 1)]


def test_a_file_that_had_nothing_to_change(database_url: str, dump: Callable[..., str]) -> None:
    """What it says was stored by a run before this one, so that no version is its own."""
    files = [dump(2, 1.0), dump(3, 1.25)]
    one_worker(database_url, files[1:])
    result = Held(database_url, files).load(force=True)
    assert fetch(database_url, CLOSE) == [(1.25,)]
    assert states(result) == [("02", "loaded", 1), ("03", "loaded", 0), ("03", "loaded", 1)]


def test_a_file_that_was_known(database_url: str, dump: Callable[..., str]) -> None:
    files = [dump(2, 1.0), dump(3, 1.25)]
    one_worker(database_url, files[1:])
    result = Held(database_url, files).load()
    assert fetch(database_url, CLOSE) == [(1.25,)]
    assert states(result) == [("02", "loaded", 1), ("03", "known", 0), ("03", "loaded", 1)]


def test_bars_that_an_earlier_file_deleted(database_url: str, dump: Callable[..., str]) -> None:
    """One file lacks a bar in the middle; the one after it has it."""
    files = [dump(2, 1.0), dump(3, 1.0)]
    short = pl.read_parquet(files[0])
    short.filter(pl.col("ts") != short["ts"][20]).write_parquet(files[0])
    result = Held(database_url, files).load(delete_gone=True)
    assert fetch(database_url, "SELECT count(*) FROM bars_ohlcv") == [(40,)]
    assert [file.counts.inserted for file in result.files] == [0, 40, 1]


@pytest.mark.parametrize("more", [0, 1001])
def test_bars_that_an_earlier_file_added(
    database_url: str, dump: Callable[..., str], more: int
) -> None:
    """The file after it lacks one, and deletes it; also if the ledger lists too many symbols."""
    files = [dump(2, 1.0), dump(3, 1.0)]
    table = pl.read_parquet(files[0])
    symbols = pl.Series("symbol", [f"S{n:04}" for n in range(more)], pl.String)
    others = table[:1].drop("symbol").join(symbols.to_frame(), how="cross")
    for path, bars in zip(files, (table, table.filter(pl.arange(40) != 20)), strict=True):
        pl.concat([bars, others.select(table.columns)]).write_parquet(path)
    result = Held(database_url, files).load(delete_gone=True)
    aapl = "SELECT count(*) FROM bars_ohlcv WHERE symbol = 'AAPL'"
    assert fetch(database_url, aapl) == [(39,)]
    assert [file.history.deleted for file in result.files] == [0, 0, 1]


def test_files_that_add_bars_beside_each_other(database_url: str, dump: Callable[..., str]) -> None:
    """One series in turns: no file lacks a bar of the other."""
    files = [dump(2, 1.0), dump(3, 1.0)]
    table = pl.read_parquet(files[0])
    table[:20].write_parquet(files[0])
    table[20:].write_parquet(files[1])
    result = Held(database_url, files).load(delete_gone=True)
    assert [file.counts.inserted for file in result.files] == [20, 20]


def test_a_file_that_failed_behind_its_first_parts(
    database_url: str, dump: Callable[..., str], tmp_path: Path
) -> None:
    """The parts that stay count as a whole file does."""
    files = [dump(2, 1.0), str(tmp_path / "2024-01-03.csv")]
    pl.read_parquet(dump(3, 1.25))[:30].write_csv(files[1])
    with Path(files[1]).open("a") as file:
        file.write("garbage\n")
    result = Held(database_url, files).load(commit_every=10, max_rejects=RejectLimit(rows=0))
    assert fetch(database_url, CLOSE) == [(1.25,)]
    assert states(result) == [("02", "loaded", 1), ("03", "partial", 0), ("03", "partial", 1)]
    assert {file.exit_code for file in result.files} == {0, 4}


@pytest.mark.parametrize("other", [{"symbol": "MSFT"}, {"provider": "other"}, {"interval": "2m"}])
def test_files_that_do_not_restate_each_other(
    database_url: str, dump: Callable[..., str], other: dict[str, str]
) -> None:
    """Both change bars, of other series."""
    old, files = [dump(1, 0.75), dump(2, 0.75, **other)], [dump(3, 1.0), dump(4, 1.25, **other)]
    if "interval" in other:
        for path in (old[1], files[1]):
            pl.read_parquet(path).gather_every(2).write_parquet(path)
    one_worker(database_url, old)
    result = Held(database_url, files).load()
    assert states(result) == [("03", "loaded", 1), ("04", "loaded", 1)]


@pytest.mark.parametrize("kind", ["providers", "intervals", "symbols"])
def test_files_of_which_the_ledger_does_not_list_all(
    database_url: str, tmp_path: Path, kind: str
) -> None:
    """Of several providers or intervals it names none, and of many symbols none of them. The third
    file is of a series that neither of the others has."""
    series = {
        "providers": [frame("A"), frame("A", provider="other")],
        "intervals": [frame("A"), frame("A", step=3600)],
        "symbols": [frame(symbol(n), rows=1) for n in range(1_001)],
    }[kind]
    files = [str(tmp_path / f"2024-01-0{n}.parquet") for n in (2, 3, 4)]
    for path, close in zip(files, (1.0, 1.125), strict=False):
        pl.concat(series).with_columns(close=close, open=1.0, low=0.5, high=2.0).write_parquet(path)
    frame("ZZZZ").write_parquet(files[2])
    one_worker(database_url, files[1:])
    result = Held(database_url, files).load()
    assert fetch(database_url, "SELECT DISTINCT close FROM bars_ohlcv WHERE symbol <> 'ZZZZ'") == [
        (1.125,)
    ]
    assert [each[:2] for each in states(result)] == [
        ("02", "loaded"), ("03", "known"), ("04", "known"), ("03", "loaded"),
    ]  # fmt: skip


def with_processes(url: str, sources: Sequence[Source]) -> LoadResult:
    with started(1) as team:
        return load(Settings(workers=2), url, sources, elsewhere=team)


EDITIONS: dict[str, Callable[[str, Sequence[Source]], LoadResult]] = {
    "threads": lambda url, sources: load(Settings(workers=3), url, sources),
    "processes": with_processes,
    "dask": lambda url, sources: chosen.load(Settings(on=place.read("local:2")), url, sources),
}


@pytest.mark.parametrize("way", EDITIONS)
def test_several_editions_of_many_series(database_url: str, tmp_path: Path, way: str) -> None:
    """Small files that go together, in groups; the oracle is the last edition of each series."""
    files, last = [], {}
    for edition in range(4):
        (tmp_path / f"{edition}").mkdir()
        for number in range(60):
            close = 1 + edition / 8
            table = frame(f"S{number:03}", rows=12).with_columns(at(5, close=pl.lit(close)))
            path = tmp_path / f"{edition}" / f"2024-01-{edition + 2:02}_{number}.parquet"
            table.write_parquet(path)
            files.append(str(path))
            last[f"S{number:03}"] = close
    with find(files) as sources:
        result = EDITIONS[way](database_url, sources)
    stored = fetch(
        database_url,
        "SELECT symbol, close::float FROM bars_ohlcv"
        " WHERE ts = (SELECT min(ts) + interval '5 min' FROM bars_ohlcv)",
    )
    assert dict(stored) == last
    assert all(file.exit_code == 0 for file in result.files)


@pytest.mark.parametrize("seed", range(2))
def test_several_workers_leave_what_one_leaves(
    server_url: str, template: str, database_url: str, tmp_path: Path, seed: int
) -> None:
    """Windows of a few series that move on, meet and restate each other; loaded twice, the second
    time with some dumps that are new."""
    chance = random.Random(seed)
    files = []
    for number in range(60):
        tables = []
        for name in chance.sample("ABCDEF", chance.choice((1, 1, 1, 2, 3))):
            start, rows = chance.randrange(number // 4 + 1), chance.randint(3, 12)
            closes = [1 + chance.choice((0, 0, 0, 1, 2)) / 8 for _ in range(rows)]
            table = frame(name, NEW_YORK_OPEN + timedelta(minutes=start), rows)
            tables.append(table.with_columns(
                pl.Series("close", closes), open=1.0, high=2.0, low=0.5))  # fmt: skip
        files.append(str(tmp_path / f"{date(2024, 1, 1) + timedelta(number)}.parquet"))
        pl.concat(tables).write_parquet(files[-1])
    first = sorted(chance.sample(files, 45))
    stored = "SELECT symbol, ts, close FROM bars_ohlcv ORDER BY 1, 2"
    with database(server_url, template) as other:
        for given in (first, files):
            alone = one_worker(other, given)
            with find(given) as sources:
                beside = load(Settings(workers=3), database_url, sources)
            codes = {Path(file.path).stem: file.exit_code for file in alone.files}
            assert {Path(file.path).stem: file.exit_code for file in beside.files} == codes
            assert fetch(database_url, stored) == fetch(other, stored)


def slow_late(began: Sequence[int], ended: Sequence[int], asked: Sequence[int]) -> list[int]:
    files = range(len(began))
    return [n for n in asked if any(m > n and began[m] != began[n] and began[m] < ended[n]
                                    for m in files)]  # fmt: skip


def test_which_files_are_late() -> None:
    """Against one pair after the other, with workers that take some files at a time."""
    chance = random.Random(7)
    for _ in range(300):
        order, began, ended, step = Order(), [0] * 12, [0] * 12, 0
        waiting, open_parts = list(range(12)), list[list[int]]()
        while waiting or open_parts:
            step += 1
            if waiting and (not open_parts or chance.random() < 0.5):
                part = [waiting.pop(0) for _ in range(min(chance.randint(1, 4), len(waiting)))]
                order.begin(part)
                open_parts.append(part)
                for number in part:
                    began[number] = step
                continue
            part = open_parts.pop(chance.randrange(len(open_parts)))
            done = chance.randint(1, len(part))
            order.end(part[:done])
            for number in part[:done]:
                ended[number] = step
            waiting = sorted([*waiting, *part[done:]])
        asked = sorted(chance.sample(range(12), 5))
        late = order.late(asked)
        assert late == slow_late(began, ended, asked)
        pairs = {m for n in late for m in range(n + 1, 12) if order.is_late(n, m)}
        assert pairs == {m for n in late for m in range(n + 1, 12)
                         if began[m] != began[n] and began[m] < ended[n]}  # fmt: skip
        assert pairs <= set(order.begun_before(late))

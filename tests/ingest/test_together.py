"""Small files that are loaded together: the same, row for row, as when each is loaded by itself."""

from __future__ import annotations

import random
import signal
import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import psycopg
import pytest

from loader.errors import RunFinished
from loader.ingest.run import LoadRun, together, turns
from loader.settings import Settings
from loader.settings.limit import RejectLimit
from tests.conftest import not_on_citus
from tests.support.both_ways import (
    NEW_YORK_OPEN,
    ODD,
    Way,
    after_another_writer,
    at,
    frame,
    in_the_middle,
    symbol,
    written,
)
from tests.support.sql import fetch

#: For tests of what loads several files together.
together_only = not_on_citus("files load one by one there")


def test_plain_files(ways: Callable[..., int], tmp_path: Path) -> None:
    files = [written(tmp_path, n, frame(symbol(n), rows=30)) for n in range(12)]
    assert ways(files) == 11
    assert ways(files) == 0  # all are known
    assert ways(files, force=True) == 11
    later = NEW_YORK_OPEN + timedelta(days=1)
    more = [written(tmp_path, 100 + n, frame(symbol(n), later)) for n in range(12)]
    assert ways([*files, *more]) == 11


def test_odd_files_among_plain_ones(ways: Callable[..., int], tmp_path: Path) -> None:
    tables = []
    for number, made in enumerate(ODD.values()):
        tables += [frame(symbol(3 * number)), frame(symbol(3 * number + 1))]
        tables.append(made(symbol(3 * number + 2)))
    files = [written(tmp_path, n, table) for n, table in enumerate(tables)]
    assert ways(files) >= len(ODD) // 2
    assert ways(files, force=True) >= len(ODD) // 2


def test_odd_files_among_their_like(ways: Callable[..., int], tmp_path: Path) -> None:
    made = [each for each in ODD.values() for _ in range(3)]
    files = [written(tmp_path, n, table(symbol(n))) for n, table in enumerate(made)]
    assert ways(files) > 10


@pytest.mark.parametrize("seed", range(3))
def test_files_in_any_order(ways: Callable[..., int], tmp_path: Path, seed: int) -> None:
    """Also files of one symbol, which meet the bars of files before them, restate some or lack
    some; and the same files again after some were changed."""
    chance = random.Random(seed)
    kinds = ["plain"] * 30 + list(ODD)
    tables = [ODD[chance.choice(kinds)](symbol(chance.randrange(24))) for _ in range(30)]
    for n, table in enumerate(tables):
        if chance.random() < 0.3 and table.height > 3:
            cut = chance.randrange(1, table.height)
            tables[n] = table[cut:] if chance.random() < 0.5 else table[:cut]
        if chance.random() < 0.2 and table.schema["close"] == pl.Float64:
            tables[n] = tables[n].with_columns(pl.col("close") + 0.01)
    files = [written(tmp_path, n, table) for n, table in enumerate(tables)]
    ways(files)
    for n in chance.sample(range(30), 6):
        written(tmp_path, n, frame(symbol(chance.randrange(24)), rows=chance.randrange(1, 30)))
    ways(files)
    ways(files, force=True)


def test_other_settings(ways: Callable[..., int], tmp_path: Path) -> None:
    files = [written(tmp_path, n, frame(symbol(n))) for n in range(6)]
    assert ways(files, provider="made", max_rejects=Settings().max_rejects) == 5
    assert ways(files, force=True, provider="other") == 5
    assert ways(files, force=True, timezone="America/New_York") == 5
    assert ways(files, force=True, dry_run=True) == 0


def test_names_that_say_something(ways: Callable[..., int], tmp_path: Path) -> None:
    folder = tmp_path / "symbol=AAAA"
    folder.mkdir()
    files = [written(folder, n, frame(symbol(0), rows=n + 2)) for n in range(6)]
    assert ways(files) == 3  # each has grown by a bar: of those read together, the first


def test_symbols_that_are_spelled_otherwise_before(
    ways: Callable[..., int], tmp_path: Path
) -> None:
    first = [written(tmp_path, 90 + n, frame(symbol(n).lower(), rows=2)) for n in range(8)]
    ways(first)
    ways([written(tmp_path, n, frame(symbol(n), rows=20)) for n in range(12)])


@together_only
def test_a_writer_that_is_faster(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was committed before the file in question stays; that file is loaded by itself."""
    files = [written(tmp_path, n, frame(symbol(n))) for n in range(8)]
    booked = after_another_writer(database_url, symbol(2), together.together.booked)
    monkeypatch.setattr(together.together, "booked", booked)
    result = Way(database_url).load(files)
    assert [file.counts.inserted for file in result.files] == [12, 12, 11, *[12] * 5]
    assert [file.counts.updated for file in result.files] == [0, 0, 1, *[0] * 5]
    assert fetch(database_url, "SELECT count(*) FROM bars_ohlcv") == [(96,)]
    assert fetch(database_url, "SELECT count(DISTINCT id) FROM job_run_files") == [(8,)]


@together_only
def test_a_change_after_the_look_at_stored_bars_counts_as_later(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another writer corrects bars that were found stored as they are, before these files are in
    the books: their content is loaded again."""
    files = [written(tmp_path, n, frame(symbol(n))) for n in range(8)]
    Way(database_url).load(files)
    other = written(tmp_path, 90, frame(symbol(2)).with_columns(at(3, volume=pl.lit(5.0))))
    looks: list[datetime] = []
    standings, booked = together.standing.standings, together.together.booked

    def looked(*given: Any) -> Any:
        looks[:] = fetch(database_url, "SELECT clock_timestamp()")[0]
        return standings(*given)

    def meanwhile(session: Any, bookings: Sequence[Any]) -> list[int]:
        if symbol(2) in [one for each in bookings for one in each.symbols]:
            (result,) = Way(database_url).load([other]).files
            assert result.counts.updated == 1
            monkeypatch.setattr(together.standing, "standings", standings)
        return booked(session, bookings)

    monkeypatch.setattr(together.standing, "standings", looked)
    monkeypatch.setattr(together.together, "booked", meanwhile)
    monkeypatch.setattr(turns, "_ALONE", 1)
    again = Way(database_url).load(files, force=True)
    assert [file.counts.unchanged for file in again.files] == [12] * 8
    ((began,),) = fetch(
        database_url,
        f"SELECT started_at FROM job_run_files WHERE id = {again.files[2].file_id}",
    )
    assert began < looks[0]
    monkeypatch.undo()
    third = Way(database_url).load(files)
    assert [file.state for file in third.files] == [
        "loaded" if n == 2 else "known" for n in range(8)
    ]
    assert third.files[2].counts.updated == 1


def test_one_path_or_content_twice(ways: Callable[..., int], tmp_path: Path) -> None:
    files = [written(tmp_path, n, frame(symbol(n))) for n in range(6)]
    copies = [written(tmp_path, 20 + n, frame(symbol(n))) for n in (1, 4, 5)]
    assert ways([*files[:3], *files[1:], *copies, *files]) >= 2
    assert ways([*copies, *files], force=True) >= 2


def test_one_content_twice_that_is_stored(
    ways: Callable[..., int], database_url: str, tmp_path: Path
) -> None:
    """The first file adds nothing to the store, and yet the second one is known by it."""
    tables = [frame(symbol(n)) for n in range(9)]
    for n, table in enumerate(tables):
        table.write_csv(tmp_path / f"{n}.csv")
    ways([str(tmp_path / f"{n}.csv") for n in range(9)])
    files = [written(tmp_path, n, table) for n, table in enumerate(tables)]
    copies = [written(tmp_path, 20 + n, tables[n]) for n in (3, 4)]
    assert ways([*files[:5], *copies, *files[5:]]) >= 6
    states = "SELECT state, count(*) FROM job_run_files WHERE run_id = 2 GROUP BY 1 ORDER BY 1"
    assert fetch(database_url, states) == [("known", 2), ("loaded", 9)]


def test_a_sign_of_the_guard_and_rejects_among_plain_files(
    ways: Callable[..., int], database_url: str, tmp_path: Path
) -> None:
    """One file restates its bars in another unit, another one has more rejects than may be."""
    ways([written(tmp_path, n, frame(symbol(n), rows=40)) for n in range(9)])
    later = NEW_YORK_OPEN + timedelta(days=1)
    tables = [frame(symbol(n), later, rows=40) for n in range(9)]
    tables[3] = frame(symbol(3), rows=40).with_columns(pl.col("open", "high", "low", "close") * 100)
    tables[6] = tables[6].with_columns(at(4, high=pl.col("low") - 1))
    files = [written(tmp_path, 20 + n, table) for n, table in enumerate(tables)]
    assert ways(files, max_rejects=RejectLimit.parse("0")) >= 2
    by_state = "SELECT path FROM job_run_files WHERE state = 'refused' ORDER BY path"
    assert fetch(database_url, by_state) == [(files[3],), (files[6],)]


def test_a_session_that_ends_in_the_middle(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files that were committed before it did are counted once; the others are loaded after it."""
    files = [written(tmp_path, n, frame(symbol(n))) for n in range(9)]

    def ends(holder: psycopg.Connection) -> None:
        holder.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )

    with in_the_middle(database_url, files[5], ends):
        result = Way(database_url).load(files)
    assert [(file.path, file.state) for file in result.files] == [(f, "loaded") for f in files]
    assert [file.counts.inserted for file in result.files] == [12] * 9
    assert fetch(database_url, "SELECT count(*) FROM bars_ohlcv") == [(108,)]
    assert fetch(
        database_url, "SELECT rows_read, rows_inserted FROM job_runs"
    ) == [(108, 108)]  # fmt: skip
    assert fetch(
        database_url,
        "SELECT count(*), count(DISTINCT path), min(state), max(state) FROM job_run_files",
    ) == [(9, 9, "loaded", "loaded")]
    ids = fetch(database_url, "SELECT path, id FROM job_run_files")
    assert {file.path: file.file_id for file in result.files} == dict(ids)


@together_only
def test_ctrl_c_in_the_middle(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is committed stays whole, and the next run loads the rest."""
    files = [written(tmp_path, n, frame(symbol(n))) for n in range(20)]
    cancel = LoadRun.cancel
    cancelled = threading.Event()

    def interrupts(_: psycopg.Connection) -> None:
        signal.raise_signal(signal.SIGINT)
        assert cancelled.wait(60)  # the main thread looks for signals now and then

    def heard(run: LoadRun) -> None:
        cancel(run)
        cancelled.set()

    monkeypatch.setattr(LoadRun, "cancel", heard)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with in_the_middle(database_url, files[5], interrupts), pytest.raises(KeyboardInterrupt):
            Way(database_url).load(files)
    finally:
        signal.signal(signal.SIGINT, before)
    ((stored,),) = fetch(database_url, "SELECT count(*) FROM bars_ohlcv")
    ((loaded,),) = fetch(
        database_url, "SELECT count(*) FROM job_run_files WHERE state = 'loaded'"
    )  # fmt: skip
    assert stored == 12 * loaded
    assert 5 <= loaded < 20
    again = Way(database_url).load(files)
    states = [file.state for file in again.files]
    assert (states.count("known"), states.count("loaded")) == (loaded, 20 - loaded)
    assert fetch(database_url, "SELECT count(*) FROM bars_ohlcv") == [(240,)]
    assert fetch(database_url, "SELECT count(*) FROM bars_ohlcv_revisions") == [(0,)]


@pytest.mark.parametrize("workers", [2, 4])
def test_several_workers(database_url: str, tmp_path: Path, workers: int) -> None:
    """Each file is loaded once, and results stand in the order of the files."""
    tables = [frame(symbol(n), rows=10 + n % 7) for n in range(60)]
    tables[17] = tables[17].with_columns(at(4, high=pl.col("low") - 1))
    tables[40] = frame(symbol(2), NEW_YORK_OPEN + timedelta(days=1))
    files = [written(tmp_path, n, table) for n, table in enumerate(tables)]
    some = RejectLimit.parse("10%")
    for states in (["loaded"] * 60, ["known"] * 60):
        result = Way(database_url).load(files, workers=workers, max_rejects=some)
        assert [file.path for file in result.files] == files
        assert [file.state for file in result.files] == states
    rows = [table.height for table in tables]
    assert [file.counts.read for file in result.files] == [0] * 60
    assert fetch(database_url, "SELECT count(*) FROM bars_ohlcv") == [(sum(rows) - 1,)]
    assert fetch(
        database_url, "SELECT rows_read, rows_inserted, rows_failed FROM job_runs ORDER BY id"
    ) == [(sum(rows), sum(rows) - 1, 1), (0, 0, 0)]
    assert fetch(
        database_url,
        "SELECT rows_inserted FROM job_run_files WHERE state = 'loaded' ORDER BY path",
    ) == [(height - (n == 17),) for n, height in enumerate(rows)]


@together_only
def test_a_run_that_was_ended_meanwhile(database_url: str, tmp_path: Path) -> None:
    files = [written(tmp_path, n, frame(symbol(n))) for n in range(8)]

    def ends(holder: psycopg.Connection) -> None:
        holder.execute("UPDATE job_runs SET status = 'failure', completed_at = now()")

    with in_the_middle(database_url, files[5], ends), pytest.raises(RunFinished):
        Way(database_url).load(files)
    states = fetch(database_url, "SELECT state, count(*) FROM job_run_files GROUP BY 1 ORDER BY 1")
    assert [state for state, _ in states] == ["failed", "loaded"]
    done = dict(states)["loaded"]
    assert done == 5
    assert fetch(database_url, "SELECT count(*) FROM bars_ohlcv") == [(60,)]

"""Commits that do not wait for the disk: a run of several files says success once one has."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import psycopg
import pytest

from loader.db.embedded import embedded
from loader.errors import ConnectionLost
from loader.ingest.pipeline import load
from loader.read.sources import find
from loader.results import LoadResult
from loader.results.events import Event, FileDone
from loader.settings import Settings
from loader.store import schema
from tests.conftest import temporary_home
from tests.support.both_ways import in_the_middle
from tests.support.sql import fetch
from tests.support.victims import Server


@pytest.fixture(scope="module")
def lazy_server() -> Iterator[tuple[str, Server]]:
    """A server of our own that writes its log to disk only when somebody waits for it."""
    with temporary_home("mdload-lazy-") as home:
        with embedded(home) as url, psycopg.connect(url, autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET wal_writer_delay = '10s'")
            connection.execute("ALTER SYSTEM SET wal_writer_flush_after = '1GB'")
            connection.execute("ALTER SYSTEM SET autovacuum = off")
        with embedded(home) as url:
            schema.upgrade(url)
            yield url, Server(home)


def written(folder: Path, names: Iterable[str]) -> list[str]:
    for name in names:
        pl.DataFrame(
            {"symbol": name, "interval": "1d", "ts": ["2024-03-04"], "open": [1.0], "high": [2.0],
             "low": [0.5], "close": [1.5], "volume": [10.0], "provider": "made"}
        ).write_csv(folder / f"{name}.csv")  # fmt: skip
    return [str(folder / f"{name}.csv") for name in names]


def loaded(url: str, files: list[str], listener: object = None, **options: Any) -> LoadResult:
    listeners = [listener] if callable(listener) else []
    with find(files) as sources:
        return load(Settings(**options), url, sources, listeners)


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_a_file_that_a_crash_took_back_is_not_said_to_be_loaded(
    lazy_server: tuple[str, Server], tmp_path: Path
) -> None:
    url, server = lazy_server
    for names in ("ABC", "GHI", "JKL"):  # something else may flush the log
        files = written(tmp_path, names)
        result, stored = crashed(url, server, files)
        told = {Path(file.path).stem: file for file in result.files}
        assert {name for name, file in told.items() if file.state == "loaded"} == stored
        if {*names[:2]} <= stored:
            continue
        for name in {*names} - stored:
            assert told[name].state == "failed"
            assert told[name].retryable
            assert told[name].exit_code == ConnectionLost.exit_code
            assert told[name].counts.read == 0
        assert result.status == "failure"
        run = f"SELECT status, rows_written FROM job_runs WHERE id = {result.run_id}"
        assert fetch(url, run) == [("failure", len(stored))]
        assert loaded(url, files).status == "success"
        assert symbols(url, files) == {*names}
        return
    raise AssertionError("no crash took anything back: the test shows nothing")


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("is_on_disk", [True, False])
def test_a_crash_in_the_middle_of_files_that_load_together(
    lazy_server: tuple[str, Server], tmp_path: Path, is_on_disk: bool
) -> None:
    """Those that were committed before it are asked for once the server is there again: each file
    is in the books once."""
    url, server = lazy_server
    files = written(tmp_path, [f"{'KEPT' if is_on_disk else 'LOST'}{n}" for n in range(9)])

    def crash(holder: psycopg.Connection) -> None:
        if is_on_disk:
            holder.execute("CHECKPOINT")
        server.kill(signal.SIGKILL, children=True)
        time.sleep(1)  # attempts meet a server that is away
        server.start()

    try:
        with in_the_middle(url, files[6], crash):
            result = loaded(url, files)
    finally:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("DROP FUNCTION held CASCADE")
    assert [(file.state, file.counts.inserted) for file in result.files] == [("loaded", 1)] * 9
    assert symbols(url, files) == {Path(file).stem for file in files}
    assert fetch(
        url,
        "SELECT count(*), count(DISTINCT path), sum(rows_read) FROM job_run_files"
        f" WHERE run_id = {result.run_id}",
    ) == [(9, 9, 9)]
    assert fetch(
        url, f"SELECT status, rows_read, rows_inserted FROM job_runs WHERE id = {result.run_id}"
    ) == [("success", 9, 9)]  # fmt: skip


def crashed(url: str, server: Server, files: list[str]) -> tuple[LoadResult, set[str]]:
    """Loads the files one by one; the server is killed after the second one. And the symbols stored
    then. (Where files load together, the end of their stage writes the log to disk.)"""
    second = Path(files[1])

    def crash(event: Event) -> None:
        if isinstance(event, FileDone) and event.result.path.endswith(second.name):
            assert symbols(url, files) == {Path(file).stem for file in files[:2]}
            server.kill(signal.SIGKILL, children=True)
            server.start()

    # Each of them may write the log to disk between the commits and the crash.
    writers = "('walwriter', 'background writer', 'checkpointer')"
    for (pid,) in fetch(url, f"SELECT pid FROM pg_stat_activity WHERE backend_type IN {writers}"):
        os.kill(pid, signal.SIGSTOP)
    return loaded(url, files, crash, delete_gone=True), symbols(url, files)


def symbols(url: str, files: list[str]) -> set[str]:
    """Those of the files that are stored."""
    own = {Path(file).stem for file in files}
    return own & {symbol for (symbol,) in fetch(url, "SELECT symbol FROM bars_ohlcv")}


def test_a_run_of_several_files_ends_on_disk(
    lazy_server: tuple[str, Server], tmp_path: Path
) -> None:
    """What is said to be loaded is on disk: the log has been flushed up to the last commit."""
    url, _ = lazy_server
    last = [0]

    def note(event: Event) -> None:
        if isinstance(event, FileDone):
            ((lsn,),) = fetch(url, "SELECT CAST(pg_current_wal_insert_lsn() - '0/0' AS bigint)")
            last[0] = lsn

    assert loaded(url, written(tmp_path, "DEF"), note).status == "success"
    ((flushed,),) = fetch(url, "SELECT CAST(pg_current_wal_flush_lsn() - '0/0' AS bigint)")
    assert last[0]
    assert flushed >= last[0]

"""Whatever is killed, and whenever: after another run everything is as if nothing had happened.

MDLOAD_KILLS sets how many times each of these is tried; a few are enough to see that it works,
hundreds to see that it always does.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import adbc_driver_manager
import polars as pl
import psycopg
import pytest

from loader import schema
from loader.bars import SCHEMA, VALUES
from loader.db.session import Session
from loader.events import Event, FileNote
from loader.pipeline import load
from loader.results import LoadResult
from loader.server import embedded, start
from loader.settings import RejectLimit, Settings
from loader.sources import find
from tests.conftest import database

KILLS = int(os.environ.get("MDLOAD_KILLS", "3"))
T0 = datetime(2024, 1, 1, tzinfo=UTC)
SYMBOLS, MINUTES = 12, 400
COUNTS = ("inserted", "updated", "unchanged", "duplicate", "skipped", "failed")


def bar(symbol: int, minute: int, price: float, low: float | None = None) -> tuple[Any, ...]:
    low = price if low is None else low
    ts = T0 + timedelta(minutes=minute)
    return ("p", f"S{symbol:02}", "1m", ts, price, price, low, price, 1.0, None, 1)


def rows_of_file() -> list[tuple[Any, ...]]:
    """For each symbol: bars stored alike (0-99), stored otherwise (100-199) and new (from 200 on);
    every 50th comes twice, with another price first, and every 80th is followed by a bad row. That
    makes 413 rows a symbol, which is how many are read at a time: no key repeats across batches."""
    rows = []
    for symbol in range(SYMBOLS):
        for minute in range(MINUTES):
            if minute % 50 == 7:
                rows.append(bar(symbol, minute, 99.0))
            rows.append(bar(symbol, minute, 10.0))
            if minute % 80 == 11:
                rows.append(bar(symbol, minute, 10.0, low=11.0))
    return rows


#: By hand: 12 symbols of 8 rows that come twice and 5 bad ones.
EXPECTED = {
    "inserted": 12 * 200, "updated": 12 * 100, "unchanged": 12 * 100,
    "duplicate": 12 * 8, "skipped": 0, "failed": 12 * 5,
}  # fmt: skip


def frame(rows: list[tuple[Any, ...]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={**SCHEMA}, orient="row")


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("crashes") / "bars.parquet"
    frame(rows_of_file()).write_parquet(path)
    return path


@pytest.fixture(scope="module")
def shuffled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, even minutes first: in no order that a stream could make unique."""
    even = [row for row in rows_of_file() if row[3].minute % 2 == 0]
    odd = [row for row in rows_of_file() if row[3].minute % 2 == 1]
    path = tmp_path_factory.mktemp("crashes") / "shuffled.parquet"
    frame(even + odd).write_parquet(path)
    return path


def prepare(url: str, path: Path) -> None:
    frame(
        [bar(s, m, 10.0 if m < 100 else 5.0) for s in range(SYMBOLS) for m in range(200)]
    ).write_parquet(path)
    assert loaded(url, path).status == "success"


@pytest.fixture(scope="module")
def prepared(
    server_url: str, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Name of a database in which the stored bars are stored."""
    with database(server_url, template) as url:
        prepare(url, tmp_path_factory.mktemp("crashes") / "stored.parquet")
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("TRUNCATE job_runs CASCADE")
        yield url.split("/")[-1].split("?")[0]


def given(commit_every: int | None) -> dict[str, Any]:
    return {"batch_rows": 413, "commit_every": commit_every, "max_rejects": RejectLimit(share=0.5)}


def loaded(
    url: str, path: Path, heard: Callable[[Event], None] = id, commit_every: int | None = None
) -> LoadResult:
    with find([str(path)]) as sources:
        return load(Settings(**given(commit_every)), url, sources, [heard])


def rows(url: str, sql: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        return connection.execute(sql.encode()).fetchall()


def contents(url: str) -> dict[str, Any]:
    """What a load leaves behind, but for the numbers of runs and the times of day."""
    keys = 'provider, symbol, "interval", ts'
    both = ", ".join(f"{side}_{v}" for side in ("old", "new") for v in VALUES)
    return {
        "bars": rows(url, f"SELECT {keys}, {', '.join(VALUES)} FROM bars_ohlcv ORDER BY {keys}"),
        "revisions": rows(url, f"SELECT {keys}, {both} FROM bars_ohlcv_revisions ORDER BY {keys}"),
        "spellings": rows(url, "SELECT provider, source_symbol, symbol FROM provider_symbols"),
        "rejects": rows(url, "SELECT DISTINCT row_number, rules, raw::text FROM bars_rejected"
                             " ORDER BY row_number"),
    }  # fmt: skip


@pytest.fixture(scope="module")
def undisturbed(server_url: str, prepared: str, file: Path) -> dict[str, Any]:
    with database(server_url, prepared) as url:
        assert loaded(url, file).status == "success"
        return contents(url)


def counted(url: str) -> dict[str, int]:
    """The counts of all that was committed, whichever run did."""
    sums = ", ".join(f"CAST(sum(rows_{name}) AS bigint)" for name in COUNTS)
    (found,) = rows(
        url, f"SELECT {sums} FROM job_run_files WHERE state IN ('loaded', 'partial', 'known')"
    )
    return dict(zip(COUNTS, found, strict=True))


def assert_run_counts(url: str) -> None:
    """Each run says what its files say."""
    sums = ", ".join(
        f"CAST(coalesce(sum(f.rows_{name}), 0) AS bigint) = r.rows_{name}" for name in COUNTS
    )
    found = rows(
        url, f"SELECT {sums} FROM job_runs r LEFT JOIN job_run_files f ON f.run_id = r.id"
             f" GROUP BY r.id"
    )  # fmt: skip
    assert set(found) == {(True,) * len(COUNTS)}


def wait_for_others(url: str) -> None:
    """Until the sessions of whoever was killed have noticed."""
    deadline = time.monotonic() + 60
    while rows(
        url,
        "SELECT 1 FROM pg_stat_activity WHERE datname = current_database()"
        " AND backend_type = 'client backend' AND pid <> pg_backend_pid()",
    ):
        assert time.monotonic() < deadline
        time.sleep(0.01)


CHILD = """
import json, sys, time
from loader.pipeline import load
from loader.settings import RejectLimit, Settings
from loader.sources import find
url, path, given = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
given["max_rejects"] = RejectLimit(share=given["max_rejects"])
print("ready", flush=True)
sys.stdin.readline()
with find([path]) as sources:
    load(Settings(**given), url, sources)
print("done", flush=True)
"""


@contextmanager
def child(url: str, path: Path, commit_every: int | None) -> Iterator[subprocess.Popen[str]]:
    """A process that begins to load when it is told to."""
    told = json.dumps({**given(commit_every), "max_rejects": 0.5})
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, url, str(path), told],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        try:
            yield process
        finally:
            process.kill()


def begin(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


WAYS = [("file", None), ("file", 900), ("shuffled", None), ("shuffled", 900)]
IDS = ["ordered", "ordered, in parts", "shuffled", "shuffled, in parts"]


@pytest.mark.parametrize(("which", "commit_every"), WAYS, ids=IDS)
def test_a_killed_load_run_again(
    server_url: str,
    prepared: str,
    undisturbed: dict[str, Any],
    request: pytest.FixtureRequest,
    which: str,
    commit_every: int | None,
) -> None:
    path: Path = request.getfixturevalue(which)
    seed = random.Random(f"{which} {commit_every}")
    with database(server_url, prepared) as url, child(url, path, commit_every) as process:
        began = time.monotonic()
        begin(process)
        process.wait(60)
        takes = time.monotonic() - began
        whole = contents(url)
    assert_like(whole, undisturbed, which)
    for _ in range(KILLS):
        with database(server_url, prepared) as url:
            with child(url, path, commit_every) as process:
                begin(process)
                time.sleep(seed.uniform(0.1, 1.0) * takes)
                process.kill()
                process.wait()
            wait_for_others(url)
            again = loaded(url, path, commit_every=commit_every)
            assert again.status == "success", again.files[0].error
            assert_like(contents(url), undisturbed, which)
            assert_run_counts(url)
            states = rows(url, "SELECT state FROM job_run_files ORDER BY id")
            assert states[-1] in {("loaded",), ("known",)}
            assert set(states) <= {("loaded",), ("known",), ("partial",)}
            if which == "file" or commit_every is None:
                assert counted(url) == EXPECTED
            else:  # partitions mean nothing to another run: it finds their bars stored
                found = counted(url)
                assert {n: found[n] for n in ("inserted", "updated")} == {
                    n: EXPECTED[n] for n in ("inserted", "updated")
                }


def assert_like(found: dict[str, Any], expected: dict[str, Any], which: str) -> None:
    for name in ("bars", "revisions", "spellings"):
        assert found[name] == expected[name], name
    if which == "file":  # rows have other numbers in the other one
        assert found["rejects"] == expected["rejects"]
    assert len(found["rejects"]) == EXPECTED["failed"]


class Retries:
    """A listener that keeps what is said of attempts that failed."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def __call__(self, event: Event) -> None:
        if isinstance(event, FileNote) and event.text.startswith("attempt"):
            self.texts.append(event.text)


TERMINATE = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
    " AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
)


@pytest.mark.parametrize(("which", "commit_every"), WAYS, ids=IDS)
def test_sessions_that_are_ended_in_the_middle(
    server_url: str,
    prepared: str,
    undisturbed: dict[str, Any],
    request: pytest.FixtureRequest,
    which: str,
    commit_every: int | None,
) -> None:
    """All of them at a time, the run's own too, up to three times: one run, as if nothing was."""
    path: Path = request.getfixturevalue(which)
    seed = random.Random(f"{which} {commit_every}")
    with database(server_url, prepared) as url:
        began = time.monotonic()
        loaded(url, path, commit_every=commit_every)
        takes = time.monotonic() - began
    said = Retries()
    for _ in range(KILLS):
        with database(server_url, prepared) as url, ThreadPoolExecutor(1) as pool:
            load_ = pool.submit(loaded, url, path, said, commit_every)
            with psycopg.connect(url, autocommit=True) as admin:
                while not rows(url, "SELECT 1 FROM job_runs"):
                    time.sleep(0.005)
                for _ in range(seed.randint(1, 3)):
                    time.sleep(seed.uniform(0, 1.0) * takes)
                    admin.execute(TERMINATE)
            result = load_.result()
            assert result.status == "success", result.files[0].error
            assert result.files[0].state == "loaded"
            assert_like(contents(url), undisturbed, which)
            assert_run_counts(url)
            assert counted(url) == EXPECTED
            assert result.counts.as_columns() == {
                "rows_read": sum(EXPECTED.values()),
                "rows_written": EXPECTED["inserted"] + EXPECTED["updated"],
                **{f"rows_{name}": EXPECTED[name] for name in COUNTS},
            }
            assert rows(url, "SELECT status FROM job_runs") == [("success",)]


@pytest.mark.parametrize(("which", "commit_every"), WAYS, ids=IDS)
@pytest.mark.parametrize("committed", [True, False])
def test_a_commit_without_an_answer(
    server_url: str,
    prepared: str,
    undisturbed: dict[str, Any],
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    which: str,
    commit_every: int | None,
    committed: bool,
) -> None:
    """Every other commit that books something loses its connection; whether it came through or not,
    nothing is counted twice."""
    path: Path = request.getfixturevalue(which)
    commit = Session.commit
    number = 0

    def lose(self: Session) -> None:
        nonlocal number
        held = self.execute(
            "SELECT 1 FROM pg_locks WHERE pid = pg_backend_pid()"
            " AND relation = 'job_run_files'::regclass AND mode = 'RowExclusiveLock'"
        )
        books = held.read_all().num_rows
        number += bool(books)
        if not books or number % 2 == 0:
            commit(self)
            return
        if committed:
            commit(self)
        raise adbc_driver_manager.OperationalError(
            "IO: [libpq] Failed to commit: server closed the connection unexpectedly",
            status_code=adbc_driver_manager.AdbcStatusCode.IO,
        )

    monkeypatch.setattr(Session, "commit", lose)
    monkeypatch.setattr("loader.retries.ATTEMPTS", 50)
    monkeypatch.setattr("loader.retries.pause", lambda _: 0.0)
    with database(server_url, prepared) as url:
        result = loaded(url, path, commit_every=commit_every)
        assert number >= (2 if not committed else 1)
        assert result.status == "success", result.files[0].error
        assert_like(contents(url), undisturbed, which)
        assert_run_counts(url)
        assert counted(url) == EXPECTED
        assert rows(url, "SELECT state FROM job_run_files") == [("loaded",)]
        assert result.counts.read == sum(EXPECTED.values())


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT], ids=["fast", "immediate"])
def test_a_server_that_is_restarted_in_the_middle(
    warm: Path, file: Path, undisturbed: dict[str, Any], tmp_path: Path, how: signal.Signals
) -> None:
    """SIGQUIT is a crash: the server recovers from its log."""
    said = Retries()
    with embedded(warm) as url, ThreadPoolExecutor(1) as pool:
        schema.upgrade(url)
        prepare(url, tmp_path / "stored.parquet")
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("TRUNCATE job_runs CASCADE")
        (pid_file,) = warm.glob("*/postmaster.pid")
        underway = threading.Event()

        def heard(event: Event) -> None:
            said(event)
            if type(event).__name__ == "RowsDone" and event.rows > 0:
                underway.set()

        load_ = pool.submit(loaded, url, file, heard)
        assert underway.wait(60)
        os.kill(int(pid_file.read_text().split()[0]), how)
        deadline = time.monotonic() + 60
        while pid_file.exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        start(warm)
        result = load_.result()
        assert result.status == "success", result.files[0].error
        assert said.texts
        assert_like(contents(url), undisturbed, "file")
        assert counted(url) == EXPECTED
        assert rows(url, "SELECT status FROM job_runs") == [("success",)]

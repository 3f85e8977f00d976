"""Disks with a quota, clocks that jump, a server that is away or killed in the middle of a
migration: through the real executable."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import psycopg
import pytest

from loader.db.embedded import embedded
from tests.conftest import Ran, environment, plain_only
from tests.support.clocks import movable_clock, needs_compiler
from tests.support.jobs import STALLED, bars, config
from tests.support.sql import WAITING, fetch, wait_for

Mdload = Callable[..., Ran]
PRICES = '"open":1,"high":1,"low":1,"close":1,"volume":1'
LINE = '{{"ts":"2024-03-05T{:02}:{:02}:00Z","symbol":"A{}",' + PRICES + "}}\n"
QUOTA = 16 << 10


def quota() -> None:
    """No file may grow beyond this: what a disk quota says to a program."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (QUOTA, QUOTA))


@contextmanager
def feeding(
    *args: str | Path, home: Path, cwd: Path, preexec: Callable[[], None] | None = None
) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "loader", *map(str, args)], cwd=cwd, env=environment(home),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=preexec,  # noqa: PLW1509
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def send(pipe: IO[str], lines: Iterable[str]) -> None:
    with pipe:
        pipe.write("".join(lines))


def test_a_temporary_directory_with_a_quota(home: Path, tmp_path: Path, database_url: str) -> None:
    """Changed bars are set aside there: the load says what is full, and stores nothing."""
    path = bars(tmp_path / "a.csv", 1400)
    args = ["--database", database_url, "backfill", path, "--provider", "p", "--interval", "1m"]
    with feeding(*args, home=home, cwd=tmp_path) as first:
        first.communicate(timeout=120)
        assert first.returncode == 0
    bars(path, 1400, close=11.5)
    with feeding(*args, home=home, cwd=tmp_path, preexec=quota) as process:
        _, err = process.communicate(timeout=120)
    assert process.returncode == 2, err
    assert "there is no room for what is set aside in" in err
    assert "hint: free space there, or name a directory that has more in TMPDIR" in err
    assert fetch(database_url, "SELECT DISTINCT close FROM bars_ohlcv") == [(10.0,)]


def test_a_feed_that_is_blocked_reads_no_more_than_fits_into_memory(
    home: Path, tmp_path: Path, database_url: str
) -> None:
    """Its writer has to wait, and every line is stored once."""
    lines = [LINE.format(n // 60 % 24, n % 60, n // 1440) for n in range(5000)]
    args = ["--database", database_url, "live", "-", "--provider", "p", "--interval", "1m",
            "--batch-rows", "100", "--spill-dir", tmp_path / "spill"]  # fmt: skip
    with psycopg.connect(database_url) as other:
        other.execute("LOCK TABLE bars_ohlcv IN ACCESS EXCLUSIVE MODE")
        with feeding(*args, home=home, cwd=tmp_path) as feed:
            assert feed.stdin is not None
            rest = threading.Thread(target=send, args=(feed.stdin, lines))
            rest.start()
            wait_for(database_url, STALLED)
            rest.join(1.0)
            assert rest.is_alive()
            other.rollback()
            rest.join(120)
            assert feed.wait(120) == 0
            feed.stdin = None
    assert fetch(database_url, "SELECT count(*) FROM bars_ohlcv") == [(5000,)]
    assert fetch(database_url, "SELECT status, rows_inserted FROM job_runs") == [("success", 5000)]


def test_a_feed_that_can_leave_its_lines_nowhere(
    home: Path, tmp_path: Path, database_url: str
) -> None:
    """The store is blocked, the disk for lines is full, and the feed is told to end at once: it
    says that lines are lost."""
    lines = [LINE.format(n // 60 % 24, n % 60, n // 1440) for n in range(900)]
    args = ["--database", database_url, "live", "-", "--provider", "p", "--interval", "1m",
            "--batch-rows", "1000", "--spill-dir", tmp_path / "spill"]  # fmt: skip
    with psycopg.connect(database_url) as other:
        other.execute("LOCK TABLE bars_ohlcv IN ACCESS EXCLUSIVE MODE")
        with feeding(*args, home=home, cwd=tmp_path, preexec=quota) as feed:
            assert feed.stdin is not None
            feed.stdin.write("".join(lines))
            feed.stdin.flush()
            wait_for(database_url, STALLED)
            time.sleep(1)
            feed.send_signal(signal.SIGTERM)
            time.sleep(0.5)
            feed.send_signal(signal.SIGTERM)
            _, err = feed.communicate(timeout=120)
        other.rollback()
    assert feed.returncode == 130, err
    assert "lines that were read are lost" in err
    assert fetch(database_url, "SELECT status FROM job_runs") == [("cancelled",)]


def test_a_feed_whose_server_is_away_from_the_start(home: Path, tmp_path: Path) -> None:
    """It has read no line: whoever starts it again loses none."""
    lines, pipe = os.pipe()
    os.write(pipe, LINE.format(0, 0, 1).encode())
    try:
        ended = subprocess.run(
            [sys.executable, "-m", "loader", "--database", "postgresql://me@127.0.0.1:1/x", "live",
             "--provider", "p", "--interval", "1m"],
            cwd=tmp_path, env=environment(home), stdin=lines, capture_output=True, text=True,
            timeout=120, check=False,
        )  # fmt: skip
        assert (ended.returncode, "Connection refused" in ended.stderr) == (5, True)
        assert os.read(lines, 1000).decode() == LINE.format(0, 0, 1)
    finally:
        os.close(lines)
        os.close(pipe)


def test_a_server_whose_clock_jumps_back(mdload: Mdload, tmp_path: Path, database_url: str) -> None:
    """Loads keep their order, durations stay positive, and a pin sees what was there before it."""
    config(tmp_path, database_url, '[jobs.a]\nsource = "a.csv"')
    bars(tmp_path / "a.csv", 3)
    assert mdload("run", "a").code == 0
    with psycopg.connect(database_url, autocommit=True) as connection:  # it was two days ahead
        connection.execute("UPDATE bars_loads SET known_at = known_at + interval '2 days'")
        connection.execute(
            "UPDATE job_runs SET started_at = started_at + interval '2 days',"
            " completed_at = completed_at + interval '2 days'"
        )
    bars(tmp_path / "a.csv", 3, close=11.0)
    with psycopg.connect(database_url) as other:
        other.execute("LOCK TABLE bars_ohlcv IN ACCESS EXCLUSIVE MODE")
        with feeding("run", "a", home=tmp_path, cwd=tmp_path) as process:
            wait_for(database_url, STALLED)
            with psycopg.connect(database_url, autocommit=True) as clock:
                clock.execute(
                    "UPDATE job_runs SET started_at = started_at + interval '1 hour'"
                    " WHERE status = 'running'"
                )
            other.rollback()
            _, err = process.communicate(timeout=120)
            assert process.returncode == 0, err
    assert mdload("pin", "after").code == 0
    bars(tmp_path / "a.csv", 3, close=12.0)
    assert mdload("run", "a").code == 0
    known = fetch(database_url, "SELECT known_at FROM bars_loads ORDER BY id")
    assert (len(known), known) == (3, sorted(set(known)))
    assert fetch(database_url, "SELECT elapsed_ms FROM job_runs WHERE elapsed_ms < 0") == []
    ran = mdload("export", "--to", "-", "--columns", "close", "--pin", "after")
    assert ran.out.split() == ["close", "11.0", "11.0", "11.0"]


@needs_compiler
@plain_only
def test_clocks_that_jump_in_the_middle_of_loads(
    mdload: Mdload, warm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock of the server and of the client, ahead and back, in one load after the other: each
    pin goes on showing its own load, and a rollback takes away the right one."""
    at_pins = "SELECT name, (SELECT array_agg(close) FROM bars_ohlcv_at(name)) FROM bars_pins"
    with movable_clock(monkeypatch) as jump, embedded(warm) as url:
        config(tmp_path, url, '[jobs.a]\nsource = "a.csv"')
        bars(tmp_path / "a.csv", 2)
        assert mdload("migrate").code == 0
        assert mdload("run", "a").code == 0
        for number, days in enumerate((400, -10, 0), start=1):
            bars(tmp_path / "a.csv", 2, close=10.0 + number)
            with psycopg.connect(url) as other:
                other.execute("LOCK TABLE bars_ohlcv IN ACCESS EXCLUSIVE MODE")
                with feeding("run", "a", home=warm, cwd=tmp_path) as process:
                    wait_for(url, STALLED)
                    jump(days * 86_400)
                    other.rollback()
                    _, err = process.communicate(timeout=120)
                    assert process.returncode == 0, err
            assert mdload("pin", f"p{number}").code == 0
        jumped = "SELECT max(known_at) > clock_timestamp() + interval '1 year' FROM bars_loads"
        assert fetch(url, jumped) == [(True,)]
        known = fetch(url, "SELECT known_at FROM bars_loads ORDER BY id")
        assert (len(known), known) == (4, sorted(set(known)))
        assert fetch(url, "SELECT elapsed_ms FROM job_runs WHERE elapsed_ms < 0") == []
        pins = [(f"p{number}", [10.0 + number] * 2) for number in range(1, 4)]
        assert sorted(fetch(url, at_pins)) == pins
        (last,) = fetch(url, "SELECT run_id FROM bars_loads ORDER BY id DESC LIMIT 1")
        assert mdload("rollback", str(last[0]), "--yes").code == 0
        assert fetch(url, "SELECT close FROM bars_ohlcv") == [(12.0,)] * 2
        assert sorted(fetch(url, at_pins)) == pins


def test_files_from_the_future(forked: Mdload, tmp_path: Path, database_url: str) -> None:
    """The client's clock jumped back: a whole file is loaded, and a cut one is reported, where its
    stamp would have made it young for two days."""
    config(tmp_path, database_url, '[jobs.a]\nsource = "d/*"', defaults='settle = "1s"\n')
    whole = bars(tmp_path / "d/a.csv", 3)
    cut = tmp_path / "d/b.parquet"
    cut.write_bytes(b"PAR1" + bytes(200))
    ahead = time.time() + 2 * 86_400
    for path in (whole, cut):
        os.utime(path, (ahead, ahead))
    ran = forked("run", "a", "--json")
    (job,) = ran.json()["jobs"]
    states = {Path(file["path"]).name: file["state"] for file in job["files"]}
    assert (ran.code, states) == (3, {"a.csv": "loaded", "b.parquet": "failed"})


def test_a_server_that_is_killed_in_the_middle_of_a_migration(
    warm: Path, forked: Mdload, tmp_path: Path
) -> None:
    """The migration waits for a table of the same name, which another session is making."""
    assert forked("db", "start").code == 0
    url = forked("db", "url").out.strip()
    with suppress(psycopg.Error), psycopg.connect(url) as other:  # it is lost with the server
        other.execute("CREATE TABLE bars_loads (id int)")
        with feeding("migrate", home=warm, cwd=tmp_path) as process:
            ((pid,),) = wait_for(url, WAITING)
            os.kill(pid, signal.SIGKILL)  # which makes the server end all sessions, and recover
            _, err = process.communicate(timeout=120)
        assert (process.returncode, "Traceback" in err) == (5, False), err
    bars(tmp_path / "a.csv", 3)
    for _ in range(100):
        ran = forked("migrate")
        if ran.code == 0:
            break
        assert ran.code == 5, ran.err
        time.sleep(0.2)
    ran = forked("backfill", "a.csv", "--provider", "p", "--interval", "1m", "--json")
    assert (ran.code, ran.json()["rows_inserted"]) == (0, 3), ran.err
    assert forked("doctor").code == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another account")
def test_another_account_s_home(forked: Mdload, warm: Path, tmp_path: Path) -> None:
    """Root uses the server of another account, and that account its own afterwards."""
    bars(tmp_path / "a.csv", 3)
    owner = next(warm.glob("pg*")).stat().st_uid
    assert owner != 0
    ran = forked("backfill", "a.csv", "--provider", "p", "--interval", "1m", "--json")
    assert (ran.code, ran.json()["rows_inserted"]) == (0, 3)
    assert {path.stat().st_uid for path in next(warm.glob("pg*")).iterdir()} == {owner}

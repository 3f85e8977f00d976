"""Everything that takes long can be stopped: the real executable, a signal or a deadline.

Without the stop each of these would go on for minutes or for ever; the bound is wide, because
machines are busy.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from loader.cli.interrupts import PATIENCE
from tests.conftest import CITUS, ROOT, Ran, environment, not_on_citus
from tests.support.heeding import heeding
from tests.support.jobs import STALLED, bars, config
from tests.support.silent import deaf, line_to
from tests.support.sql import WAITING, fetch, wait_for

Mdload = Callable[..., Ran]
SIGNALS = [signal.SIGTERM, signal.SIGINT]
BOUND = 20.0
RUNS = "SELECT status FROM job_runs ORDER BY id"
#: Commands that ask nothing of locked tables; on a cluster, only the shards, which have no bars.
UNLOCKED = ("doctor", "coverage", "gaps", "export") if CITUS else ("doctor",)
HEAD = b"ts,symbol,open,high,low,close,volume\n"


@contextmanager
def started(*args: str | Path, home: Path, cwd: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "loader", *map(str, args)], cwd=cwd, text=True,
        env=environment(home), stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        preexec_fn=heeding,  # noqa: PLW1509
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def until(condition: Callable[[], object]) -> None:
    for _ in range(3000):
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError("it never came to that")


def stopped(process: subprocess.Popen[str], sig: signal.Signals | None) -> tuple[int, str]:
    """Exit code and stderr of a process that a signal, or its deadline, ends in time."""
    if sig is not None:
        process.send_signal(sig)
    _, err = process.communicate(timeout=BOUND)
    assert "Traceback" not in err
    assert "interrupted" in err or sig is None, err
    return process.returncode, err


def reads(process: subprocess.Popen[str], path: Path, bytes_: int) -> bool:
    """Whether the process has read that many bytes of the file."""
    folder = Path(f"/proc/{process.pid}/fd")
    for each in folder.iterdir():
        try:
            if each.readlink() == path:
                info = Path(f"/proc/{process.pid}/fdinfo/{each.name}").read_text()
                return int(re.findall(r"pos:\s+(\d+)", info)[0]) >= bytes_
        except OSError:
            continue
    return False


def sparse(path: Path) -> Path:
    """A file of 200 GB that takes no room on the disk."""
    path.write_bytes(HEAD)
    os.truncate(path, 200 << 30)
    return path


def test_the_time_to_end_by_itself_is_below_two_seconds() -> None:
    assert 1.0 < PATIENCE < 2.0


@pytest.mark.parametrize("sig", [*SIGNALS, signal.SIGHUP])
def test_hashing(database_url: str, home: Path, tmp_path: Path, sig: signal.Signals) -> None:
    path = sparse(tmp_path / "huge.csv")
    args = ("--database", database_url, "backfill", path, "--provider", "p", "--interval", "1d")
    with started(*args, home=home, cwd=tmp_path) as process:
        until(lambda: reads(process, path, 50 << 20))
        assert stopped(process, sig)[0] == 130
    assert fetch(database_url, RUNS) == [("cancelled",)]


@pytest.mark.parametrize("sig", SIGNALS)
def test_decompressing(database_url: str, home: Path, tmp_path: Path, sig: signal.Signals) -> None:
    """60 GB of blanks before the first row, in a few kilobytes of bzip2."""
    import bz2

    member = bz2.compress(b"\n" * (1 << 26))
    path = tmp_path / "deep.csv.bz2"
    path.write_bytes(bz2.compress(HEAD) + member * 1000)
    args = ("--database", database_url, "backfill", path, "--provider", "p", "--interval", "1d")
    with started(*args, home=home, cwd=tmp_path) as process:
        wait_for(database_url, "SELECT 1 FROM job_runs WHERE status = 'running'")
        time.sleep(1)
        assert process.poll() is None
        code, err = stopped(process, sig)
    assert code == 130
    assert err == (
        "error: interrupted: run 1 is recorded as cancelled; nothing is committed, and the "
        "rest was rolled back\nhint: run the same command again: it skips what is loaded; mdload "
        "job-runs inspect 1 shows this run\n"
    )
    assert fetch(database_url, RUNS) == [("cancelled",)]


@pytest.mark.parametrize("sig", SIGNALS)
@pytest.mark.parametrize("table", ["job_runs", "job_run_files", "bars_ohlcv", "provider_symbols"])
def test_a_lock_on_the_books(
    database_url: str, home: Path, tmp_path: Path, sig: signal.Signals, table: str
) -> None:
    path = bars(tmp_path / "a.csv", 5)
    args = ("--database", database_url, "backfill", path, "--provider", "p", "--interval", "1m")
    with psycopg.connect(database_url) as other:
        other.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        with started(*args, home=home, cwd=tmp_path) as process:
            wait_for(database_url, WAITING)
            assert stopped(process, sig)[0] == 130
        other.rollback()
    assert set(fetch(database_url, RUNS)) <= {("cancelled",), ("running",)}
    assert fetch(database_url, "SELECT count(*) FROM bars_ohlcv") == [(0,)]


@pytest.mark.parametrize("sig", SIGNALS)
@pytest.mark.parametrize(
    "command",
    ["coverage", "diff 2024-01-01 2024-02-01", "gaps --calendar 24/7", "export --to x.csv",
     "delete --symbol AAA --yes", "doctor", "revisions list", "rollback --since 1d --yes"],
)  # fmt: skip
def test_commands_that_wait_for_the_bars(
    database_url: str, home: Path, tmp_path: Path, sig: signal.Signals, command: str
) -> None:
    with psycopg.connect(database_url) as other:
        other.execute("LOCK TABLE bars_ohlcv, bars_ohlcv_revisions IN ACCESS EXCLUSIVE MODE")
        other.execute("LOCK TABLE job_runs, bars_loads IN ACCESS EXCLUSIVE MODE")
        args = ("--database", database_url, *command.split())
        with started(*args, home=home, cwd=tmp_path) as process:
            until(lambda: process.poll() is not None or fetch(database_url, WAITING))
            if process.poll() is None:
                assert stopped(process, sig)[0] == 130
            else:
                assert command.startswith(UNLOCKED)


@not_on_citus("a lock of a table leaves its shards free")
@pytest.mark.parametrize(
    ("command", "table"),
    [
        ("export --run 1 --to x.csv", "job_runs"),
        ("export --run 1 --to x.parquet", "bars_ohlcv_revisions"),
        ("export --run 1 --to x --partition-by symbol", "bars_ohlcv_revisions"),
        ("rejects list", "bars_rejected"),
        ("rejects show 1", "bars_rejected"),
        ("rejects export 1 --to x.csv", "bars_rejected"),
        ("rejects replay 1", "job_run_files"),
        ("verify a.csv --provider p --interval 1m", "bars_ohlcv"),
        ("gaps --calendar 24/7", "bars_gap_waivers"),
        ("reconcile p:1m q:1m", "bars_ohlcv"),
        ("diff 2024-01-01 now", "bars_ohlcv_revisions"),
        ("report --to x.html", "job_runs"),
        ("query 'SELECT * FROM bars_ohlcv' --to x.csv", "bars_ohlcv"),
        ("job-runs list", "job_runs"),
        ("prune --revisions-days 1 --yes", "bars_ohlcv_revisions"),
    ],
)  # fmt: skip
def test_commands_leave_no_query_and_no_file_behind(
    database_url: str, home: Path, tmp_path: Path, mdload: Mdload, command: str, table: str
) -> None:
    path = bars(tmp_path / "a.csv", 5)
    path.write_text(f"{path.read_text()}2024-03-08T00:00:00Z,AAA,10,5,9,11,5\n")
    ran = mdload("--database", database_url, "backfill", path, "--provider", "p",
                 "--interval", "1m", "--max-rejects", "1")  # fmt: skip
    assert ran.code == 0, ran.err
    before = set(tmp_path.rglob("*"))
    with psycopg.connect(database_url) as other:
        other.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        args = ("--database", database_url, *shlex.split(command))
        with started(*args, home=home, cwd=tmp_path) as process:
            wait_for(database_url, WAITING)
            assert stopped(process, signal.SIGINT)[0] == 130
            until(lambda: not fetch(database_url, WAITING))
        other.rollback()
    assert not {each for each in set(tmp_path.rglob("*")) - before if home not in each.parents}


@pytest.mark.parametrize("sig", SIGNALS)
@pytest.mark.parametrize("command", ["backfill a.csv", "job-runs list", "coverage", "migrate"])
def test_a_server_that_takes_the_connection_and_says_nothing(
    home: Path, tmp_path: Path, sig: signal.Signals, command: str
) -> None:
    bars(tmp_path / "a.csv", 5)
    with deaf() as port:
        args = ("--database", f"postgresql://me@127.0.0.1:{port}/x", *command.split())
        with started(*args, home=home, cwd=tmp_path) as process:
            connected = Path(f"/proc/{process.pid}/net/tcp")
            # The driver of a load has a connection of its own, while the rest is imported.
            wanted = 2 if "backfill" in command else 1
            until(lambda: connected.read_text().count(f":{port:04X} 01 ") == wanted)
            code, err = stopped(process, sig)
            assert (code, err.count("error: interrupted")) == (130, 1)
            assert ("before a run began: nothing was written" in err) == ("backfill" in command)


@pytest.mark.parametrize("sig", SIGNALS)
def test_a_server_that_falls_silent(
    database_url: str, home: Path, tmp_path: Path, sig: signal.Signals
) -> None:
    """In the middle of the load: nothing can be cancelled or recorded over such a line."""
    path = bars(tmp_path / "a.csv", 50)
    with line_to(database_url) as line, psycopg.connect(database_url) as other:
        other.execute("LOCK TABLE bars_ohlcv IN ACCESS EXCLUSIVE MODE")
        args = ("--database", line.url, "backfill", path, "--provider", "p", "--interval", "1m")
        with started(*args, home=home, cwd=tmp_path) as process:
            wait_for(database_url, STALLED)
            line.silent.set()
            assert stopped(process, sig)[0] == 130
        other.rollback()
    assert fetch(database_url, "SELECT count(*) FROM bars_ohlcv") == [(0,)]


@not_on_citus("a lock of a table leaves its shards free")
@pytest.mark.parametrize("command", ["rejects list", "export --run 1 --to x.csv"])
def test_a_server_that_falls_silent_during_a_query(
    database_url: str, home: Path, tmp_path: Path, command: str
) -> None:
    """The session cannot be closed either: a thread is still in it."""
    with line_to(database_url) as line, psycopg.connect(database_url) as other:
        other.execute("LOCK TABLE bars_rejected, job_runs IN ACCESS EXCLUSIVE MODE")
        args = ("--database", line.url, *command.split())
        with started(*args, home=home, cwd=tmp_path) as process:
            wait_for(database_url, WAITING)
            line.silent.set()
            assert stopped(process, signal.SIGINT)[0] == 130


@pytest.mark.parametrize("sig", SIGNALS)
def test_waiting_for_the_lock_of_a_job(
    database_url: str, home: Path, tmp_path: Path, sig: signal.Signals
) -> None:
    bars(tmp_path / "a.csv", 5)
    config(tmp_path, database_url, '[jobs.a]\nsource = "a.csv"')
    with psycopg.connect(database_url) as other:
        other.execute("LOCK TABLE bars_ohlcv IN ACCESS EXCLUSIVE MODE")
        with started("run", "a", home=home, cwd=tmp_path) as holder:
            wait_for(database_url, STALLED)
            with started("run", "a", "--wait", home=home, cwd=tmp_path) as second:
                wait_for(database_url, f"{WAITING} AND locktype = 'advisory'")
                assert stopped(second, sig)[0] == 130
            assert holder.poll() is None
            assert stopped(holder, sig)[0] == 130
        other.rollback()
    assert fetch(database_url, RUNS) == [("cancelled",)]


@pytest.mark.parametrize("what", ["hashing", "lock", "books", "silence"])
def test_a_deadline_ends_it_and_the_hook_hears_of_it(
    database_url: str, home: Path, tmp_path: Path, what: str
) -> None:
    job = '[jobs.a]\nsource = "a.csv"\ndeadline = "3s"\nretries = 0\non_failure = "cp /dev/stdin h"'
    with line_to(database_url) as line, psycopg.connect(database_url) as other:
        config(tmp_path, line.url, job)
        if what == "hashing":
            sparse(tmp_path / "a.csv")
        else:
            bars(tmp_path / "a.csv", 5)
            table = "job_runs" if what == "books" else "bars_ohlcv"
            other.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        with started("run", "a", home=home, cwd=tmp_path) as process:
            if what == "silence":
                wait_for(database_url, STALLED)
                line.silent.set()
            code, err = stopped(process, None)
        other.rollback()
    assert (code, "the job a was stopped at its deadline" in err) == (130, True)
    assert "stopped at its deadline" in (tmp_path / "h").read_text()
    if what == "books":  # the server may still carry out what the process asked for
        assert fetch(database_url, RUNS) in ([], [("running",)])
        return
    expected = [("running",)] if what == "silence" else [("failure",)]
    assert fetch(database_url, RUNS) == expected


@pytest.mark.parametrize("sig", SIGNALS)
@pytest.mark.parametrize("moment", ["initdb", "start"])
def test_the_start_of_the_embedded_server(
    home: Path, tmp_path: Path, sig: signal.Signals, moment: str, mdload: Mdload
) -> None:
    """What was begun is taken back or taken up: the next command finds a server that works."""
    path = bars(tmp_path / "a.csv", 5)
    args = ("backfill", path, "--provider", "p", "--interval", "1m")
    sign = {"initdb": "pg*.new-*", "start": "pg*/postmaster.pid"}[moment]
    with started(*args, home=home, cwd=tmp_path) as process:
        until(lambda: list(home.glob(sign)))
        assert stopped(process, sig)[0] == 130
    ran = mdload(*args, "--json")
    assert (ran.code, ran.json()["rows_read"]) == (0, 5), ran.err
    assert not list(home.glob("*.new-*"))
    until(lambda: not list(home.glob("pg*/postmaster.pid")))


@pytest.mark.parametrize("sig", SIGNALS)
def test_a_signal_that_comes_twice_at_once(
    database_url: str, home: Path, tmp_path: Path, sig: signal.Signals
) -> None:
    """`timeout` signals the process, and then its group."""
    path = bars(tmp_path / "a.csv", 5)
    with psycopg.connect(database_url) as other:
        other.execute("LOCK TABLE bars_ohlcv IN ACCESS EXCLUSIVE MODE")
        args = ("--database", database_url, "backfill", path, "--provider", "p", "--interval", "1m")
        with started(*args, home=home, cwd=tmp_path) as process:
            wait_for(database_url, STALLED)
            process.send_signal(sig)
            assert stopped(process, sig)[0] == 130
        other.rollback()
    assert fetch(database_url, RUNS) == [("cancelled",)]


PROGRAM = """
import sys, loader
url, path = sys.argv[1:]
try:
    loader.load(path, url, loader.Settings(provider="p", interval="1m"))
except KeyboardInterrupt:
    print("interrupted", flush=True)
input()
"""


def test_a_program_that_goes_on_after_ctrl_c(database_url: str, home: Path, tmp_path: Path) -> None:
    """What it left behind commits nothing, although nothing is in its way any more."""
    path = bars(tmp_path / "a.csv", 5)
    with line_to(database_url) as line, psycopg.connect(database_url) as other:
        other.execute("LOCK TABLE bars_ohlcv IN ACCESS EXCLUSIVE MODE")
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, line.url, str(path)], text=True,
            env=environment(home) | {"PYTHONPATH": str(ROOT)}, cwd=tmp_path,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
        )  # fmt: skip
        late = threading.Timer(60, process.kill)
        late.start()
        try:
            wait_for(database_url, STALLED)
            process.send_signal(signal.SIGINT)
            assert process.stdout is not None
            assert process.stdout.readline() == "interrupted\n"
            other.rollback()
            time.sleep(2)
            assert process.poll() is None
        finally:
            late.cancel()
            process.kill()
            process.communicate()
    assert fetch(database_url, "SELECT count(*) FROM bars_ohlcv") == [(0,)]
    assert fetch(database_url, RUNS) == [("cancelled",)]

"""`tracker.run`: the run ends with its block, however that ends."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from loader.db.embedded import embedded
from loader.errors import Cancelled, ConnectionLost, InputError, RunFinished
from loader.store import schema
from loader.store.runs import JobRunTracker
from tests.conftest import temporary_home


@pytest.fixture
def tracker(database_url: str) -> Iterator[JobRunTracker]:
    with JobRunTracker(database_url) as own:
        yield own


def until(condition: Callable[[], bool]) -> None:
    """Waits for what another thread or the server does."""
    for _ in range(3000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it did not happen within 30 seconds")


def end_sessions(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def test_a_block_that_ends_is_a_success(tracker: JobRunTracker) -> None:
    with tracker.run("feed", "book", "kraken", config_fingerprint="f", metadata={"a": 1}) as run:
        assert tracker.get_run(run.id).status == "running"
        run.update_progress(rows_written=3, symbols=["A"])
    ended = tracker.get_run(run.id)
    assert (ended.status, ended.error_message, ended.mode) == ("success", None, "live")
    assert (ended.dataset_name, ended.provider, ended.config_fingerprint) == ("book", "kraken", "f")
    assert (ended.rows_written, ended.symbols, ended.metadata["a"]) == (3, ["A"], 1)
    assert ended.elapsed_ms is not None


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (ValueError("no such thing"), "failure", "ValueError: no such thing"),
        (ValueError(), "failure", "ValueError"),
        (InputError("a.csv: no column is a time"), "failure", "a.csv: no column is a time"),
        (Cancelled("stopped by SIGTERM"), "cancelled", "stopped by SIGTERM"),
        (KeyboardInterrupt(), "cancelled", "interrupted"),
        (asyncio.CancelledError(), "cancelled", "CancelledError"),
        (GeneratorExit(), "cancelled", "GeneratorExit"),
        (SystemExit(), "success", None),
        (SystemExit(0), "success", None),
        (SystemExit(3), "failure", "exit: 3"),
        (SystemExit("gave up"), "failure", "exit: gave up"),
        (SystemExit(143), "cancelled", "exit: 143"),
        (RuntimeError("postgresql://me:hunter2@db/x"), "failure",
         "RuntimeError: postgresql://me:***@db/x"),
    ],
)  # fmt: skip
def test_an_error_is_recorded_and_comes_out(
    tracker: JobRunTracker, error: BaseException, status: str, message: str | None
) -> None:
    with pytest.raises(type(error)) as raised, tracker.run("feed"):
        raise error
    assert raised.value is error
    (run,) = tracker.get_recent_runs()
    assert (run.status, run.error_message) == (status, message)


def test_a_generator_that_is_abandoned_is_cancelled(tracker: JobRunTracker) -> None:
    def feed() -> Iterator[int]:
        with tracker.run("feed"):
            yield 1
            yield 2

    numbers = feed()
    next(numbers)
    numbers.close()  # type: ignore[attr-defined]
    assert tracker.get_recent_runs()[0].status == "cancelled"


def test_it_beats_by_itself(tracker: JobRunTracker) -> None:
    with tracker.run("feed", heartbeat_seconds=0.01) as run:
        until(lambda: tracker.get_run(run.id).last_heartbeat is not None)
        first = tracker.get_run(run.id).last_heartbeat
        until(lambda: tracker.get_run(run.id).last_heartbeat != first)
        threads = [t for t in threading.enumerate() if t.name == f"heartbeat of run {run.id}"]
        assert [thread.daemon for thread in threads] == [True]
    until(lambda: not threads[0].is_alive())


def test_it_beats_beside_a_borrowed_connection(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        tracker = JobRunTracker(connection)
        with tracker.run("feed", heartbeat_seconds=0.01) as run:
            until(lambda: tracker.get_run(run.id).last_heartbeat is not None)
        assert tracker.get_run(run.id).status == "success"


def test_the_caller_may_end_it_before(tracker: JobRunTracker) -> None:
    with tracker.run("feed") as run:
        run.end("failure", "2 of 3 files failed")
        run.end("success")
    ended = tracker.get_run(run.id)
    assert (ended.status, ended.error_message) == ("failure", "2 of 3 files failed")


def test_a_run_that_somebody_else_ended_is_not_reported_as_done(tracker: JobRunTracker) -> None:
    with pytest.raises(RunFinished), tracker.run("feed") as run:
        tracker.complete_run(run.id, "failure", "marked")
    assert tracker.get_run(run.id).error_message == "marked"


def test_an_error_comes_out_of_a_run_that_somebody_else_ended(tracker: JobRunTracker) -> None:
    def fail() -> None:
        with tracker.run("feed") as run:
            tracker.complete_run(run.id, "failure", "marked")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert tracker.get_recent_runs()[0].error_message == "marked"


def test_it_outlives_its_connections(tracker: JobRunTracker, database_url: str) -> None:
    with tracker.run("feed", heartbeat_seconds=0.01) as run:
        until(lambda: tracker.get_run(run.id).last_heartbeat is not None)
        end_sessions(database_url)
        before = tracker.get_run(run.id).last_heartbeat
        until(lambda: tracker.get_run(run.id).last_heartbeat != before)
        end_sessions(database_url)
    assert tracker.get_run(run.id).status == "success"


def test_an_error_is_recorded_after_a_lost_connection(
    tracker: JobRunTracker, database_url: str
) -> None:
    def fail() -> None:
        with tracker.run("feed"):
            end_sessions(database_url)
            raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        fail()
    assert tracker.get_recent_runs()[0].error_message == "ValueError: mine"


@contextmanager
def server() -> Iterator[tuple[ExitStack, Path, str]]:
    """A server of the test's own that goes away when the stack is closed, its home and URL."""
    with temporary_home() as home, ExitStack() as running:
        url = running.enter_context(embedded(home))
        schema.upgrade(url)
        yield running, home, url


def test_it_waits_for_a_server_that_comes_back() -> None:
    done = threading.Event()

    def come_back(home: Path) -> None:
        time.sleep(0.3)
        with embedded(home):
            done.wait(60)

    with server() as (running, home, url), JobRunTracker(url) as tracker:
        back = threading.Thread(target=come_back, args=[home])
        try:
            with tracker.run("feed", heartbeat_seconds=0.01) as run:
                running.close()
                back.start()
            assert tracker.get_run(run.id).status == "success"
        finally:
            tracker.close()
            done.set()
            back.join()


def test_a_server_that_stays_away_does_not_hide_the_error() -> None:
    def fail() -> None:
        with tracker.run("feed", patience_seconds=0.2):
            running.close()
            raise ValueError("mine")

    with server() as (running, _, url), JobRunTracker(url) as tracker:
        with pytest.raises(ValueError, match="mine") as raised:
            fail()
        assert raised.value.__notes__[0].startswith(
            "and the end of job run 1 could not be recorded: the database failed"
        )


def test_a_success_that_cannot_be_recorded_is_an_error() -> None:
    with (
        server() as (running, _, url),
        pytest.raises(ConnectionLost),
        JobRunTracker(url).run("feed", patience_seconds=0.2),
    ):
        running.close()


PROGRAM = """
import sys, time
from loader.store.runs import JobRunTracker
with JobRunTracker(sys.argv[1]).run("feed", heartbeat_seconds=0.01) as run:
    print(run.id, flush=True)
    time.sleep(60)
"""


def start(url: str) -> tuple[subprocess.Popen[str], int]:
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, url], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        text=True,
    )  # fmt: skip
    assert program.stdout
    return program, int(program.stdout.readline())


def finish(program: subprocess.Popen[Any]) -> None:
    program.wait(30)
    assert program.stdout
    program.stdout.close()


def test_ctrl_c_cancels(tracker: JobRunTracker, database_url: str) -> None:
    program, run_id = start(database_url)
    program.send_signal(2)
    finish(program)
    run = tracker.get_run(run_id)
    assert (run.status, run.error_message) == ("cancelled", "interrupted")


def test_a_run_that_was_killed_is_stuck_once_it_is_silent(
    tracker: JobRunTracker, database_url: str
) -> None:
    program, run_id = start(database_url)
    until(lambda: tracker.get_run(run_id).last_heartbeat is not None)
    assert tracker.get_stuck_runs() == []
    program.kill()
    finish(program)
    until(lambda: bool(tracker.get_stuck_runs(0.001)))
    assert [run.id for run in tracker.get_stuck_runs(0.001)] == [run_id]
    assert tracker.get_run(run_id).status == "running"

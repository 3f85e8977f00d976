"""One run of a job at a time: two real processes, one lock of the server."""

from __future__ import annotations

import re
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from tests.conftest import Ran
from tests.support.jobs import STALLED, bars, config, running, stalled
from tests.support.lingering import lingering
from tests.support.sql import fetch, wait_for

Mdload = Callable[..., Ran]
JOBS = ('[jobs.nightly]\nsource = "bars.csv"', '[jobs.other]\nsource = "bars.csv"\nprovider = "q"')
ADVISORY = """
    SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted = {}
       AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
HOLDERS, WAITING = ADVISORY.format(True), ADVISORY.format(False)


@pytest.fixture
def folder(tmp_path: Path, database_url: str) -> Path:
    bars(tmp_path / "bars.csv", 20)
    config(tmp_path, database_url, *JOBS)
    return tmp_path


def test_the_second_says_who_holds_the_job_and_ends(
    forked: Mdload, home: Path, folder: Path, database_url: str
) -> None:
    with stalled(database_url) as lock, running(home, folder, "nightly") as holder:
        ((run_id,),) = wait_for(database_url, STALLED)
        second = forked("run", "nightly", "--json")
        assert second.code == 7
        who = rf"run {run_id} \(pid {holder.pid} on {re.escape(socket.gethostname())}\) since "
        assert re.search(rf"the job nightly is held by {who}\d{{4}}-\d\d-\d\d ", second.err)
        assert "--wait" in second.err
        (job,) = second.json()["jobs"]
        assert (job["exit_code"], job["status"], job["runs"]) == (7, "failure", [])
        waited = forked("run", "nightly", "--wait", "200ms")
        assert waited.code == 7
        assert "still held by run" in waited.err
        assert "after 0.2 s of waiting" in waited.err
        lock.rollback()
        assert holder.wait(60) == 0
    assert fetch(database_url, "SELECT count(*) FROM job_runs") == [(1,)]
    assert forked("run", "nightly").code == 0


def test_another_job_is_free_and_the_worst_code_counts(
    forked: Mdload, home: Path, folder: Path, database_url: str
) -> None:
    with psycopg.connect(database_url) as connection:
        # The other job's bars are stored already: it reads two of them, and waits for no lock.
        assert forked("run", "other").code == 0
        connection.execute("LOCK TABLE bars_ohlcv IN EXCLUSIVE MODE")
        with running(home, folder, "nightly"):
            wait_for(database_url, STALLED)
            ran = forked("run", "--all", "--json")
            assert (ran.code, [j["exit_code"] for j in ran.json()["jobs"]]) == (7, [7, 0])
        connection.rollback()


def test_wait_waits_until_the_job_is_free(home: Path, folder: Path, database_url: str) -> None:
    with (
        stalled(database_url) as lock,
        running(home, folder, "nightly") as holder,
    ):
        wait_for(database_url, STALLED)
        with running(home, folder, "--wait", "nightly") as second:
            wait_for(database_url, WAITING)
            lock.rollback()
            _, err = second.communicate(timeout=60)
            assert (second.returncode, holder.wait(60)) == (0, 0), err
            assert re.search(r"waiting for the job nightly, held by run 1 \(pid \d+ on ", err)
    assert fetch(database_url, "SELECT status, rows_inserted FROM job_runs ORDER BY id") == [
        ("success", 20),
        ("success", 0),
    ]


def test_a_holder_that_is_killed_frees_the_job(
    mdload: Mdload, home: Path, folder: Path, database_url: str
) -> None:
    with stalled(database_url) as lock, running(home, folder, "nightly") as holder:
        ((run_id,),) = wait_for(database_url, STALLED)
        holder.kill()
        holder.wait(60)
        lock.rollback()
    ran = mdload("run", "nightly", "--json", "--wait", "10")  # the server may need a moment
    assert ran.code == 0, ran.err
    assert f"run {run_id} of nightly is marked as failed: its process ended without a" in ran.err
    assert ran.json()["jobs"][0]["rows_inserted"] == 20
    assert fetch(database_url, "SELECT id, status FROM job_runs ORDER BY id") == [
        (run_id, "failure"),
        (run_id + 1, "success"),
    ]


def test_a_run_straight_after_another_does_not_find_its_lock(
    forked: Mdload, tmp_path: Path, folder: Path, database_url: str
) -> None:
    """Even where the server hears of the end of the first one's sessions much later."""
    with lingering(database_url, 600.0) as url:
        config(tmp_path, url, *JOBS)
        for _ in range(2):
            ran = forked("run", "nightly", "--json")
            assert ran.code == 0, ran.err
        sessions = "SELECT count(*) > 1 FROM pg_stat_activity WHERE datname = current_database()"
        assert fetch(database_url, sessions) == [(True,)]


def test_a_holder_that_was_killed_a_moment_ago_is_waited_for(
    mdload: Mdload, home: Path, tmp_path: Path, folder: Path, database_url: str
) -> None:
    with lingering(database_url, 1.0) as url:
        config(tmp_path, url, *JOBS)
        with stalled(database_url) as lock, running(home, folder, "nightly") as holder:
            ((run_id,),) = wait_for(database_url, STALLED)
            holder.kill()
            holder.wait(60)
            lock.rollback()
            ran = mdload("run", "nightly", "--json")
        assert ran.code == 0, ran.err
        assert f"run {run_id} of nightly is marked as failed" in ran.err
        assert ran.json()["jobs"][0]["rows_inserted"] == 20


def test_one_who_waits_gets_it_from_one_who_is_killed(
    home: Path, folder: Path, database_url: str
) -> None:
    with stalled(database_url) as lock, running(home, folder, "nightly") as holder:
        wait_for(database_url, STALLED)
        with running(home, folder, "nightly", "--wait=1m") as second:
            wait_for(database_url, WAITING)
            holder.kill()
            lock.rollback()
            _, err = second.communicate(timeout=60)
            assert second.returncode == 0, err


def test_ctrl_c_while_waiting_and_while_loading(
    home: Path, folder: Path, database_url: str
) -> None:
    with stalled(database_url), running(home, folder, "nightly") as holder:
        wait_for(database_url, STALLED)
        with running(home, folder, "nightly", "--wait") as second:
            wait_for(database_url, WAITING)
            second.send_signal(signal.SIGTERM)
            _, err = second.communicate(timeout=60)
            assert (second.returncode, "interrupted" in err) == (130, True)
        holder.send_signal(signal.SIGTERM)
        assert holder.wait(60) == 130
    assert fetch(database_url, "SELECT status FROM job_runs") == [("cancelled",)]


def test_jobs_of_another_schema_have_locks_of_their_own(
    forked: Mdload, home: Path, folder: Path, database_url: str
) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("CREATE SCHEMA elsewhere")
    elsewhere = f"{database_url}&options=-csearch_path%3Delsewhere"
    assert forked("--database", elsewhere, "migrate").code == 0
    with stalled(database_url), running(home, folder, "nightly"):
        wait_for(database_url, STALLED)
        ran = forked("--database", elsewhere, "run", "nightly", "--json")
        assert (ran.code, ran.json()["jobs"][0]["rows_inserted"]) == (0, 20), ran.err


def test_a_holder_that_lost_its_lock_cannot_commit_beside_the_next_one(
    home: Path, folder: Path, database_url: str
) -> None:
    """As after a server restart: the first process lives on, and another one has the job."""
    with stalled(database_url) as lock, running(home, folder, "nightly") as first:
        wait_for(database_url, STALLED)
        fetch(database_url, f"SELECT pg_terminate_backend(pid) FROM ({HOLDERS}) AS holders")
        with running(home, folder, "nightly") as second:
            wait_for(database_url, "SELECT 1 FROM job_runs WHERE id = 1 AND status = 'failure'")
            wait_for(database_url, "SELECT 1 FROM job_runs WHERE id = 2 AND status = 'running'")
            lock.rollback()
            _, err = second.communicate(timeout=60)
            assert second.returncode == 0, err
            _, err = first.communicate(timeout=60)
            assert first.returncode == 5
            assert "job run 1 " in err
    assert fetch(database_url, "SELECT count(*) FROM bars_ohlcv") == [(20,)]
    assert fetch(database_url, "SELECT status, rows_written FROM job_runs ORDER BY id") == [
        ("failure", 0),
        ("success", 20),
    ]

"""Who holds a job's lock, and whether that process is still there."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import closing
from typing import Any

import psycopg
import pytest

from loader.db.rows import Session
from loader.errors import JobHeld
from loader.jobs import lock
from loader.jobs.lock import HOST, JobLock
from tests.support.sql import fetch

LOCKS = """
    SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'
       AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
       AND pid NOT IN (SELECT pid FROM pg_stat_activity WHERE application_name ILIKE 'citus%')
"""


@pytest.fixture(scope="module")
def gone() -> int:
    """The pid of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def holder(**columns: Any) -> dict[str, Any]:
    known = ("backend", "application_name", "since", "run_id", "host", "pid")
    return dict.fromkeys(known) | columns


def test_a_process_of_this_host_that_is_gone_has_ended(gone: int) -> None:
    assert lock._has_ended(None)
    assert lock._has_ended(holder(application_name=lock._called(gone)))
    assert lock._has_ended(holder(run_id=1, host=HOST, pid=str(gone)))


def test_one_that_lives_or_that_cannot_be_seen_has_not(gone: int) -> None:
    own = os.getpid()
    assert not lock._has_ended(holder(application_name=lock._called(own)))
    assert not lock._has_ended(holder(run_id=1, host=HOST, pid=str(own)))
    assert not lock._has_ended(holder(run_id=1, host="elsewhere", pid=str(gone)))
    elsewhere = lock._called(gone).replace(HOST, "elsewhere")
    assert not lock._has_ended(holder(application_name=elsewhere))
    assert not lock._has_ended(holder(application_name="psql"))
    assert not lock._has_ended(holder())


def test_closing_frees_the_lock_before_the_server_sees_the_session_end(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    left_open: list[Session] = []
    close = Session.close

    def leave_open(self: Session) -> None:
        left_open.append(self)

    monkeypatch.setattr(Session, "close", leave_open)
    first, second = JobLock(database_url, "nightly"), JobLock(database_url, "nightly")
    try:
        first.take(None)
        with pytest.raises(JobHeld, match=f"pid {os.getpid()} on "):
            second.take(None)
        first.close()
        assert all(session.answers() for session in left_open)  # without a lock
        assert fetch(database_url, LOCKS) == [(0,)]
        second.take(None)
        assert fetch(database_url, LOCKS) == [(1,)]
        second.close()
    finally:
        for session in left_open:
            close(session)


def test_a_lock_that_was_not_taken_is_not_given_back(database_url: str) -> None:
    with closing(JobLock(database_url, "nightly")) as first:
        first.take(None)
        second = JobLock(database_url, "nightly")
        with pytest.raises(JobHeld):
            second.take(None)
        second.close()
        assert fetch(database_url, LOCKS) == [(1,)]


def test_closing_after_the_session_was_lost_does_not_raise(database_url: str) -> None:
    first = JobLock(database_url, "nightly")
    first.take(None)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("SELECT pg_terminate_backend(%s::integer, 60000)", [first.backend])
    first.close()
    first.close()

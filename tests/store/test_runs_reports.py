"""Which runs are recent, stuck, old or summed up. The rows are written with their times."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import astuple
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from loader.store.runs import JobRunTracker
from loader.store.runs.records import JobRunFile


@pytest.fixture
def connection(database_url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(database_url, autocommit=True) as own:
        yield own


@pytest.fixture
def tracker(database_url: str) -> Iterator[JobRunTracker]:
    with JobRunTracker(database_url) as own:
        yield own


def add(
    connection: psycopg.Connection[Any],
    started: str,
    *,
    status: str = "running",
    ended: str | None = None,
    beat: str | None = None,
    job: str = "feed",
    provider: str | None = "kraken",
    written: int = 0,
) -> int:
    """A run that started `started` ago and ended and beat so long ago (PostgreSQL intervals)."""
    row = connection.execute(
        """
        INSERT INTO job_runs (job_name, provider, status, started_at, completed_at, metadata,
                              rows_written)
        VALUES (%(job)s, %(provider)s, %(status)s, now() - %(started)s::interval,
                now() - %(ended)s::interval,
                CASE WHEN %(beat)s::text IS NULL THEN '{}' ELSE jsonb_build_object('last_heartbeat',
                    to_char((now() - %(beat)s::interval) AT TIME ZONE 'UTC',
                            'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')) END,
                %(written)s)
        RETURNING id
        """,
        {"job": job, "provider": provider, "status": status, "started": started, "ended": ended,
         "beat": beat, "written": written},
    ).fetchone()  # fmt: skip
    assert row
    return int(row[0])


def stuck(tracker: JobRunTracker, *minutes: float) -> set[int]:
    return {run.id for run in tracker.get_stuck_runs(*minutes)}


def test_a_run_is_stuck_when_it_no_longer_beats(
    connection: psycopg.Connection[Any], tracker: JobRunTracker
) -> None:
    silent = add(connection, "3 hours", beat="15 minutes 2 seconds")
    add(connection, "3 hours", beat="14 minutes 30 seconds")
    never = add(connection, "16 minutes")
    add(connection, "14 minutes")
    add(connection, "3 hours", beat="2 hours", status="failure", ended="1 hour")
    assert stuck(tracker) == {silent, never}
    assert stuck(tracker, 15) == {silent, never}
    run = next(run for run in tracker.get_stuck_runs() if run.id == silent)
    assert timedelta(minutes=15) < run.silence < timedelta(minutes=16)


def test_the_timeout_is_the_one_given(
    connection: psycopg.Connection[Any], tracker: JobRunTracker
) -> None:
    ago_2, ago_20, ago_100 = (
        add(connection, "5 hours", beat=f"{minutes} minutes") for minutes in (2, 20, 100)
    )
    for minutes, expected in (
        (1, {ago_2, ago_20, ago_100}),
        (1.5, {ago_2, ago_20, ago_100}),
        (3, {ago_20, ago_100}),
        (19, {ago_20, ago_100}),
        (21, {ago_100}),
        (99, {ago_100}),
        (101, set()),
        (52_560_000, set()),
    ):
        assert stuck(tracker, minutes) == expected


def test_a_beat_without_a_zone_or_without_sense_does_not_count(
    connection: psycopg.Connection[Any], tracker: JobRunTracker
) -> None:
    old, new = add(connection, "1 hour"), add(connection, "1 minute")
    for beat in ('"2999-01-01T00:00:00"', '"soon"', "17", "null", '{"at": 1}'):
        connection.execute(
            "UPDATE job_runs SET metadata = jsonb_build_object('last_heartbeat', %s::jsonb)",
            [beat],
        )
        assert stuck(tracker) == {old}
        assert tracker.get_run(new).last_heartbeat is None


def test_only_what_is_still_stuck_is_marked(
    connection: psycopg.Connection[Any], tracker: JobRunTracker
) -> None:
    silent, woken, ended, listed_not = (add(connection, "1 hour") for _ in range(4))
    young = add(connection, "5 minutes")
    found = [run.id for run in tracker.get_stuck_runs()]
    assert set(found) == {silent, woken, ended, listed_not}
    tracker.heartbeat(woken)
    tracker.complete_run(ended)
    found.remove(listed_not)
    assert tracker.mark_failed([*found, young, 999], "no sign of life") == [silent]
    run = tracker.get_run(silent)
    assert (run.status, run.error_message) == ("failure", "no sign of life")
    assert run.elapsed_ms is not None
    assert run.elapsed_ms >= 3_600_000
    assert tracker.get_run(woken).status == "running"
    assert tracker.get_run(ended).status == "success"
    assert tracker.get_run(listed_not).status == "running"
    assert tracker.mark_failed([], "x") == []


def test_recent_runs_are_the_newest_first(
    connection: psycopg.Connection[Any], tracker: JobRunTracker
) -> None:
    old = add(connection, "3 days", status="success", ended="2 days")
    other = add(connection, "2 hours", status="failure", ended="1 hour", job="nightly")
    new = add(connection, "1 hour", status="failure", ended="30 minutes")
    running = add(connection, "4 hours")

    def ids(**conditions: Any) -> list[int]:
        return [run.id for run in tracker.get_recent_runs(**conditions)]

    assert ids() == [new, other, running, old]
    assert ids(limit=2) == [new, other]
    assert ids(limit=10, job_name="feed") == [new, running, old]
    assert ids(limit=10, job_name="nobody") == []
    assert ids(limit=1, status="running") == [running]
    assert ids(limit=10, job_name="feed", status="failure") == [new]
    assert ids(since=tracker.get_run(other).started_at) == [new, other]


def test_cleanup_deletes_what_ended_before_the_days_given(
    connection: psycopg.Connection[Any], tracker: JobRunTracker
) -> None:
    add(connection, "92 days", status="success", ended="91 days", job="nightly")
    long = add(connection, "92 days", status="success", ended="2 days", job="nightly")
    add(connection, "91 days", status="cancelled", ended="91 days")
    add(connection, "90 days 1 minute", status="failure")  # ended by hand, without a time
    young = add(connection, "2 days", status="failure", ended="2 days")
    edge = add(connection, "91 days", status="success", ended="89 days 23 hours 59 minutes")
    running = add(connection, "1000 days")
    expired = tracker.get_expired_runs(90)
    assert [(jobs.job_name, jobs.run_count) for jobs in expired] == [("feed", 2), ("nightly", 1)]
    assert tracker.cleanup_old_runs(90) == 3
    left = {run.id for run in tracker.get_recent_runs(100)}
    assert left == {long, young, edge, running}
    assert tracker.cleanup_old_runs() == 0
    assert tracker.cleanup_old_runs(days=3) == 1
    assert tracker.cleanup_old_runs(days=1) == 2
    assert tracker.cleanup_old_runs(days=0) == 0
    assert [run.id for run in tracker.get_recent_runs()] == [running]


def test_cleanup_takes_files_and_rejects_along_and_says_so_before(
    connection: psycopg.Connection[Any], tracker: JobRunTracker
) -> None:
    old = add(connection, "91 days", status="success", ended="91 days")
    new = add(connection, "1 day", status="success", ended="1 day")
    for run_id in (old, new):
        connection.execute(
            "INSERT INTO job_run_files (run_id, path, state, rows_read, rows_failed, rejected)"
            " VALUES (%s, 'a.csv', 'loaded', 2, 2, '{\"null_ts\": 2}')",
            [run_id],
        )
        connection.execute(
            "INSERT INTO bars_rejected (run_id, rules, raw, replayed_by)"
            " VALUES (%s, '{null_ts}', '{}', NULL), (%s, '{null_ts}', '{}', %s)",
            [run_id, run_id, new],
        )
    (jobs,) = tracker.get_expired_runs(90)
    assert (jobs.run_count, jobs.files, jobs.rejects, jobs.rejects_waiting) == (1, 1, 2, 1)
    assert jobs.first_run_at == jobs.last_run_at == tracker.get_run(old).started_at
    assert tracker.cleanup_old_runs(90) == 1
    left = connection.execute(
        "SELECT (SELECT array_agg(run_id) FROM job_run_files),"
        " (SELECT array_agg(run_id) FROM bars_rejected)"
    ).fetchone()
    assert left == ([new], [new, new])


def test_summary_honours_its_hours(
    connection: psycopg.Connection[Any], tracker: JobRunTracker
) -> None:
    add(connection, "30 minutes", status="success", ended="20 minutes", written=5)
    newest = add(connection, "10 minutes", status="success", ended="9 minutes", written=7)
    add(connection, "50 minutes", status="failure", ended="40 minutes")
    add(connection, "23 hours", job="nightly", provider=None)
    add(connection, "25 hours", job="nightly", provider=None, status="success", ended="1 hour")
    hour = tracker.get_summary(1)
    assert [astuple(row)[:6] for row in hour] == [
        ("feed", "kraken", "failure", 1, 600_000.0, 0),
        ("feed", "kraken", "success", 2, 330_000.0, 12),
    ]
    assert [row.failure_count for row in hour] == [1, 0]
    assert hour[1].last_run_at == tracker.get_run(newest).started_at
    day = tracker.get_summary()
    assert [(row.job_name, row.status, row.avg_duration_ms) for row in day] == [
        ("feed", "failure", 600_000.0),
        ("feed", "success", 330_000.0),
        ("nightly", "running", None),
    ]
    assert len(tracker.get_summary(hours=26)) == 4
    assert len(tracker.get_summary(hours=0.25)) == 1


def test_a_day_of_summary_is_what_the_view_says(
    connection: psycopg.Connection[Any], tracker: JobRunTracker
) -> None:
    for n, status in enumerate(("running", "success", "failure", "failure")):
        ended = None if status == "running" else "1 hour"
        add(connection, f"{n + 2} hours", status=status, ended=ended, written=n, job=f"job {n % 2}")
    view = connection.execute(
        "SELECT job_name, provider, status, run_count, avg_duration_ms, total_rows, last_run_at,"
        " failure_count FROM job_runs_summary ORDER BY job_name, status"
    ).fetchall()
    assert [astuple(row) for row in tracker.get_summary(24)] == view


def test_files_come_in_the_order_in_which_they_were_begun(
    connection: psycopg.Connection[Any], tracker: JobRunTracker
) -> None:
    run_id = add(connection, "1 hour")
    connection.execute(
        "INSERT INTO job_run_files (run_id, path, state, size_bytes, rejected, notes, started_at)"
        " VALUES (%s, 'b.csv', 'loaded', 12, '{\"null_ts\": 2}', '{noted}', now()),"
        " (%s, 'a.csv', 'failed', NULL, '{}', '{}', now() - interval '1 minute')",
        [run_id, run_id],
    )
    first, second = tracker.get_files(run_id)
    assert isinstance(first, JobRunFile)
    assert (first.path, first.state, first.size_bytes) == ("a.csv", "failed", None)
    assert (second.path, second.rejected, second.notes) == ("b.csv", {"null_ts": 2}, ["noted"])
    assert first.run_id == run_id

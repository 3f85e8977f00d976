"""The query by which a file's own transaction, over ADBC, adds its counts to its run."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from loader.db.arrow import Connection, connect
from loader.store.runs import JobRunTracker
from loader.store.runs.counts import NO_LOAD

JAN_2 = datetime(2024, 1, 2, tzinfo=UTC)
JAN_3 = datetime(2024, 1, 3, 9, 30, 0, 1, UTC)


@pytest.fixture
def tracker(database_url: str) -> Iterator[JobRunTracker]:
    with JobRunTracker(database_url) as own:
        yield own


@pytest.fixture
def loading(database_url: str) -> Iterator[Connection]:
    with connect(database_url) as own:
        yield own


def test_counts_of_files_add_up(tracker: JobRunTracker, loading: Connection) -> None:
    run_id = tracker.start_run("backfill", metadata={"host": "a"})
    with loading.transaction():
        added = loading.row(
            "job_run_add_counts",
            run_id,
            28,
            1,
            2,
            3,
            4,
            5,
            13,
            '["ÉA", "B"]',
            JAN_2,
            JAN_2,
            True,
            *NO_LOAD,
        )
        assert added == (run_id, "backfill", "live")
        assert tracker.get_run(run_id).rows_read == 0  # not before the commit
    with loading.transaction():
        loading.one(
            "job_run_add_counts", run_id, 0, 0, 0, 0, 0, 0, 0, "[]", None, None, True, *NO_LOAD
        )
        loading.one(
            "job_run_add_counts", run_id, 60, 10, 10, 10, 10, 10, 10, '["A", "B"]', JAN_3, JAN_3,
            True, *NO_LOAD,
        )  # fmt: skip
    run = tracker.get_run(run_id)
    assert (run.rows_read, run.rows_written, run.rows_inserted, run.rows_updated) == (
        88,
        23,
        11,
        12,
    )
    assert (run.rows_unchanged, run.rows_duplicate, run.rows_skipped) == (13, 14, 15)
    assert run.rows_failed == 23
    assert run.symbols == ["A", "B", "ÉA"]
    assert (run.min_ts, run.max_ts) == (JAN_2, JAN_3)
    assert run.metadata["host"] == "a"
    assert run.last_heartbeat is not None
    assert run.last_heartbeat > run.started_at


def test_a_beat_is_of_the_moment_and_not_of_the_transactions_start(
    tracker: JobRunTracker, loading: Connection
) -> None:
    run_id = tracker.start_run("backfill")
    with loading.transaction():
        loading.one(
            "job_run_add_counts", run_id, 0, 0, 0, 0, 0, 0, 0, None, None, None, True, *NO_LOAD
        )
        loading.run("wal_position")
        tracker_saw = tracker.get_run(run_id).as_of
        loading.one(
            "job_run_add_counts", run_id, 0, 0, 0, 0, 0, 0, 0, None, None, None, True, *NO_LOAD
        )
    beat = tracker.get_run(run_id).last_heartbeat
    assert beat is not None
    assert beat > tracker_saw


def test_a_rollback_takes_the_counts_back(tracker: JobRunTracker, loading: Connection) -> None:
    run_id = tracker.start_run("backfill")

    def fail() -> None:
        with loading.transaction():
            counts = (1, 1, 0, 0, 0, 0, 0, '["A"]', JAN_2, JAN_2)
            loading.one("job_run_add_counts", run_id, *counts, True, *NO_LOAD)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    run = tracker.get_run(run_id)
    assert (run.rows_read, run.symbols, run.min_ts) == (0, None, None)


def test_a_run_that_ended_takes_no_counts(tracker: JobRunTracker, loading: Connection) -> None:
    run_id = tracker.start_run("backfill")
    tracker.complete_run(run_id, "failure", "marked by somebody")
    with loading.transaction():
        counts = (1, 1, 0, 0, 0, 0, 0, "[]", None, None)
        assert loading.row("job_run_add_counts", run_id, *counts, True, *NO_LOAD) is None
        assert loading.row("job_run_add_counts", 999, *counts, True, *NO_LOAD) is None
    assert tracker.get_run(run_id).rows_read == 0


def test_files_that_end_at_once_lose_nothing(tracker: JobRunTracker, database_url: str) -> None:
    run_id = tracker.start_run("backfill")

    def file(symbol: str) -> None:
        with connect(database_url) as own:
            for n in range(20):
                with own.transaction():
                    own.one(
                        "job_run_add_counts", run_id, 6, 1, 1, 1, 1, 1, 1,
                        f'["{symbol}{n}"]', JAN_2, JAN_3, True, *NO_LOAD,
                    )  # fmt: skip
                tracker.heartbeat(run_id)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(file, "ABCD"))
    run = tracker.get_run(run_id)
    assert (run.rows_read, run.rows_written, run.rows_failed) == (480, 160, 80)
    assert run.symbols == sorted(f"{symbol}{n}" for symbol in "ABCD" for n in range(20))


def test_a_heartbeat_does_not_wait_for_a_file_that_is_ending(
    tracker: JobRunTracker, loading: Connection
) -> None:
    run_id = tracker.start_run("backfill")
    with loading.transaction():
        loading.one(
            "job_run_add_counts", run_id, 0, 0, 0, 0, 0, 0, 0, None, None, None, True, *NO_LOAD
        )
        tracker.heartbeat(run_id)  # would hang here, for this thread holds the row's lock
        assert tracker.get_run(run_id).last_heartbeat is None
    assert tracker.get_run(run_id).last_heartbeat is not None


def test_a_heartbeat_passes_while_a_file_is_being_loaded(
    tracker: JobRunTracker, loading: Connection
) -> None:
    run_id = tracker.start_run("backfill")
    with loading.transaction():
        loading.one("file_begin", run_id, "a.csv", 12, "c0ffee", "f", 0.0)  # refers to the run
        tracker.heartbeat(run_id)
        assert tracker.get_run(run_id).last_heartbeat is not None

"""A run from its start to its end, and what cannot be done to it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from importlib.metadata import version

import psycopg
import pytest

from loader.errors import ConnectionLost, DatabaseError, RunFinished, SettingsError, UnknownRun
from loader.store.runs import JobRunTracker

JAN_2 = datetime(2024, 1, 2, tzinfo=UTC)
JAN_3 = datetime(2024, 1, 3, tzinfo=UTC)
JAN_4 = datetime(2024, 1, 4, tzinfo=UTC)


@pytest.fixture
def tracker(database_url: str) -> Iterator[JobRunTracker]:
    with JobRunTracker(database_url) as own:
        yield own


def disconnect_others(url: str) -> None:
    """Ends every other session of the database, as an administrator would."""
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def test_a_new_run_is_running_and_says_who_it_is(tracker: JobRunTracker) -> None:
    run_id = tracker.start_run(
        "nightly", "us equities", "polygon", "backfill", "f00d", "2.1", {"host": "a", "n": 1}
    )
    run = tracker.get_run(run_id)
    assert (run.job_name, run.dataset_name, run.provider) == ("nightly", "us equities", "polygon")
    assert (run.mode, run.status) == ("backfill", "running")
    assert (run.config_fingerprint, run.pipeline_version) == ("f00d", "2.1")
    assert run.metadata == {"host": "a", "n": 1}
    assert (run.rows_read, run.rows_written, run.rows_failed) == (0, 0, 0)
    assert (run.symbols, run.min_ts, run.max_ts, run.error_message) == (None, None, None, None)
    assert (run.completed_at, run.elapsed_ms, run.last_heartbeat) == (None, None, None)
    assert run.started_at.tzinfo is UTC
    assert timedelta(0) <= run.age < timedelta(minutes=1)


def test_what_is_not_said_has_its_default(tracker: JobRunTracker) -> None:
    run = tracker.get_run(tracker.start_run("feed"))
    assert (run.mode, run.pipeline_version, run.metadata) == ("live", version("mdload"), {})


def test_progress_adds_up(tracker: JobRunTracker) -> None:
    run_id = tracker.start_run("feed", metadata={"host": "a"})
    tracker.update_progress(run_id)
    tracker.update_progress(run_id, 100, 5, ["MSFT", "AAPL"], JAN_2, JAN_3)
    tracker.update_progress(run_id, rows_written=7, symbols={"ÉA", "AAPL"}, rows_updated=3)
    tracker.update_progress(run_id, min_ts=JAN_3, max_ts=JAN_4, rows_unchanged=2)
    tracker.update_progress(run_id, rows_failed=1, rows_duplicate=10, rows_skipped=20)
    run = tracker.get_run(run_id)
    assert run.rows_written == 107
    assert (run.rows_inserted, run.rows_updated, run.rows_unchanged) == (104, 3, 2)
    assert (run.rows_duplicate, run.rows_skipped, run.rows_failed) == (10, 20, 6)
    assert run.rows_read == 145
    assert run.symbols == ["AAPL", "MSFT", "ÉA"]
    assert (run.min_ts, run.max_ts) == (JAN_2, JAN_4)
    assert run.metadata["host"] == "a"


def test_progress_beats_unless_told_not_to(tracker: JobRunTracker) -> None:
    run_id = tracker.start_run("feed")
    tracker.update_progress(run_id, rows_written=1, heartbeat=False)
    assert tracker.get_run(run_id).metadata == {}
    tracker.update_progress(run_id, rows_written=1)
    assert tracker.get_run(run_id).last_heartbeat is not None


def test_a_heartbeat_changes_nothing_else(tracker: JobRunTracker) -> None:
    run_id = tracker.start_run("feed", metadata={"host": "a", "last_heartbeat": "soon"})
    before = tracker.get_run(run_id)
    assert before.metadata == {"host": "a"}
    tracker.heartbeat(run_id)
    first = tracker.get_run(run_id)
    tracker.heartbeat(run_id)
    second = tracker.get_run(run_id)
    assert first.last_heartbeat is not None
    assert second.last_heartbeat is not None
    assert before.started_at < first.last_heartbeat < second.last_heartbeat
    assert second.metadata == {
        "host": "a",
        "last_heartbeat": second.last_heartbeat.isoformat().replace("+00:00", "Z"),
    }
    assert (second.rows_read, second.status, second.started_at) == (0, "running", before.started_at)


@pytest.mark.parametrize("status", ["success", "failure", "cancelled"])
def test_an_end_is_for_good(tracker: JobRunTracker, status: str) -> None:
    run_id = tracker.start_run("feed")
    tracker.complete_run(run_id, status, "why")  # type: ignore[arg-type]
    ended = tracker.get_run(run_id)
    assert (ended.status, ended.error_message) == (status, "why")
    assert ended.completed_at is not None
    lasted = (ended.completed_at - ended.started_at) / timedelta(milliseconds=1)
    assert ended.elapsed_ms == pytest.approx(lasted, abs=1)
    for change in (
        lambda: tracker.complete_run(run_id, "success"),
        lambda: tracker.complete_run(run_id, status, "why"),  # type: ignore[arg-type]
        lambda: tracker.update_progress(run_id, rows_written=1),
        lambda: tracker.heartbeat(run_id),
    ):
        with pytest.raises(RunFinished, match=rf"job run {run_id} has ended already \({status} at"):
            change()
    assert tracker.mark_failed([run_id], "x", 0) == []
    assert tracker.get_run(run_id) == ended


def test_an_unknown_run_is_an_error(tracker: JobRunTracker) -> None:
    for attempt in (
        lambda: tracker.get_run(999),
        lambda: tracker.complete_run(999),
        lambda: tracker.update_progress(999, 1),
        lambda: tracker.heartbeat(999),
    ):
        with pytest.raises(UnknownRun, match="there is no job run 999"):
            attempt()
    assert tracker.get_files(999) == []


def test_nonsense_is_refused_before_it_reaches_the_database(tracker: JobRunTracker) -> None:
    run_id = tracker.start_run("feed")
    for nonsense in (
        lambda: tracker.start_run(" "),
        lambda: tracker.start_run(None),  # type: ignore[arg-type]
        lambda: tracker.start_run("feed", mode="replay"),  # type: ignore[arg-type]
        lambda: tracker.start_run("feed", metadata={"ratio": float("nan")}),
        lambda: tracker.complete_run(run_id, "running"),
        lambda: tracker.complete_run(run_id, "done"),  # type: ignore[arg-type]
        lambda: tracker.update_progress(run_id, rows_written=-1),
        lambda: tracker.update_progress(run_id, rows_written=1, rows_updated=2),
        lambda: tracker.update_progress(run_id, min_ts=datetime(2024, 1, 2)),
        lambda: tracker.get_recent_runs(status="done"),  # type: ignore[arg-type]
        lambda: tracker.get_recent_runs(since=datetime(2024, 1, 2)),
        lambda: tracker.cleanup_old_runs(-1),
    ):
        with pytest.raises(ValueError):  # noqa: PT011 - each has words of its own
            nonsense()
    for mistyped in (
        lambda: tracker.update_progress(run_id, rows_written=1.5),  # type: ignore[arg-type]
        lambda: tracker.update_progress(run_id, symbols="AAPL"),  # its letters are no symbols
        lambda: tracker.update_progress(run_id, symbols=[None]),  # type: ignore[list-item]
    ):
        with pytest.raises(TypeError):
            mistyped()
    assert tracker.get_run(run_id).symbols is None
    assert len(tracker.get_recent_runs()) == 1


def test_a_message_is_kept_without_passwords_and_without_what_text_cannot_hold(
    tracker: JobRunTracker,
) -> None:
    run_id = tracker.start_run("feed")
    tracker.complete_run(run_id, "failure", "a\0b \udcff postgresql://me:hunter2@db/x")
    assert tracker.get_run(run_id).error_message == "a\u2400b \\udcff postgresql://me:***@db/x"


def test_two_threads_lose_no_row(tracker: JobRunTracker) -> None:
    run_id = tracker.start_run("feed")

    def work(symbol: str) -> None:
        for _ in range(50):
            tracker.update_progress(run_id, rows_written=3, rows_failed=1, symbols=[symbol])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, "ABCD"))
    run = tracker.get_run(run_id)
    assert (run.rows_written, run.rows_failed, run.rows_read) == (600, 200, 800)
    assert run.symbols == ["A", "B", "C", "D"]


def test_two_who_end_a_run_at_once_agree(tracker: JobRunTracker, database_url: str) -> None:
    with JobRunTracker(database_url) as other, ThreadPoolExecutor(2) as pool:
        for _ in range(20):
            run_id = tracker.start_run("feed")
            ends = [
                pool.submit(tracker.complete_run, run_id, "success"),
                pool.submit(other.complete_run, run_id, "failure", "other"),
            ]
            refused = [end.exception() for end in ends]
            assert [type(error) for error in refused if error] == [RunFinished]
            won = "failure" if refused[0] else "success"
            assert tracker.get_run(run_id).status == won


def test_a_lost_connection_is_made_again(tracker: JobRunTracker, database_url: str) -> None:
    run_id = tracker.start_run("feed")
    for step in (
        lambda: tracker.update_progress(run_id, rows_written=1),
        lambda: tracker.heartbeat(run_id),
        lambda: tracker.get_run(run_id),
        lambda: tracker.start_run("another"),
        lambda: tracker.complete_run(run_id),
    ):
        disconnect_others(database_url)
        step()
    assert len(tracker.get_recent_runs()) == 2
    run = tracker.get_run(run_id)
    assert (run.rows_written, run.status) == (1, "success")


def test_a_closed_tracker_opens_again(tracker: JobRunTracker) -> None:
    run_id = tracker.start_run("feed")
    tracker.close()
    tracker.close()
    assert tracker.get_run(run_id).id == run_id


def test_a_borrowed_connection_stays_open_and_its_own(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        with JobRunTracker(connection) as tracker:
            run_id = tracker.start_run("feed")
            tracker.update_progress(run_id, rows_written=2)
        assert not connection.closed
        connection.rollback()
        assert tracker.get_run(run_id).rows_written == 2
        disconnect_others(database_url)
        with pytest.raises(ConnectionLost):
            tracker.heartbeat(run_id)
        with pytest.raises(DatabaseError):
            tracker.heartbeat(run_id)


def test_in_the_callers_transaction_the_run_goes_with_it(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        tracker = JobRunTracker(connection)
        with connection.transaction(force_rollback=True):
            undone = tracker.start_run("feed")
            tracker.complete_run(undone)
            assert tracker.get_run(undone).status == "success"
            with pytest.raises(RunFinished):
                tracker.complete_run(undone)
            kept = connection.execute("SELECT 1").fetchone()
        assert kept == (1,)
        with pytest.raises(UnknownRun):
            tracker.get_run(undone)


def test_times_are_utc_whatever_zone_the_session_has(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("SET timezone = 'Asia/Tokyo'")
        tracker = JobRunTracker(connection)
        run_id = tracker.start_run("feed")
        tracker.update_progress(run_id, min_ts=JAN_2, max_ts=JAN_3)
        run = tracker.get_run(run_id)
        assert run.min_ts == JAN_2
        assert {run.min_ts.tzinfo, run.started_at.tzinfo, run.as_of.tzinfo} == {UTC}
        assert run.last_heartbeat is not None
        assert abs(run.last_heartbeat - run.as_of) < timedelta(minutes=1)
        assert tracker.get_stuck_runs(15) == []


def test_sqlalchemys_urls_are_understood(database_url: str) -> None:
    with JobRunTracker(database_url.replace("postgresql://", "postgresql+psycopg://")) as tracker:
        assert tracker.get_run(tracker.start_run("feed")).status == "running"


def test_what_is_no_database_is_said_without_the_password() -> None:
    with pytest.raises(SettingsError) as refused:
        JobRunTracker("host=db passwrod=hunter2")
    assert "hunter2" not in str(refused.value)
    with pytest.raises(ConnectionLost) as away:
        JobRunTracker("postgresql://me:hunter2@127.0.0.1:1/x").get_run(1)
    assert "hunter2" not in f"{away.value} {away.value.hint} {away.value.__cause__}"

"""The way back where something is in its way: another rollback, a run that goes on, a process that
was killed, a trigger, a clock that was set back."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import click
import psycopg
import pytest

from loader.cli.when import Moment
from loader.db.arrow import connect
from loader.db.prepared import Prepared
from loader.db.reconnecting import ReconnectingSession
from loader.errors import MdloadError, MergeFailed, SettingsError
from loader.results import Counts
from loader.store import merge
from loader.store.runs.loads import Load, record
from loader.store.runs.tracker import JobRunTracker
from loader.store.series import SeriesFilter
from loader.store.versions import pins, undo
from loader.store.versions.selection import Since
from tests.conftest import CITUS
from tests.support.histories import T0, Key, State, frame, read

A = [("A", T0 + timedelta(minutes=n)) for n in range(6)]
DROP_REVISIONS = """
CREATE FUNCTION dropped() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER nobody_keeps BEFORE INSERT ON bars_ohlcv_revisions
    FOR EACH ROW EXECUTE FUNCTION dropped()
"""


def load(url: str, bars: State, run: int) -> None:
    with connect(url) as writer, writer.transaction():
        done = merge.upsert(writer, [frame(bars)], run, None)
        record(writer, Load(), Counts(len(bars), done.inserted, done.updated), run)


def prices(keys: list[Key], price: float) -> State:
    return dict.fromkeys(keys, price)


def stored(url: str, where: str = "bars_ohlcv", *params: object) -> State:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        return read(connection, where, *params)


def runs(url: str, count: int) -> list[int]:
    with JobRunTracker(url) as tracker:
        return [tracker.start_run("j", mode="backfill") for _ in range(count)]


def test_one_run_is_undone_once_however_many_do_it(database_url: str) -> None:
    first, second, *back = runs(database_url, 6)
    load(database_url, prices(A[:4], 10.0), first)
    before = stored(database_url)
    load(database_url, prices(A[2:], 11.0), second)
    done: list[undo.Undone] = []
    refused: list[MdloadError] = []

    def work(run: int) -> None:
        try:
            done.append(undo.rollback(database_url, Since(run_id=second), run))
        except MdloadError as error:
            refused.append(error)

    threads = [threading.Thread(target=work, args=(run,)) for run in back]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [(one.updated, one.deleted) for one in done] == [(2, 2)]
    assert [type(error) for error in refused] == [SettingsError] * 3
    assert all("was rolled back already" in str(error) for error in refused)
    assert stored(database_url) == before


def test_what_a_run_loads_after_it_was_undone_stays(database_url: str) -> None:
    """A feed goes on. What it loads later is not taken away with what was undone before."""
    old, feed, back, again, last = runs(database_url, 5)
    load(database_url, prices(A[:2], 10.0), old)
    load(database_url, prices(A[2:4], 11.0), feed)
    undo.rollback(database_url, Since(run_id=feed), back)
    load(database_url, prices(A[4:], 12.0), feed)
    undo.rollback(database_url, Since(run_id=old), again)
    assert stored(database_url) == prices(A[4:], 12.0)
    undo.rollback(database_url, Since(run_id=feed), last)
    assert stored(database_url) == {}


def test_a_rollback_that_was_killed_after_its_commit_counts(database_url: str) -> None:
    """Its run never ended."""
    run, back, twice = runs(database_url, 3)
    load(database_url, prices(A, 10.0), run)
    undo.rollback(database_url, Since(run_id=run), back)
    with pytest.raises(SettingsError, match=f"was rolled back already: see run {back}"):
        undo.rollback(database_url, Since(run_id=run), twice)


def test_a_trigger_that_drops_revisions_stops_all_that_changes_bars(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, back = runs(database_url, 3)
    load(database_url, prices(A[:4], 10.0), first)
    load(database_url, prices(A[:2], 11.0), second)
    before = stored(database_url)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(DROP_REVISIONS)
    complaint = "did not reach bars_ohlcv_revisions: .*'nobody_keeps'"
    bars = prices(A[3:], 12.0)
    with pytest.raises(MergeFailed, match=complaint):
        load(database_url, bars, second)
    with monkeypatch.context() as patched:
        if not CITUS:  # which PostgreSQL 18 always runs on
            patched.setattr(merge, "returns_old", lambda _: False)
        with pytest.raises(MergeFailed, match=complaint):
            load(database_url, bars, second)
    prepared = Prepared(database_url)
    statement = merge.Statement.of(frame(bars))
    with pytest.raises(MergeFailed, match=complaint), prepared.transaction():
        merge.merge_statement(prepared, statement, second)
    prepared.close()
    for run in (first, second):
        with pytest.raises(MergeFailed, match=complaint):
            undo.rollback(database_url, Since(run_id=run), back, keep_later=True)
    with pytest.raises(MergeFailed, match=complaint):
        undo.delete(database_url, SeriesFilter(symbols=("A",)), back)
    assert stored(database_url) == before


def test_a_clock_that_was_set_back(database_url: str) -> None:
    """The newest load is known in an hour by the clock of now."""
    first, second, third = runs(database_url, 3)
    load(database_url, prices(A[:2], 10.0), first)
    load(database_url, prices(A[1:3], 11.0), second)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "UPDATE bars_loads SET known_at = known_at + interval '1 hour',"
            " stamped_at = stamped_at + interval '1 hour' WHERE run_id = %s", [second]
        )  # fmt: skip
    is_now = stored(database_url)
    session = ReconnectingSession(database_url)
    try:
        pinned = pins.make(session, "here")
    finally:
        session.close()
    assert stored(database_url, "bars_ohlcv_at", "here") == is_now
    load(database_url, prices(A[2:5], 12.0), third)
    assert stored(database_url, "bars_ohlcv_at", "here") == is_now
    assert stored(database_url, "bars_ohlcv_as_of", pinned.known_at) == is_now
    with psycopg.connect(database_url, autocommit=True) as connection:
        rising = connection.execute("SELECT known_at FROM bars_loads ORDER BY id").fetchall()
        (after,) = connection.execute("SELECT mdload_settled()").fetchone() or (None,)
    assert rising == sorted(rising)
    assert stored(database_url, "bars_ohlcv_as_of", after) == stored(database_url)


@pytest.mark.parametrize("text", ["0001-01-01T00:00+14:00", "9999-12-31T23:59-14:00"])
def test_a_moment_that_utc_cannot_name(text: str) -> None:
    with pytest.raises(click.BadParameter, match="before the year 1 or after the year 9999"):
        Moment().convert(text, None, None)


def test_the_first_and_the_last_moment(database_url: str) -> None:
    (run,) = runs(database_url, 1)
    load(database_url, prices(A, 10.0), run)
    for moment in ("-infinity", "0001-01-01", datetime(2020, 1, 1, tzinfo=UTC)):
        assert stored(database_url, "bars_ohlcv_as_of", moment) == {}
    assert stored(database_url, "bars_ohlcv_as_of", "infinity") == stored(database_url)

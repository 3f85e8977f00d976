"""Many bars taken away at once: the index of the revisions comes back in the same transaction."""

from __future__ import annotations

from datetime import timedelta

import psycopg
import pytest

from loader.db.arrow import connect
from loader.results import Counts
from loader.store import merge
from loader.store.runs.loads import Load, record
from loader.store.runs.tracker import JobRunTracker
from loader.store.versions import many, undo
from loader.store.versions.selection import Since
from tests.conftest import plain_only
from tests.support.histories import T0, State, frame, read
from tests.support.sql import fetch

BARS: State = {(s, T0 + timedelta(minutes=n)): 10.0 + n for s in "AB" for n in range(6)}
INDEX = (
    "SELECT i.indexrelid::bigint, pg_get_indexdef(i.indexrelid), indisvalid::text FROM pg_index i"
    " JOIN pg_class c ON c.oid = i.indexrelid WHERE relname = 'bars_ohlcv_revisions_key_idx'"
)


@pytest.fixture(autouse=True)
def however_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(many, "FEWEST", 1)


def loaded(url: str) -> tuple[int, int]:
    """The run that loaded `BARS`, and one for the way back."""
    with JobRunTracker(url) as tracker:
        run, back = (tracker.start_run("j", mode="backfill") for _ in range(2))
    with connect(url) as writer, writer.transaction():
        done = merge.upsert(writer, [frame(BARS)], run, None)
        record(writer, Load(), Counts(len(BARS), done.inserted, done.updated), run)
    return run, back


@plain_only  # TimescaleDB looks at each CREATE INDEX: there the index stays
def test_the_index_is_made_again(database_url: str) -> None:
    ((oid, definition, _),) = fetch(database_url, INDEX)
    run, back = loaded(database_url)
    ((moment,),) = fetch(database_url, "SELECT mdload_settled()")
    assert undo.rollback(database_url, Since(run_id=run), None).deleted == len(BARS)
    assert fetch(database_url, INDEX) == [(oid, definition, "true")]  # a dry run holds nobody up
    assert undo.rollback(database_url, Since(run_id=run), back).deleted == len(BARS)
    ((again, same, valid),) = fetch(database_url, INDEX)
    assert again != oid
    assert (same, valid) == (definition, "true")
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("SET TimeZone = 'UTC'; SET enable_seqscan = off")
        assert read(connection, "bars_ohlcv") == {}
        assert read(connection, "bars_ohlcv_as_of", moment) == BARS
    assert fetch(
        database_url, f"SELECT symbols, min_ts, max_ts FROM job_runs WHERE id = {back}"
    ) == [(["A", "B"], T0, T0 + timedelta(minutes=5))]


@pytest.mark.parametrize(
    "statement",
    [
        "COMMENT ON INDEX bars_ohlcv_revisions_key_idx IS 'ours'",
        "ALTER INDEX bars_ohlcv_revisions_key_idx SET (fillfactor = 80)",
        "CLUSTER bars_ohlcv_revisions USING bars_ohlcv_revisions_key_idx",
        "DROP INDEX bars_ohlcv_revisions_key_idx; CREATE INDEX bars_ohlcv_revisions_key_idx"
        " ON bars_ohlcv_revisions (symbol)",
    ],
)
def test_an_index_that_somebody_changed_stays(database_url: str, statement: str) -> None:
    run, back = loaded(database_url)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(statement)  # type: ignore[call-overload]
    before = fetch(database_url, INDEX)
    assert undo.rollback(database_url, Since(run_id=run), back).deleted == len(BARS)
    assert fetch(database_url, INDEX) == before


def test_somebody_who_reads_the_past_is_not_in_the_way(database_url: str) -> None:
    run, back = loaded(database_url)
    before = fetch(database_url, INDEX)
    with psycopg.connect(database_url) as reader:
        reader.execute("SELECT count(*) FROM bars_ohlcv_revisions")  # holds it until its end
        assert undo.rollback(database_url, Since(run_id=run), back).deleted == len(BARS)
    assert fetch(database_url, INDEX) == before

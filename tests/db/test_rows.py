"""A psycopg session: what its errors carry, what its transactions keep, and how it comes back."""

from __future__ import annotations

from datetime import UTC

import psycopg
import pytest

from loader.db.prepared import Prepared
from loader.db.reconnecting import ReconnectingSession
from loader.db.rows import Session, connect
from loader.errors import ConnectionLost, DatabaseError, SettingsError
from loader.store.runs import JobRunTracker
from tests.support.sql import fetch

REFUSE = """
    DO $$ BEGIN RAISE feature_not_supported USING MESSAGE = 'not with this licence'; END $$
"""


def create_and_be_refused(session: Session) -> None:
    with session.transaction():
        session.composed("CREATE TABLE lost ()")
        session.composed(REFUSE)


def test_a_refusal_in_a_savepoint_leaves_the_transaction_around_it(database_url: str) -> None:
    with connect(database_url, doing="working with TimescaleDB") as session:
        with session.transaction():
            session.composed("CREATE TABLE kept ()")
            with pytest.raises(DatabaseError) as caught:
                create_and_be_refused(session)
        assert session.idle
    error = caught.value
    assert (error.sqlstate, error.reason) == ("0A000", "not with this licence")
    assert str(error) == "the database failed while working with TimescaleDB: not with this licence"
    assert fetch(database_url, "SELECT to_regclass('kept')::text, to_regclass('lost')") == [
        ("kept", None)
    ]


def test_a_composed_statement_is_executed_at_once(database_url: str) -> None:
    with connect(database_url) as session:
        session.composed("CREATE TABLE made ()")
        assert fetch(database_url, "SELECT to_regclass('made')::text") == [("made",)]
        (row,) = session.composed("SELECT TIMESTAMPTZ '2024-03-05 02:00+02' AS ts, 1 AS one")
    assert row["ts"].isoformat() == "2024-03-05T00:00:00+00:00"
    assert row["ts"].tzinfo is UTC


def test_a_session_that_was_ended_does_not_answer(database_url: str) -> None:
    session = connect(database_url)
    (pid,) = session.composed("SELECT pg_backend_pid() AS pid")
    assert session.answers()
    fetch(database_url, f"SELECT pg_terminate_backend({pid['pid']}, 60000)")
    assert not session.answers()
    with pytest.raises(ConnectionLost):
        session.rows("doctor_clock")
    session.close()
    session.close()


def test_a_reconnecting_session_opens_another_after_a_loss(database_url: str) -> None:
    session = ReconnectingSession(database_url)
    first = session.rows("doctor_clock")[0]["now"]
    others = "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity"
    others += " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    fetch(database_url, others)
    assert session.rows("doctor_clock", repeatable=True)[0]["now"] > first
    session.close()


@pytest.mark.parametrize("text", ["s3cret", "mysql://u:s3cret@h/d", "postgresql://u:s3@cret@h/d"])
def test_every_way_in_refuses_a_url_in_the_same_words(text: str) -> None:
    said = set()
    for way in (connect, ReconnectingSession, JobRunTracker):
        with pytest.raises(SettingsError, match=r"^the database URL (is not|names|has)") as caught:
            way(text)
        said.add(str(caught.value))
    assert len(said) == 1
    assert "cret" not in said.pop()


def test_a_lent_connection_keeps_its_rows_as_they_are(database_url: str) -> None:
    with psycopg.connect(database_url) as lent:
        session = ReconnectingSession(lent)
        assert session.rows("doctor_clock")[0]["now"].tzinfo is UTC
        assert lent.execute("SELECT 1").fetchone() == (1,)
        session.close()
        assert not lent.closed


def test_the_statements_of_a_client_are_prepared(database_url: str) -> None:
    session = Prepared(database_url)
    try:
        with session.transaction():
            session.one("transaction_id")
        kept = session._connection.execute("SELECT statement FROM pg_prepared_statements")
        assert any("pg_current_xact_id" in statement for (statement,) in kept)
    finally:
        session.close()

"""The session for small batches: its arrays, and statements that travel together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from loader.bars.columns import Type
from loader.client import StoreClient
from loader.db.prepared import Prepared
from loader.db.prepared.arrays import array
from loader.db.rows import _Stoppable
from loader.errors import ConnectionLost, DatabaseError, SchemaOutOfDate
from tests.conftest import not_on_citus
from tests.support.candles import minutes
from tests.support.sql import fetch

LOAD = ("load", None, None, 1, 0, 0, None)
LOADS = "SELECT count(*) FROM bars_loads"


@pytest.fixture
def session(database_url: str) -> Iterator[Prepared]:
    with closing(Prepared(database_url)) as session:
        yield session


@pytest.fixture(scope="module")
def back(module_url: str) -> Iterator[Callable[[Type, list[Any]], list[Any]]]:
    """What the server makes of an array, each value in its own binary form."""
    with psycopg.connect(module_url, autocommit=True) as connection:

        def back(kind: Type, values: list[Any]) -> list[Any]:
            result = connection.pgconn.exec_params(
                f"SELECT unnest(CAST($1 AS {kind}[]))".encode(),
                [array(kind, values)], param_formats=[1], result_format=1,
            )  # fmt: skip
            assert result.status == psycopg.pq.ExecStatus.TUPLES_OK, result.error_message
            cells = (result.get_value(row, 0) for row in range(result.ntuples))
            cursor = connection.execute(
                f"SELECT {SENT[kind]}(CAST(v AS {kind})) FROM unnest(%s::text[]) AS v".encode(),
                [[None if v is None else v if isinstance(v, str) else literal(v) for v in values]],
            )
            assert list(cells) == [cell for (cell,) in cursor]
            return values

        yield back


SENT = {
    "text": "textsend", "timestamptz": "timestamptz_send", "double precision": "float8send",
    "bigint": "int8send",
}  # fmt: skip


def literal(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else repr(value)


@given(st.lists(st.none() | st.floats(allow_nan=False), min_size=1, max_size=9))
@example([-0.0, 0.0, 5e-324, 1.7976931348623157e308, 0.1 + 0.2, float("inf")])
def test_floats_arrive_bit_for_bit(back: Callable[..., Any], values: list[float | None]) -> None:
    back("double precision", values)


@given(st.lists(st.none() | st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=9))
def test_whole_numbers_arrive(back: Callable[..., Any], values: list[int | None]) -> None:
    back("bigint", values)


@given(
    st.lists(
        st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC)), min_size=1
    )
)
@example([datetime(1999, 12, 31, 23, 59, 59, 999_999, UTC), datetime(1969, 12, 31, tzinfo=UTC)])
def test_times_arrive_to_the_microsecond(back: Callable[..., Any], values: list[datetime]) -> None:
    back("timestamptz", values)


@given(
    st.lists(st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=9), min_size=1)
)
@example(['{"a,\\b"}', "NULL", "", "é漢🎉"])
def test_texts_arrive(back: Callable[..., Any], values: list[str]) -> None:
    back("text", values)


@not_on_citus("the merge is another one there, and the load is recorded before the commit")
def test_a_batch_waits_for_the_server_twice(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = []
    wait = _Stoppable.wait

    def counting(self: _Stoppable, *args: Any, **kwargs: Any) -> Any:
        waits.append(self)
        return wait(self, *args, **kwargs)

    with StoreClient(database_url) as client:
        client.write_bars(minutes(1))
        monkeypatch.setattr(_Stoppable, "wait", counting)
        assert client.write_bars(minutes(3)).inserted == 2
    assert len(waits) == 2
    assert fetch(database_url, LOADS) == [(2,)]


def test_the_last_statement_commits_with_the_others(session: Prepared, database_url: str) -> None:
    with session.transaction():
        session.one("transaction_id")
        session.last("load_record", *LOAD)
        assert fetch(database_url, LOADS) == [(0,)]
    with session.transaction():
        session.last("load_record", *LOAD)
    assert fetch(database_url, LOADS) == [(2,)]


def test_the_last_statement_precedes_the_next(session: Prepared) -> None:
    with session.transaction():
        session.last("load_record", *LOAD)
        assert session.one("transaction_id")[0] is not None


def test_a_transaction_that_is_given_up_forgets_its_last_statement(
    session: Prepared, database_url: str
) -> None:
    def give_up() -> None:
        with session.transaction():
            session.last("load_record", *LOAD)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        give_up()
    with session.transaction():
        session.one("transaction_id")
    assert fetch(database_url, LOADS) == [(0,)]


@pytest.mark.parametrize("wrong", ["last", "run"])
def test_an_error_is_of_the_statement_that_failed(
    session: Prepared, database_url: str, wrong: str
) -> None:
    """What travels with it is not done, and the session goes on."""

    def fail() -> None:
        with session.transaction():
            session.last("load_record", *LOAD)
            getattr(session, wrong)("load_record", "load", None, None, "many", 0, 0, None)

    with pytest.raises(DatabaseError, match=r"while running load_record: .*bigint: \"many\""):
        fail()
    assert session.idle
    assert fetch(database_url, LOADS) == [(0,)]
    with session.transaction():
        session.last("load_record", *LOAD)
    assert fetch(database_url, LOADS) == [(1,)]


def test_a_commit_that_is_refused(session: Prepared, database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS"
            " 'BEGIN RAISE EXCEPTION ''too late''; END';"
            "CREATE CONSTRAINT TRIGGER late AFTER INSERT ON bars_loads DEFERRABLE"
            " INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION late()"
        )
    with pytest.raises(DatabaseError, match="while committing: too late"), session.transaction():
        session.last("load_record", *LOAD)
    assert session.idle
    assert fetch(database_url, LOADS) == [(0,)]


def test_a_table_that_was_altered_is_met_with_new_plans(
    session: Prepared, database_url: str
) -> None:
    """Once the transaction that met it has failed."""

    def record() -> None:
        with session.transaction():
            session.last("load_record", *LOAD)

    record()
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("ALTER TABLE bars_loads ALTER id TYPE integer")
    with pytest.raises(DatabaseError, match="cached plan must not change result type"):
        record()
    record()
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("ALTER TABLE bars_loads RENAME TO elsewhere")
    with pytest.raises(SchemaOutOfDate):
        record()


def test_statements_of_lost_transactions_do_not_pile_up(session: Prepared) -> None:
    def give_up() -> None:
        with session.transaction():
            session.one("transaction_id")
            raise ZeroDivisionError

    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            give_up()
    with session.transaction():
        session.one("transaction_id")
        kept = session._connection.execute("SELECT name FROM pg_prepared_statements").fetchall()
    assert sorted(name.split()[0] for (name,) in kept) == ["BEGIN", "transaction_id"]


@pytest.mark.parametrize("closed", [True, False], ids=["by another thread", "by the server"])
def test_a_session_that_is_gone_commits_nothing(
    session: Prepared, database_url: str, *, closed: bool
) -> None:
    def lose() -> None:
        pid = session._connection.info.backend_pid
        with session.transaction():
            session.one("transaction_id")
            session.last("load_record", *LOAD)
            if closed:
                session.close()
            else:
                fetch(database_url, f"SELECT pg_terminate_backend({pid}, 5000)")

    with pytest.raises(ConnectionLost):
        lose()
    with pytest.raises(ConnectionLost):
        session.one("transaction_id")
    assert fetch(database_url, LOADS) == [(0,)]


def test_a_text_that_would_be_cut_off(session: Prepared) -> None:
    with pytest.raises(DatabaseError, match="cannot contain NUL"), session.transaction():
        session.one("transaction_status", "1\0")

"""`mdload query` as people type it: what it prints, writes and refuses."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import psycopg
import pytest

from tests.conftest import Ran

Query = Callable[..., Ran]

EVERY_TYPE = """
    SELECT 1::smallint AS small, 2 AS usual, 9007199254740993 AS big, 2.50::numeric AS exact,
           0.1::real AS short, 0.1::float8 + 0.2 AS long, 'NaN'::float8 AS nan, true AS yes,
           NULL::int AS nothing, 'x"y' AS text, '' AS empty, '{1,2}'::int[] AS list,
           '1 mon'::interval AS span, '{"a": [1]}'::jsonb AS json, '2024-03-04'::date AS day,
           '2024-03-04 15:30:00.25+01'::timestamptz AS ts, '2024-03-04 15:30'::timestamp AS wall,
           '\\x01ff'::bytea AS bytes, 1 AS usual
"""


@pytest.fixture
def query(forked: Callable[..., Ran], database_url: str) -> Query:
    return lambda *args, **more: forked("--database", database_url, "query", *args, **more)


def test_a_table(query: Query, database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(
            'INSERT INTO bars_ohlcv (provider, symbol, "interval", ts, open, high, low, close)'
            " SELECT 'p', 'SPY', '1d', '2024-03-04Z'::timestamptz + n * '1 day'::interval,"
            "        10.5, 11, 10, 10.25 FROM generate_series(0, 2) n"
        )
    ran = query("SELECT symbol, ts, close FROM bars_ohlcv ORDER BY ts", "--limit", "2")
    assert (ran.code, ran.err) == (0, "")
    assert [" ".join(line.split()) for line in ran.out.splitlines() if "─" not in line] == [
        "symbol ts close",
        "SPY 2024-03-04 00:00:00Z 10.25",
        "SPY 2024-03-05 00:00:00Z 10.25",
        "and more rows: --limit N shows N; --json, --csv and --to FILE have all",
    ]
    whole = query("SELECT symbol, ts, close FROM bars_ohlcv", "--limit", "3")
    assert "more rows" not in whole.out


def test_every_type_as_json(query: Query) -> None:
    found = query(EVERY_TYPE, "--json").json()
    assert found["rows"] == [
        {
            "small": 1, "usual": 2, "big": 9007199254740993, "exact": 2.5, "short": 0.1,
            "long": 0.30000000000000004, "nan": "NaN", "yes": True, "nothing": None,
            "text": 'x"y', "empty": "", "list": "{1,2}", "span": "1 mon", "json": {"a": [1]},
            "day": "2024-03-04", "ts": "2024-03-04T14:30:00.25Z", "wall": "2024-03-04T15:30:00",
            "bytes": "\\x01ff", "usual_2": 1,
        }
    ]  # fmt: skip
    assert found["columns"][:3] == [
        {"name": "small", "type": "int2"}, {"name": "usual", "type": "int4"},
        {"name": "big", "type": "int8"},
    ]  # fmt: skip
    assert {"name": "list", "type": "int4[]"} in found["columns"]


def test_every_type_as_parquet_and_csv(query: Query, tmp_path: Path) -> None:
    ran = query(EVERY_TYPE, "--to", "found.parquet")
    assert ran.err == "found.parquet: 1 row\nnote: exact: numeric, written as the nearest float64\n"
    found = pl.read_parquet(tmp_path / "found.parquet")
    assert found.rows(named=True)[0] | {"nan": None} == {
        "small": 1, "usual": 2, "big": 9007199254740993, "exact": 2.5, "short": pytest.approx(0.1),
        "long": 0.30000000000000004, "nan": None, "yes": True, "nothing": None, "text": 'x"y',
        "empty": "", "list": "{1,2}", "span": "1 mon", "json": '{"a": [1]}',
        "day": datetime(2024, 3, 4).date(), "ts": datetime(2024, 3, 4, 14, 30, 0, 250000, UTC),
        "wall": datetime(2024, 3, 4, 15, 30), "bytes": "\\x01ff", "usual_2": 1,
    }  # fmt: skip
    assert query(EVERY_TYPE, "--to", "found.csv").code == 0
    printed = query(EVERY_TYPE, "--csv").out
    assert printed == (tmp_path / "found.csv").read_text()
    assert printed.splitlines()[1] == (
        '1,2,9007199254740993,2.50,0.1,0.30000000000000004,NaN,t,,"x""y","","{1,2}",1 mon,'
        '"{""a"": [1]}",2024-03-04,2024-03-04T14:30:00.25Z,2024-03-04T15:30:00,\\x01ff,1'
    )


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("'infinity'::timestamptz", "column x (timestamptz) has a value that Parquet cannot hold"),
        ("'-infinity'::date", "column x (date) has a value that Parquet cannot hold"),
        (
            "'0010-01-01 BC'::timestamptz",
            "column x (timestamptz) has a value that Parquet cannot hold",
        ),
    ],
)
def test_a_value_that_a_file_cannot_hold(
    query: Query, tmp_path: Path, value: str, message: str
) -> None:
    ran = query(f"SELECT {value} AS x", "--to", "out.parquet")
    assert (ran.code, list(tmp_path.iterdir())) == (2, [])
    assert message in ran.err
    assert 'hint: write it as text: "x"::text' in ran.err
    assert query(f"SELECT ({value})::text AS x", "--to", "out.parquet").code == 0


def test_nothing_can_be_written(query: Query, database_url: str) -> None:
    for statement in (
        "DELETE FROM bars_pins",
        "DELETE FROM bars_pins RETURNING name",
        "WITH gone AS (DELETE FROM bars_pins RETURNING name) SELECT * FROM gone",
        "SET default_transaction_read_only = off",
        "COMMIT",
        "DROP TABLE bars_pins",
        "SELECT 1; DELETE FROM bars_pins",
        "SELECT set_config('transaction_read_only', 'off', false); DELETE FROM bars_pins",
    ):
        ran = query(statement)
        assert ran.code == 2, (statement, ran)
        assert ran.err.startswith(("error: the server refused the SQL: ", "error: the statement"))
    with psycopg.connect(database_url) as connection:
        connection.execute("INSERT INTO bars_pins (name, known_at, load_id) VALUES ('a', now(), 1)")
    query("WITH x AS (SELECT set_config('transaction_read_only', 'off', false)) TABLE x")
    query("DELETE FROM bars_pins RETURNING name")
    assert query("SELECT name FROM bars_pins", "--csv").out == "name\na\n"


@pytest.mark.parametrize(
    ("statement", "message", "hint"),
    [
        ("SLECT 1", 'syntax error at or near "SLECT"', "give one statement; quote it"),
        ("TABLE bars", 'relation "bars" does not exist', "the tables and columns are in"),
        ("SELECT nope FROM bars_ohlcv", 'column "nope" does not exist', "the tables and columns"),
        ("SELECT 1/0", "division by zero", "correct the statement"),
        ("SELECT $1", "the statement has a parameter, $1", "write values in their place"),
        ("SELECT $1::int + $2::int", "has 2 parameters, $1 to $2", "write values in their place"),
        ("  ", "there is no SQL to run", "mdload query 'SELECT …'"),
    ],
)
def test_a_wrong_statement(query: Query, statement: str, message: str, hint: str) -> None:
    ran = query(statement)
    assert (ran.code, ran.out) == (2, "")
    assert message in ran.err
    assert f"hint: {hint}" in ran.err


def test_other_statements_that_answer(query: Query) -> None:
    assert query("SHOW TimeZone", "--csv").out == "TimeZone\nUTC\n"
    assert query("VALUES (1), (2)", "--csv").out == "column1\n1\n2\n"
    assert "Result" in query("EXPLAIN SELECT 1").out
    assert query("-", "--csv", stdin="SELECT 7 AS x").out == "x\n7\n"


def test_no_rows(query: Query) -> None:
    assert query("SELECT 1 AS a WHERE false").out.splitlines()[-1] == "no rows"
    assert query("SELECT 1 AS a WHERE false", "--csv").out == "a\n"
    assert query("SELECT 1 AS a WHERE false", "--json").json()["rows"] == []


def test_many_rows_in_order(query: Query) -> None:
    lines = query("SELECT generate_series(1, 50000) AS n", "--csv").out.splitlines()
    assert lines == ["n", *map(str, range(1, 50_001))]


def test_hostile_text_does_not_steer_a_terminal(query: Query) -> None:
    statement = """SELECT E'\\x1b[31m\\x07' AS "a\x1bb" """
    assert "\x1b" not in query(statement).out
    assert query(statement, "--json").json()["rows"] == [{"a\x1bb": "\x1b[31m\x07"}]
    assert "\x1b" not in query(statement, "--json").out


def test_one_form_at_a_time(query: Query) -> None:
    assert query("SELECT 1", "--json", "--csv").code == 2

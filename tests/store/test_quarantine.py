"""Rejected rows reach their table as they are, on every way into it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import polars as pl
import psycopg
import pytest

from loader.db.arrow import connect
from loader.db.queries import query
from loader.store import quarantine
from loader.store.quarantine.found import RejectFilter
from loader.store.quarantine.waiting import array
from tests.conftest import not_on_citus

TS = datetime(2024, 3, 4, 14, 30, tzinfo=UTC)
#: Row number, rules, raw, key: each as the table must have it.
ROWS: list[tuple[Any, ...]] = [
    (1, ["high_below_low"], {"a": "1", "é": None}, "p", "AAA", "1m", TS),
    (2, ["high_below_low", "close_outside_range"], {"a": 'say "x"\\'}, "p", "AAA", "1m", None),
    (3, ["ts_unparsable"], {}, None, None, None, None),
    (4, ["high_below_low"], {"a": "␛␀ \U0001f4c8"}, "p", "ÄÖÜ", "1m", TS),
    (
        9_007_199_254_740_993,
        ["close_outside_range", "high_below_low"],
        {"": ""},
        "p",
        "A",
        "1d",
        TS,
    ),
]


def frame(rows: list[tuple[Any, ...]]) -> pl.DataFrame:
    texts = [(*each[:2], json.dumps(each[2], ensure_ascii=False), *each[3:]) for each in rows]
    return pl.DataFrame(texts, schema=quarantine.BAD, orient="row")


def held(url: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(
            "SELECT row_number, rules, raw, provider, symbol, interval, ts, run_id, file_id,"
            " array_ndims(rules), array_lower(rules, 1) FROM bars_rejected ORDER BY id"
        ).fetchall()


@pytest.mark.parametrize("way", ["set aside", "in one frame", "row by row"])
@pytest.mark.parametrize(("run_id", "file_id"), [(7, 8), (None, None)])
def test_rows_are_kept_as_they_are(
    way: str, run_id: int | None, file_id: int | None, database_url: str
) -> None:
    parts = [frame([row]) for row in ROWS] if way == "row by row" else [frame(ROWS)]
    with connect(database_url) as connection, quarantine.Waiting() as waiting:
        for part in [*parts, frame([])]:
            waiting.append(part)
        kept = waiting if way == "set aside" else parts
        for _ in range(2):  # a file that is tried again sends them again
            with connection.transaction():
                assert quarantine.keep(connection, kept, run_id, file_id) == len(ROWS)
    assert held(database_url) == [(*row, run_id, file_id, 1, 1) for row in ROWS] * 2


def test_many_rows_keep_their_order_and_their_rules(database_url: str) -> None:
    sets = [["a"], ["b", "a"], ["c", "d", "e"]]
    rows = [
        (number, sets[number % 3], {"n": str(number)}, "p", "A", "1m", TS)
        for number in range(60_000)
    ]
    with (
        connect(database_url) as connection,
        quarantine.Waiting() as waiting,
        connection.transaction(),
    ):
        waiting.append(frame(rows))
        assert quarantine.keep(connection, waiting, 1, 2) == 60_000
    assert [row[:3] for row in held(database_url)] == [row[:3] for row in rows]


def test_the_binary_form_of_an_array_is_that_of_the_server(database_url: str) -> None:
    for texts in (["high_below_low"], ["a", "ü", ""], ["x"] * 70):
        with psycopg.connect(database_url) as connection:
            (sent,) = connection.execute("SELECT array_send(%s::text[])", [texts]).fetchone() or ()
        assert array(texts) == sent


@pytest.mark.parametrize(
    "name",
    [
        "rejects_by_rule",
        pytest.param("rejects_rows", marks=not_on_citus("bars_rejects() is PL/pgSQL there")),
    ],
)
@pytest.mark.parametrize("asked", [RejectFilter(), RejectFilter(rules=["high_below_low"])])
def test_the_server_expects_about_as_many_rejects_as_there_are(
    name: str, asked: RejectFilter, database_url: str
) -> None:
    """Planned for one row, as it was, each reject looks for its bar by itself."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO bars_rejected (rules, raw, provider, symbol, interval, ts)"
            " SELECT ARRAY['high_below_low'], '{}', 'p', 'A', '1m', now() + n * interval '1 min'"
            " FROM generate_series(1, 20000) n"
        )
        connection.execute("ANALYZE bars_rejected")
        connection.execute("SELECT set_config('mdload.wanted', %s, false)", [asked.wanted])
        (found,) = connection.execute(f"EXPLAIN (FORMAT json) {query(name)}").fetchone() or ()

    def joins(plan: dict[str, Any]) -> list[float]:
        inner = [each for part in plan.get("Plans", []) for each in joins(part)]
        kind = plan["Node Type"]
        return inner + [plan["Plan Rows"]] * ("Join" in kind or kind == "Nested Loop")

    assert joins(found[0]["Plan"])
    assert min(joins(found[0]["Plan"])) > 5_000, found

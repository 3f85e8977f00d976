"""The house keeps its shape: small rooms, SQL by name, one room for the drivers."""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterator

import psycopg
import pytest

from loader.bars.columns import OPTIONAL, TYPES
from loader.db.queries import parse, queries
from loader.errors import MdloadError
from loader.store import schema
from tests.conftest import ROOT, database

MODULES = sorted((ROOT / "loader").rglob("*.py"))


def test_no_module_is_too_long() -> None:
    sizes = {path: len(path.read_text().splitlines()) for path in MODULES}
    assert not {str(path.relative_to(ROOT)): n for path, n in sizes.items() if n > 300}
    assert statistics.median(sizes.values()) <= 150


#: Rooms whose entries are alike, and listed elsewhere: a module per command, a vendor per module.
LISTS = {"loader/cli", "loader/cli/views", "loader/dialects/providers"}


def test_no_room_has_too_many_entries() -> None:
    rooms = {path.parent for path in MODULES}
    entries = {
        str(room.relative_to(ROOT)): sum(1 for path in room.iterdir() if path.name != "__pycache__")
        for room in rooms
    }
    assert entries.pop("loader") <= 20
    assert not {room: n for room, n in entries.items() if n > 16 and room not in LISTS}


def test_no_drawer_for_everything() -> None:
    assert not {"utils", "common", "helpers", "base"} & {path.stem for path in MODULES}


@pytest.mark.parametrize("driver", ["adbc_", "psycopg"])
def test_only_the_database_room_knows_the_drivers(driver: str) -> None:
    imports = re.compile(rf"^\s*(import|from) {driver}", re.MULTILINE)
    knowing = {
        path.relative_to(ROOT).parts[1] for path in MODULES if imports.search(path.read_text())
    }
    assert knowing == {"db"}


def test_migrations_do_not_depend_on_the_loader_s_sql() -> None:
    for path in (ROOT / "migrations").rglob("*.py"):
        assert "loader.db.queries" not in path.read_text()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("-- a --\nSELECT 1", "no description"),
        ("-- a --\n-- One.\nSELECT 1; SELECT 2", "more than one statement"),
        ("-- a --\n-- One.\nSELECT 1\n-- a --\n-- Two.\nSELECT 2", "defined twice"),
        ("SELECT 1", "before the first"),
        ("-- a --\n-- One.\nSELECT @valeus(b.)", "query a: there is no fragment @valeus"),
        ("-- a --\n-- One.\nSELECT @same_key(a.)", "query a: the fragment @same_key.* arguments"),
    ],
)
def test_a_file_of_queries_that_is_wrong_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(MdloadError, match=complaint):
        parse(text, "x.sql")


def test_fragments_name_every_column_of_a_bar() -> None:
    described = "-- a --\n-- One.\n"
    names = ("open", "high", "low", "close", "volume", "vwap", "trade_count")
    for given, expected in {
        "@key": '"provider", "symbol", "interval", "ts"',
        "@values": ", ".join(f'"{name}"' for name in names),
        "@values(b.)": ", ".join(f'b."{name}"' for name in names),
        "@values(old_)": ", ".join(f'"old_{name}"' for name in names),
        "@values(b., old_)": ", ".join(f'b."{name}" AS "old_{name}"' for name in names),
        "@set(EXCLUDED.)": ", ".join(f'"{name}" = EXCLUDED."{name}"' for name in names),
        "a @> b AND @ c": "a @> b AND @ c",
    }.items():
        assert parse(f"{described}SELECT {given}", "x.sql") == {"a": f"SELECT {expected}"}


def test_no_query_lists_the_values_of_a_bar_by_hand() -> None:
    """But those that make each value of a longer bar in a way of its own."""
    aggregates = ("rollups.sql", "reconcile.sql")
    for path in (ROOT / "sql").glob("*.sql"):
        assert path.name in aggregates or "trade_count" not in path.read_text(), path


def test_the_table_has_the_columns_of_the_list(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        found = connection.execute(
            "SELECT attname, format_type(atttypid, atttypmod), attnotnull FROM pg_attribute"
            " WHERE attrelid = 'bars_ohlcv'::regclass AND attnum > 0 AND NOT attisdropped"
            " AND attname NOT IN ('created_at', 'updated_at') ORDER BY attnum"
        ).fetchall()
    types = {"timestamp with time zone": "timestamptz"}
    columns = {name: types.get(kind, kind) for name, kind, _ in found}
    assert list(columns.items()) == list(TYPES.items())
    assert {name for name, _, required in found if not required} == set(OPTIONAL)


TEMPORARY = (
    "stage_create", "undone_create", "prior_create", "rejects_marked_create", "gone_keys",
    "prunable_create", "past_asked", "past_create", "plan_updates_create", "late_create",
    "rejects_create", "together_create",
)  # fmt: skip
TIMESCALE = r"timescaledb[_.]|hypertable|compress_chunk|_policy\(|continuous_aggregate"


CITUS = r"pg_dist_|citus_shards|run_command_on|get_shard_id|create_distributed|truncate_local"


@pytest.fixture(scope="module")
def every_table(server_url: str, template: str) -> Iterator[psycopg.Connection]:
    """A session with the tenants' tables and all temporary ones."""
    with database(server_url, template) as url:
        schema.upgrade(url, history=schema.TENANTS)
        with psycopg.connect(url) as connection:
            for made in TEMPORARY:
                connection.execute(queries()[made].encode())
            yield connection


@pytest.mark.parametrize("name", queries())
def test_every_query_is_understood_by_the_server(
    every_table: psycopg.Connection, name: str
) -> None:
    connection = every_table
    with connection.transaction(force_rollback=True):
        # Only their grammar: not every server has them, or what they make is there already.
        if re.search(rf"{TIMESCALE}|{CITUS}|^ALTER|^CREATE INDEX", queries()[name]):
            guarded = f"DO $$ BEGIN IF false THEN {queries()[name]}; END IF; END $$"
            connection.execute(guarded.encode())
        elif re.match(r"(ANALYZE|CREATE|DROP|LOCK|SET|TRUNCATE)\b", queries()[name]):
            connection.execute(queries()[name].replace("TABLE mdload_", "TABLE again_").encode())
        else:
            connection.execute(f"PREPARE checked AS {statement(queries()[name])}".encode())
            connection.execute("DEALLOCATE checked")


def statement(sql: str) -> str:
    """The statement, or the one that a `DO` block executes in its loop, with its variable as `$1`:
    the server does not look at it before."""
    if not sql.startswith("DO "):
        return sql
    own, committed = re.split(r"\bLOOP\b", sql)[1].split(";")[:2]
    assert committed.split() == ["COMMIT"]
    return re.sub(r"\bINTO ended\b", "", own).replace("(booking)", "($1)")

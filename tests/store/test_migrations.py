"""Migrations on a real server: up, down and up again, and nobody else's tables touched."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from psycopg.conninfo import conninfo_to_dict

from loader.errors import DatabaseError
from loader.store import schema
from tests.support.sql import WAITING

REVISIONS = ["0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008"]

ROOT = Path(__file__).parents[2]
TABLES = {
    "bars_gap_waivers", "bars_loads", "bars_ohlcv", "bars_ohlcv_revisions", "bars_pins",
    "bars_rejected", "job_run_files", "job_runs", "job_runs_summary",
    "mdload_alembic_version",
    "provider_symbols",
}  # fmt: skip

# What a neighbour has: tables whose names are near ours, row-level security, another's migrations.
NEIGHBOUR = """
CREATE ROLE {role};
CREATE TABLE tenants (id int PRIMARY KEY, name text NOT NULL UNIQUE);
CREATE TABLE bars (tenant int REFERENCES tenants, symbol text, ts timestamptz, close numeric,
                   PRIMARY KEY (tenant, symbol, ts));
CREATE TABLE fundamentals (tenant int REFERENCES tenants, symbol text, pe double precision);
CREATE TABLE news (id bigserial PRIMARY KEY, tenant int, title text DEFAULT 'none');
CREATE TABLE options_snap (tenant int, chain jsonb CHECK (chain <> 'null'));
CREATE INDEX ON news (title);
CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY);
INSERT INTO alembic_version VALUES ('9f3c1a77d0e2');
INSERT INTO tenants VALUES (1, 'acme'), (2, 'globex');
INSERT INTO bars VALUES (1, 'AAPL', '2024-01-02Z', 185.64), (2, 'aapl', '2024-01-02Z', 'NaN');
INSERT INTO fundamentals VALUES (1, 'AAPL', 29.5), (2, NULL, 'NaN');
INSERT INTO news (tenant, title) VALUES (1, 'up'), (2, 'down');
INSERT INTO options_snap VALUES (1, '{{"strike": 190}}');
ALTER TABLE tenants ENABLE ROW LEVEL SECURITY;
ALTER TABLE bars ENABLE ROW LEVEL SECURITY;
ALTER TABLE fundamentals ENABLE ROW LEVEL SECURITY;
ALTER TABLE news ENABLE ROW LEVEL SECURITY;
ALTER TABLE options_snap ENABLE ROW LEVEL SECURITY;
ALTER TABLE bars FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON tenants USING (id = current_setting('app.tenant')::int);
CREATE POLICY own ON bars TO {role} USING (tenant = 1) WITH CHECK (tenant = 1);
CREATE POLICY own ON fundamentals FOR SELECT USING (tenant = 1);
CREATE POLICY own ON news AS RESTRICTIVE USING (tenant = 1);
CREATE POLICY own ON options_snap FOR INSERT WITH CHECK (tenant = 2);
GRANT SELECT ON bars, news TO {role};
"""
NEIGHBOUR_TABLES = (
    "tenants", "bars", "fundamentals", "news", "options_snap", "alembic_version",
)  # fmt: skip

# Catalogs that describe user objects, each with the column that tells them from the system's own.
# What vacuum and analyze keep in pg_class is left out: they may run at any moment.
CATALOGS = {
    "pg_attrdef": "oid", "pg_attribute": "attrelid", "pg_class": "oid", "pg_constraint": "oid",
    "pg_default_acl": "oid", "pg_depend": "objid", "pg_description": "objoid",
    "pg_event_trigger": "oid", "pg_extension": "oid", "pg_index": "indexrelid",
    "pg_namespace": "oid", "pg_policy": "oid", "pg_proc": "oid", "pg_rewrite": "oid",
    "pg_sequence": "seqrelid", "pg_trigger": "oid", "pg_type": "oid",
}  # fmt: skip
UPKEEP = "{relpages,reltuples,relallvisible,relallfrozen,relfrozenxid,relminmxid}"


def catalog(url: str) -> set[tuple[str, str]]:
    """Every row of the catalogs about objects that users made, with the row's own version."""
    found = set()
    with psycopg.connect(url) as connection:
        for name, column in CATALOGS.items():
            rows = connection.execute(
                f"SELECT (to_jsonb(c) - '{UPKEEP}'::text[] || jsonb_build_object('xmin', xmin))"
                f"::text FROM {name} AS c WHERE {column} >= 16384"
            )
            found |= {(name, row[0]) for row in rows}
    return found


def neighbour_rows(url: str) -> dict[str, list[tuple[object, ...]]]:
    """The neighbour's rows with their places and versions, so that a rewrite shows too."""
    with psycopg.connect(url) as connection:
        return {
            name: connection.execute(
                f"SELECT t.ctid::text, t.xmin::text, t.xmax::text, t::text FROM {name} AS t"
            ).fetchall()
            for name in NEIGHBOUR_TABLES
        }


def relations(url: str) -> set[str]:
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "SELECT relname FROM pg_class WHERE relkind IN ('r', 'v')"
            " AND relnamespace = quote_ident(current_schema())::regnamespace"
        )
        return {row[0] for row in rows}


def test_up_down_and_up_again(empty_url: str) -> None:
    before = catalog(empty_url)
    assert schema.current(empty_url) is None
    assert schema.upgrade(empty_url) == REVISIONS
    assert schema.current(empty_url) == "0008"
    assert relations(empty_url) == TABLES
    assert schema.upgrade(empty_url) == []
    assert schema.downgrade(empty_url, "base") == REVISIONS[::-1]
    assert catalog(empty_url) == before
    assert schema.upgrade(empty_url) == REVISIONS
    assert relations(empty_url) == TABLES


def storage(url: str) -> list[str]:
    """The storage parameters of the bars."""
    with psycopg.connect(url) as connection:
        query = "SELECT reloptions FROM pg_class WHERE oid = 'bars_ohlcv'::regclass"
        ((options,),) = connection.execute(query).fetchall()
    return list(options or [])


def test_pages_of_bars_keep_room_for_restated_ones(empty_url: str) -> None:
    schema.upgrade(empty_url, "0007")
    assert storage(empty_url) == []
    assert schema.upgrade(empty_url) == ["0008"]
    assert storage(empty_url) == ["fillfactor=97"]
    schema.downgrade(empty_url, "0007")
    assert storage(empty_url) == []


def test_the_owner_decides_how_full_pages_are(empty_url: str) -> None:
    schema.upgrade(empty_url, "0007")
    own = ["autovacuum_vacuum_scale_factor=0.01", "fillfactor=70"]
    with psycopg.connect(empty_url) as connection:
        connection.execute(f"ALTER TABLE bars_ohlcv SET ({', '.join(own)})")
    for move in (schema.upgrade, lambda url: schema.downgrade(url, "0007")):
        move(empty_url)
        assert storage(empty_url) == own


def test_neighbours_are_untouched(empty_url: str) -> None:
    role = "neighbour_" + conninfo_to_dict(empty_url)["dbname"].lower()
    with psycopg.connect(empty_url) as connection:
        connection.execute(NEIGHBOUR.format(role=f'"{role}"'))
    try:
        objects, rows = catalog(empty_url), neighbour_rows(empty_url)
        assert len(objects) > 100

        schema.upgrade(empty_url)
        assert objects <= catalog(empty_url)
        assert neighbour_rows(empty_url) == rows
        assert relations(empty_url) == TABLES | set(NEIGHBOUR_TABLES)

        schema.downgrade(empty_url, "base")
        assert catalog(empty_url) == objects
        assert neighbour_rows(empty_url) == rows
        assert schema.upgrade(empty_url) == REVISIONS
    finally:
        with psycopg.connect(empty_url) as connection:
            connection.execute(f'DROP OWNED BY "{role}"; DROP ROLE "{role}"')


def test_down_stops_at_a_view_that_somebody_built_on_the_bars(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("CREATE VIEW mine AS SELECT symbol, close FROM bars_ohlcv")
    before = catalog(database_url)
    with pytest.raises(DatabaseError, match="bars_ohlcv"):
        schema.downgrade(database_url, "base")
    assert catalog(database_url) == before


def test_a_table_of_ours_that_is_there_already_stops_it_whole(empty_url: str) -> None:
    with psycopg.connect(empty_url) as connection:
        connection.execute("CREATE TABLE provider_symbols (mine int)")
    with pytest.raises(DatabaseError, match='"provider_symbols" already exists') as caught:
        schema.upgrade(empty_url)
    assert caught.value.sqlstate == "42P07"
    assert "schema of its own" in str(caught.value.hint)
    assert relations(empty_url) == {"provider_symbols"}


def test_several_at_once_are_one_after_the_other(empty_url: str) -> None:
    code = f"from loader.store import schema; print(schema.upgrade({empty_url!r}))"
    waiting = f"{WAITING} AND locktype = 'advisory'"
    with psycopg.connect(empty_url, autocommit=True) as gate:
        gate.execute("SELECT pg_advisory_lock(%s)", [schema.LOCK])
        migrators = [
            subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
            for _ in range(3)
        ]
        until = time.monotonic() + 60
        while len(gate.execute(waiting).fetchall()) < 3:
            assert time.monotonic() < until, "the migrators did not all come to the lock"
            time.sleep(0.02)
        gate.execute("SELECT pg_advisory_unlock(%s)", [schema.LOCK])
        said = sorted(migrator.communicate()[0] for migrator in migrators)
    assert said == [f"{REVISIONS}\n", "[]\n", "[]\n"]


def test_tables_go_to_the_current_schema(empty_url: str) -> None:
    with psycopg.connect(empty_url) as connection:
        connection.execute('CREATE SCHEMA "My Store"')
    public = empty_url
    store = f"{empty_url}{'&' if '?' in empty_url else '?'}options=" + quote(
        r'-csearch_path="My\ Store",public'
    )
    assert schema.upgrade(store) == REVISIONS
    assert relations(store) == TABLES
    assert relations(public) == set()
    assert schema.current(public) is None

    # Both at once: neither is taken for the other, though one search_path sees both.
    assert schema.upgrade(public) == REVISIONS
    assert schema.downgrade(store, "base") == REVISIONS[::-1]
    assert schema.current(store) is None
    assert schema.downgrade(store, "base") == []
    assert relations(public) == TABLES


def test_plain_alembic_in_a_checkout(empty_url: str) -> None:
    def alembic(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("PG", "MDLOAD_", "DATA"))}
        return subprocess.run(
            [sys.executable, "-m", "alembic", *arguments],
            cwd=ROOT, env=clean | env, capture_output=True, text=True, check=False,
        )  # fmt: skip

    done = alembic("upgrade", "head", MDLOAD_DATABASE_URL=empty_url, DATABASE_URL="nowhere")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert schema.upgrade(empty_url) == []
    url = empty_url.replace("postgresql://", "postgresql+psycopg://")
    assert alembic("downgrade", "base", DATABASE_URL=url).returncode == 0
    assert schema.current(empty_url) is None
    nowhere = alembic("upgrade", "head")
    assert nowhere.returncode != 0
    assert "Set MDLOAD_DATABASE_URL" in nowhere.stdout + nowhere.stderr
    assert "Traceback" not in nowhere.stderr


def test_migrations_stand_alone() -> None:
    script = ScriptDirectory.from_config(Config(ROOT / "alembic.ini"))
    newest_first = [revision.revision for revision in script.walk_revisions()]
    assert tuple(reversed(newest_first)) == schema.REVISIONS
    for file in (ROOT / "migrations" / "versions").glob("*.py"):
        imports = re.findall(r"^(?:from|import) (\S+)", file.read_text(), re.MULTILINE)
        assert set(imports) == {"alembic"}, file.name

"""The schema as users rely on it: every column, key, check, index and trigger, written by hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from loader.store import schema

DOCS = Path(__file__).parents[2] / "docs" / "schema.md"

COUNTS = """
    rows_read rows_written rows_inserted rows_updated rows_unchanged rows_duplicate rows_skipped
    rows_failed
"""
HISTORY = "bars_changed bars_inserted_between bars_gone bars_deleted"
# name: type, then what follows it in a CREATE TABLE
COLUMNS: dict[str, dict[str, str]] = {
    "bars_ohlcv": {
        "provider": "text not null",
        "symbol": "text not null",
        "interval": "text not null",
        "ts": "timestamp with time zone not null",
        "open": "double precision not null",
        "high": "double precision not null",
        "low": "double precision not null",
        "close": "double precision not null",
        "volume": "double precision",
        "vwap": "double precision",
        "trade_count": "bigint",
        "created_at": "timestamp with time zone not null default now()",
        "updated_at": "timestamp with time zone not null default now()",
    },
    "job_runs": {
        "id": "bigint not null default nextval('job_runs_id_seq'::regclass)",
        "job_name": "text not null",
        "dataset_name": "text",
        "provider": "text",
        "mode": "text not null default 'live'::text",
        "status": "text not null default 'running'::text",
        "config_fingerprint": "text",
        "pipeline_version": "text",
        **dict.fromkeys(COUNTS.split(), "bigint not null default 0"),
        "symbols": "text[]",
        "min_ts": "timestamp with time zone",
        "max_ts": "timestamp with time zone",
        "error_message": "text",
        "metadata": "jsonb not null default '{}'::jsonb",
        "started_at": "timestamp with time zone not null default now()",
        "completed_at": "timestamp with time zone",
        "created_at": "timestamp with time zone not null default now()",
        "updated_at": "timestamp with time zone not null default now()",
        "elapsed_ms": "bigint generated",
    },
    "job_run_files": {
        "id": "bigint not null default nextval('job_run_files_id_seq'::regclass)",
        "run_id": "bigint not null",
        "path": "text not null",
        "size_bytes": "bigint",
        "content_hash": "text",
        "config_fingerprint": "text",
        "dialect": "text",
        "provider": "text",
        "interval": "text",
        "state": "text not null default 'loading'::text",
        **dict.fromkeys(COUNTS.split(), "bigint not null default 0"),
        "rows_resumable": "bigint not null default 0",
        "rejected": "jsonb not null default '{}'::jsonb",
        "notes": "text[] not null default '{}'::text[]",
        "min_ts": "timestamp with time zone",
        "max_ts": "timestamp with time zone",
        "error_message": "text",
        "started_at": "timestamp with time zone not null default now()",
        "completed_at": "timestamp with time zone",
        "symbols": "text[]",
        **dict.fromkeys(HISTORY.split(), "bigint not null default 0"),
        "series": "jsonb not null default '[]'::jsonb",
        "findings": "jsonb not null default '[]'::jsonb",
        "reading": "jsonb",
    },
    "bars_rejected": {
        "id": "bigint not null default nextval('bars_rejected_id_seq'::regclass)",
        "run_id": "bigint",
        "file_id": "bigint",
        "row_number": "bigint",
        "rules": "text[] not null",
        "raw": "jsonb not null",
        "replayed_by": "bigint",
        "created_at": "timestamp with time zone not null default now()",
        "provider": "text",
        "symbol": "text",
        "interval": "text",
        "ts": "timestamp with time zone",
    },
    "bars_ohlcv_revisions": {
        "id": "bigint not null default nextval('bars_ohlcv_revisions_id_seq'::regclass)",
        "provider": "text not null",
        "symbol": "text not null",
        "interval": "text not null",
        "ts": "timestamp with time zone not null",
        "old_open": "double precision not null",
        "old_high": "double precision not null",
        "old_low": "double precision not null",
        "old_close": "double precision not null",
        "old_volume": "double precision",
        "old_vwap": "double precision",
        "old_trade_count": "bigint",
        "new_open": "double precision",
        "new_high": "double precision",
        "new_low": "double precision",
        "new_close": "double precision",
        "new_volume": "double precision",
        "new_vwap": "double precision",
        "new_trade_count": "bigint",
        "run_id": "bigint",
        "file_id": "bigint",
        "revised_at": "timestamp with time zone not null default now()",
        "op": "text not null default 'update'::text",
        "old_created_at": "timestamp with time zone",
        "old_updated_at": "timestamp with time zone",
    },
    "bars_loads": {
        "id": "bigint not null",
        "xact_at": "timestamp with time zone not null default now()",
        "known_at": "timestamp with time zone not null",
        "stamped_at": "timestamp with time zone not null default clock_timestamp()",
        "inserted": "bigint not null default 0",
        "updated": "bigint not null default 0",
        "deleted": "bigint not null default 0",
        "run_id": "bigint",
        "file_id": "bigint",
        "folded": "integer",
        "kind": "text not null default 'load'::text",
    },
    "bars_pins": {
        "name": "text not null",
        "known_at": "timestamp with time zone not null",
        "load_id": "bigint not null",
        "note": "text",
        "created_at": "timestamp with time zone not null default now()",
        "created_by": "text not null default SESSION_USER",
    },
    "bars_gap_waivers": {
        "id": "bigint not null default nextval('bars_gap_waivers_id_seq'::regclass)",
        "provider": "text",
        "symbol": "text not null",
        "interval": "text",
        "first_session": "date",
        "last_session": "date",
        "first_ts": "timestamp with time zone",
        "last_ts": "timestamp with time zone",
        "reason": "text not null",
        "waived_by": "text not null default SESSION_USER",
        "created_at": "timestamp with time zone not null default now()",
    },
    "provider_symbols": {
        "provider": "text not null",
        "source_symbol": "text not null",
        "symbol": "text not null",
        "convention": "text not null",
        "first_seen_at": "timestamp with time zone not null default now()",
        "first_run_id": "bigint",
    },
    "job_runs_summary": {
        "job_name": "text",
        "provider": "text",
        "status": "text",
        "run_count": "bigint",
        "avg_duration_ms": "double precision",
        "total_rows": "bigint",
        "last_run_at": "timestamp with time zone",
        "failure_count": "bigint",
    },
    "mdload_alembic_version": {"version_num": "character varying(32) not null"},
}

CONSTRAINTS = {
    "bars_ohlcv": {
        "bars_ohlcv_pk": 'PRIMARY KEY (provider, symbol, "interval", ts)',
        "bars_ohlcv_symbol_check": "CHECK ((symbol = upper(symbol)))",
    },
    "job_runs": {
        "job_runs_pkey": "PRIMARY KEY (id)",
        "job_runs_mode_check": ("CHECK ((mode = ANY (ARRAY['live'::text, 'backfill'::text])))"),
        "job_runs_status_check": (
            "CHECK ((status = ANY (ARRAY['running'::text, 'success'::text, 'failure'::text, "
            "'cancelled'::text])))"
        ),
    },
    "job_run_files": {
        "job_run_files_pkey": "PRIMARY KEY (id)",
        "job_run_files_run_id_fkey": (
            "FOREIGN KEY (run_id) REFERENCES job_runs(id) ON DELETE CASCADE"
        ),
        "job_run_files_state_check": (
            "CHECK ((state = ANY (ARRAY['loading'::text, 'loaded'::text, 'known'::text, "
            "'partial'::text, 'refused'::text, 'failed'::text, 'cancelled'::text])))"
        ),
        "job_run_files_written_check": "CHECK ((rows_written = (rows_inserted + rows_updated)))",
        "job_run_files_balance_check": (
            "CHECK (((state = ANY (ARRAY['loading'::text, 'failed'::text, 'cancelled'::text])) "
            "OR (rows_read = (((((rows_inserted + rows_updated) + rows_unchanged) + "
            "rows_duplicate) + rows_skipped) + rows_failed))))"
        ),
    },
    "bars_rejected": {
        "bars_rejected_pkey": "PRIMARY KEY (id)",
    },
    "bars_ohlcv_revisions": {
        "bars_ohlcv_revisions_pkey": "PRIMARY KEY (revised_at, id)",
        "bars_ohlcv_revisions_op_check": (
            "CHECK ((op = ANY (ARRAY['update'::text, 'delete'::text])))"
        ),
        "bars_ohlcv_revisions_new_check": (
            "CHECK ((num_nulls(new_open, new_high, new_low, new_close) = "
            "(4 * ((op = 'delete'::text))::integer)))"
        ),
    },
    "bars_loads": {
        "bars_loads_pkey": "PRIMARY KEY (id)",
        "bars_loads_xact_at_key": "UNIQUE (xact_at)",
        "bars_loads_kind_check": (
            "CHECK ((kind = ANY (ARRAY['load'::text, 'live'::text, 'rollback'::text, "
            "'delete'::text, 'rename'::text, 'apply'::text])))"
        ),
    },
    "bars_pins": {
        "bars_pins_pkey": "PRIMARY KEY (name)",
        "bars_pins_name_check": "CHECK ((name <> ''::text))",
    },
    "bars_gap_waivers": {
        "bars_gap_waivers_pkey": "PRIMARY KEY (id)",
        "bars_gap_waivers_symbol_check": "CHECK ((symbol = upper(symbol)))",
        "bars_gap_waivers_reason_check": "CHECK ((reason <> ''::text))",
        "bars_gap_waivers_span_check": (
            "CHECK ((((num_nulls(first_session, last_session) = 0) "
            "AND (num_nulls(first_ts, last_ts) = 2) AND (first_session <= last_session)) "
            "OR ((num_nulls(first_session, last_session) = 2) "
            "AND (num_nulls(first_ts, last_ts) = 0) AND (first_ts <= last_ts))))"
        ),
    },
    "provider_symbols": {
        "provider_symbols_pk": "PRIMARY KEY (provider, source_symbol)",
        "provider_symbols_symbol_check": "CHECK ((symbol = upper(symbol)))",
    },
    "mdload_alembic_version": {"mdload_alembic_version_pkc": "PRIMARY KEY (version_num)"},
}

# Besides the primary keys'; in particular bars_ohlcv has none.
INDEXES = {
    "job_runs_job_name_idx": "job_runs USING btree (job_name, started_at DESC)",
    "job_runs_status_idx": "job_runs USING btree (status, started_at DESC)",
    "job_runs_provider_idx": "job_runs USING btree (provider, started_at DESC)",
    "job_runs_started_at_idx": "job_runs USING btree (started_at DESC)",
    "job_runs_metadata_idx": "job_runs USING gin (metadata)",
    "job_run_files_run_id_idx": "job_run_files USING btree (run_id)",
    "job_run_files_content_idx": (
        "job_run_files USING btree (content_hash, config_fingerprint) "
        "WHERE (state = ANY (ARRAY['loaded'::text, 'partial'::text]))"
    ),
    "bars_rejected_run_id_idx": (
        "bars_rejected USING brin (run_id, file_id, replayed_by) WITH (autosummarize='on')"
    ),
    "bars_ohlcv_revisions_key_idx": (
        'bars_ohlcv_revisions USING btree (provider, symbol, "interval", ts)'
    ),
    "bars_loads_xact_at_key": "bars_loads USING btree (xact_at)",
    "bars_loads_known_at_idx": "bars_loads USING btree (known_at)",
    "bars_loads_run_id_idx": "bars_loads USING btree (run_id)",
    "job_run_files_path_idx": "job_run_files USING btree (path)",
    "bars_gap_waivers_span_idx": (
        'bars_gap_waivers USING btree (symbol, provider, "interval", first_session, last_session, '
        "first_ts, last_ts) NULLS NOT DISTINCT"
    ),
    "provider_symbols_symbol_idx": "provider_symbols USING btree (provider, symbol)",
}

TRIGGERS = {
    "bars_ohlcv_updated_at": (
        "BEFORE UPDATE ON bars_ohlcv FOR EACH ROW "
        "WHEN (((new.updated_at IS DISTINCT FROM now()) AND (old.* IS DISTINCT FROM new.*))) "
        "EXECUTE FUNCTION mdload_touch_updated_at()"
    ),
    "job_runs_updated_at": (
        "BEFORE UPDATE ON job_runs FOR EACH ROW EXECUTE FUNCTION mdload_touch_updated_at()"
    ),
    "job_runs_rejects": (
        "AFTER DELETE ON job_runs REFERENCING OLD TABLE AS gone FOR EACH STATEMENT "
        "EXECUTE FUNCTION mdload_forget_rejects()"
    ),
    "job_run_files_rejects": (
        "AFTER DELETE ON job_run_files REFERENCING OLD TABLE AS gone FOR EACH STATEMENT "
        "EXECUTE FUNCTION mdload_forget_rejects()"
    ),
}

# What it returns, whether rows of it, and how volatile it is.
FUNCTIONS = {
    "mdload_touch_updated_at()": ["trigger", False, "v"],
    "mdload_forget_rejects()": ["trigger", False, "v"],
    "bars_rejects()": ["record", True, "s"],
    "bars_ohlcv_as_of(timestamp with time zone)": ["bars_ohlcv", True, "s"],
    "bars_ohlcv_at(text)": ["bars_ohlcv", True, "s"],
    "mdload_pin(text)": ["bars_pins", False, "s"],
    "mdload_settled()": ["timestamp with time zone", False, "v"],
}

Connection = psycopg.Connection[tuple[Any, ...]]


@pytest.fixture(params=["migrated", "printed"])
def connection(request: pytest.FixtureRequest, empty_url: str) -> Iterator[Connection]:
    """A database that `mdload migrate` made, and one that the SQL it prints made."""
    with psycopg.connect(empty_url, autocommit=True) as connection:
        if request.param == "migrated":
            schema.upgrade(empty_url)
        else:
            connection.execute(schema.offline_sql())
            assert schema.upgrade(empty_url) == []
        yield connection


def test_schema_is_the_documented_one(connection: Connection) -> None:
    columns: dict[str, dict[str, str]] = {}
    for table, name, type_, not_null, default, generated in connection.execute("""
        SELECT relname, attname, format_type(atttypid, atttypmod), attnotnull,
               pg_get_expr(adbin, adrelid), attgenerated <> ''
        FROM pg_attribute
        JOIN pg_class ON pg_class.oid = attrelid
        LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v') AND attnum > 0
        ORDER BY relname, attnum"""):
        text = type_ + (" not null" if not_null else "")
        text += " generated" if generated else f" default {default}" if default else ""
        columns.setdefault(table, {})[name] = text
    assert columns == COLUMNS
    assert {t: list(c) for t, c in columns.items()} == {t: list(c) for t, c in COLUMNS.items()}

    constraints: dict[str, dict[str, str]] = {}
    for table, name, definition in connection.execute("""
        SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid)
        FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace AND contype IN ('p', 'u', 'f', 'c', 'x')"""):
        constraints.setdefault(table, {})[name] = definition
    assert constraints == CONSTRAINTS

    indexes = connection.execute("""
        SELECT indexname, split_part(indexdef, ' ON public.', 2)
        FROM pg_indexes
        WHERE schemaname = 'public'
          AND indexname NOT IN (SELECT conname FROM pg_constraint WHERE contype = 'p')""")
    assert dict(indexes.fetchall()) == INDEXES

    functions = connection.execute("""
        SELECT oid::regprocedure::text, prorettype::regtype::text, proretset,
               provolatile::text
        FROM pg_proc WHERE pronamespace = 'public'::regnamespace
          AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_proc.oid AND deptype = 'e')""")
    assert {name: said for name, *said in functions} == FUNCTIONS

    triggers = connection.execute("""
        SELECT tgname, replace(
                   substring(pg_get_triggerdef(oid) FROM '((?:BEFORE|AFTER).*)'), 'public.', '')
        FROM pg_trigger WHERE NOT tgisinternal""")
    assert dict(triggers.fetchall()) == TRIGGERS


def test_keys_are_in_byte_order(connection: Connection) -> None:
    """As a frame sorts them, whatever the database's locale is."""
    found = connection.execute("""
        SELECT attrelid::regclass::text, array_agg(attname ORDER BY attnum)
        FROM pg_attribute JOIN pg_collation ON pg_collation.oid = attcollation
        WHERE collname = 'C' AND attrelid::regclass::text IN
              ('bars_ohlcv', 'bars_ohlcv_revisions', 'provider_symbols', 'bars_gap_waivers',
               'bars_pins', 'bars_rejected')
        GROUP BY attrelid""")
    assert dict(found.fetchall()) == {
        "bars_gap_waivers": ["provider", "symbol", "interval"],
        "bars_ohlcv": ["provider", "symbol", "interval"],
        "bars_ohlcv_revisions": ["provider", "symbol", "interval"],
        "bars_pins": ["name"],
        "bars_rejected": ["provider", "symbol", "interval"],
        "provider_symbols": ["provider", "source_symbol", "symbol"],
    }


def test_docs_name_every_table_and_column() -> None:
    sections = dict(
        section.split("\n", 1) for section in DOCS.read_text().split("\n## `")[1:]
    )  # "bars_ohlcv`" -> its text
    for table, columns in COLUMNS.items():
        text = sections[f"{table}`"]
        assert [name for name in columns if f"`{name}`" not in text] == [], table

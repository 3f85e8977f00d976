"""`mdload doctor`, by the real executable on a real server."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from socket import gethostname
from typing import Any

import psycopg
import pytest

from loader.db.embedded import embedded
from loader.db.rows import Session
from loader.store.schema import LOCK, head
from loader.survey.doctor.disk import room
from loader.survey.doctor.rights import needed, rights
from loader.survey.doctor.server import skew
from tests.conftest import (
    CITUS,
    TIMESCALE,
    needs_timescale,
    not_on_citus,
    plain_only,
    temporary_home,
)
from tests.support.granted import granted
from tests.support.jobs import STALLED, bars, config, running, stalled
from tests.support.sql import wait_for

Run = Callable[..., Any]

NAMES = [
    "server", "version", "clock", "schema", "tables", "rights", "timescaledb", "max_wal_size",
    "checkpoint_timeout", "synchronous_commit", "wal_buffers", "work_mem", "safety", "space",
    "runs", "locks", "spool", "software", "extras",
]  # fmt: skip
NAMES[6:6] = ["citus"] if CITUS else []
FAST = {"synchronous_commit", "safety"}  # the tests' server is fast and not safe
FAST |= {"timescaledb"} if TIMESCALE else set()  # and its policy is switched off
set_up_here = not_on_citus("its servers have settings of their own")


@pytest.fixture
def doctor(forked: Run, database_url: str) -> Run:
    """`mdload doctor --json` on the database, or on another with `url`: exit code and checks."""

    def run(url: str = database_url) -> tuple[int, dict[str, tuple[str, str, str | None]]]:
        ran = forked("--database", url, "doctor", "--json")
        checks = ran.json()["checks"]
        assert ran.json()["status"] in {c["state"] for c in checks}
        return ran.code, {c["name"]: (c["state"], c["what"], c["hint"]) for c in checks}

    return run


@set_up_here
def test_all_is_well(doctor: Run) -> None:
    code, checks = doctor()
    assert (code, list(checks)) == (0, NAMES)
    assert {name for name, (state, *_) in checks.items() if state != "ok"} <= FAST
    assert checks["schema"][1] == f"revision {head()}, the newest, in the schema 'public'"
    assert checks["max_wal_size"][1] == "4GB"


@set_up_here
def test_for_people(mdload: Run, database_url: str) -> None:
    url = database_url.replace("postgres@", "postgres:s3cret@")
    ran = mdload("--database", url, "doctor")
    assert (ran.code, ran.err) == (0, "")
    first, *lines, last = ran.out.splitlines()
    assert first.startswith("postgresql://postgres:***@")
    assert [line.split()[1] for line in lines if line[0] != " "] == NAMES
    assert "      ALTER SYSTEM SET fsync = on; ALTER SYSTEM SET full_page_writes = on;" in ran.out
    assert last == f"{len(NAMES) - len(FAST)} ok, {len(FAST)} warn"
    assert "s3cret" not in ran.out


@plain_only  # other tests have the server in common, and they write
def test_it_writes_nothing(doctor: Run, database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        assigned = "SELECT pg_snapshot_xmax(pg_current_snapshot())"
        before = connection.execute(assigned).fetchone()
        doctor()
        assert connection.execute(assigned).fetchone() == before


def test_a_server_that_does_not_answer(forked: Run) -> None:
    ran = forked("--database", "postgresql://me:s3cret@127.0.0.1:1/market", "doctor")
    assert ran.code == 6
    assert "error: 1 check failed: server" in ran.err
    assert [line.split()[:2] for line in ran.out.splitlines()[1:] if line[0] != " "] == [
        ["fail", "server"], ["ok", "spool"], ["ok", "software"], ["ok", "extras"], ["3", "ok,"],
    ]  # fmt: skip
    assert "s3cret" not in ran.out + ran.err


@pytest.mark.usefixtures("warm")
def test_no_server_can_be_started(forked: Run) -> None:
    ran = forked("doctor", "--json", env={"MDLOAD_PG_BIN": "/nowhere"})
    assert (ran.code, ran.json()["database"]) == (6, None)
    assert ran.json()["checks"][0] == {
        "name": "server", "state": "fail",
        "what": "MDLOAD_PG_BIN is /nowhere, which holds no working initdb, pg_ctl, postgres",
        "hint": "set it to the bin directory of a PostgreSQL server, or unset it",
    }  # fmt: skip


@pytest.mark.usefixtures("warm")
def test_the_embedded_server_is_left_to_the_next_load(forked: Run) -> None:
    ran = forked("doctor", "--json")
    found = {check["name"]: check for check in ran.json()["checks"]}
    assert (ran.code, ran.json()["status"], ran.json()["source"]) == (
        0,
        "ok",
        "the embedded server",
    )
    assert found["schema"]["what"].endswith("no tables of mdload yet; the next load sees to that")
    assert found["tables"]["what"].endswith("do not exist yet; the next load sees to that")
    assert found["space"]["what"].endswith("are free on its disk")


def test_a_url_that_is_none_is_the_person_s_fault(forked: Run) -> None:
    assert forked("--database", "mysql://x", "doctor").code == 2


def test_the_schema(doctor: Run, database_url: str, empty_url: str) -> None:
    code, checks = doctor(empty_url)
    assert (code, checks["schema"]) == (
        6, ("fail", "the database has no tables of mdload yet", "run: mdload migrate"),
    )  # fmt: skip
    assert checks["tables"] == (
        "fail", "the tables of bars do not exist yet", "run: mdload migrate",
    )  # fmt: skip
    assert checks["rights"][:2] == (
        "ok", "the role 'postgres' may do all that can be checked before the tables exist",
    )  # fmt: skip
    assert checks["timescaledb"][0] == "ok"
    assert "bars_ohlcv" not in checks["timescaledb"][1]
    assert "runs" not in checks
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("UPDATE mdload_alembic_version SET version_num = '0001'")
        assert doctor()[1]["schema"] == (
            "fail", f"revision 0001 is older than {head()}, which this mdload needs",
            "run: mdload migrate",
        )  # fmt: skip
        connection.execute("UPDATE mdload_alembic_version SET version_num = '0042'")
        assert doctor()[1]["schema"][2] == "run: pip install --upgrade mdload"
        connection.execute("ALTER TABLE mdload_alembic_version RENAME TO other")
        connection.execute("CREATE SCHEMA market; CREATE TABLE market.mdload_alembic_version ()")
        assert doctor()[1]["schema"] == (
            "fail",
            "mdload's tables are in the schema 'market', where this connection does not look",
            "end the URL with ?options=-csearch_path%3Dmarket",
        )  # fmt: skip


@needs_timescale
def test_timescaledb_before_the_tables_exist(doctor: Run, empty_url: str) -> None:
    with psycopg.connect(empty_url, autocommit=True) as connection:
        connection.execute("CREATE EXTENSION timescaledb")
    state, what, hint = doctor(empty_url)[1]["timescaledb"]
    assert (state, what.partition(", ")[2], hint) == ("ok", "without a table of bars yet", None)


def test_tables_that_this_connection_does_not_find(
    doctor: Run, forked: Run, empty_url: str
) -> None:
    assert forked("--database", empty_url, "migrate").code == 0
    elsewhere = f"{empty_url}&options=-csearch_path%3Dmarket"
    with psycopg.connect(empty_url, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA market")
        assert doctor(elsewhere)[1]["tables"] == (
            "fail", "the tables of bars are out of this connection's reach",
            "end the URL with ?options=-csearch_path%3Dpublic",
        )  # fmt: skip
        connection.execute("DROP TABLE bars_ohlcv, bars_ohlcv_revisions CASCADE")
    code, checks = doctor(empty_url)
    assert (code, checks["schema"][0], checks["tables"]) == (
        6, "ok",
        ("fail", "bars_ohlcv and its revisions were dropped: the schema is at its newest revision",
         "restore them from a backup of this database"),
    )  # fmt: skip


def test_a_server_that_only_reads(doctor: Run, database_url: str) -> None:
    code, checks = doctor(f"{database_url}&options=-cdefault_transaction_read_only%3Don")
    assert code == 6
    assert checks["server"][0] == "fail"
    assert checks["server"][1].endswith(" as role 'postgres': it is set to read only")


@plain_only  # it changes settings of the server, which other tests have in common
def test_settings(doctor: Run, database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        try:
            for setting in ("max_wal_size = '1GB'", "checkpoint_timeout = '1min'"):
                connection.execute(f"ALTER SYSTEM SET {setting}")  # type: ignore[arg-type]
            connection.execute("SELECT pg_reload_conf()")
            code, checks = doctor(f"{database_url}&options=-cwork_mem%3D16MB")
        finally:
            connection.execute("ALTER SYSTEM RESET max_wal_size")
            connection.execute("ALTER SYSTEM RESET checkpoint_timeout")
            connection.execute("SELECT pg_reload_conf()")
    assert code == 0  # slow, but it works
    assert checks["max_wal_size"][0] == checks["checkpoint_timeout"][0] == "warn"
    assert checks["max_wal_size"][1].startswith("1GB: large loads force checkpoints")
    assert checks["max_wal_size"][2] == (
        "ALTER SYSTEM SET max_wal_size = '4GB'; SELECT pg_reload_conf();"
    )
    assert checks["checkpoint_timeout"][1].startswith("1min: ")
    assert checks["synchronous_commit"][0] == "warn"  # as the tests' server has it
    assert checks["work_mem"] == ("ok", "16MB; loads are no faster with more", None)


def test_buffers_of_the_log(doctor: Run) -> None:
    """A setting that takes a restart."""
    with temporary_home("mdload-tests-") as home:
        with embedded(home) as url, psycopg.connect(url, autocommit=True) as connection:
            _, ours = doctor(url)
            connection.execute("ALTER SYSTEM SET wal_buffers = '16MB'")
        with embedded(home) as url:
            _, usual = doctor(url)
    assert ours["wal_buffers"] == ("ok", "64MB", None)
    more = "with 64MB two workers load large files a tenth faster"
    assert usual["wal_buffers"] == ("ok", f"16MB; {more}", None)


def test_stuck_runs(doctor: Run, database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO job_runs (job_name, started_at)"
            " VALUES ('feed', now() - interval '2 hours'), ('nightly', now())"
        )
    code, checks = doctor()
    assert (code, checks["runs"]) == (
        6, ("fail", "1 run stuck: 1 (feed, silent for 2h 00m)",
            "run: mdload job-runs stuck --mark-failed"),
    )  # fmt: skip


def test_locks(doctor: Run, database_url: str) -> None:
    assert doctor()[1]["locks"] == ("ok", "no job is held", None)
    with psycopg.connect(database_url, autocommit=True, application_name="mdload run x") as holder:
        holder.execute("SELECT pg_advisory_lock(4711)")
        assert re.fullmatch(r"held: mdload run x for [\d.]+ m?s", doctor()[1]["locks"][1])
        holder.execute(
            "INSERT INTO job_runs (job_name, started_at, metadata) VALUES ('nightly', now(),"
            " jsonb_build_object('lock', pg_backend_pid()::text, 'host', 'box'))"
        )
        said = r"held: nightly by run 1 on box for [\d.]+ m?s"
        assert re.fullmatch(said, doctor()[1]["locks"][1])
        holder.execute("UPDATE job_runs SET started_at = now() - interval '16 minutes'")
        code, checks = doctor()
        assert (code, checks["locks"][0]) == (6, "warn")
        assert checks["locks"][1].startswith(
            "held by a process that hangs: nightly by run 1 on box"
        )
        assert checks["locks"][2] == f"SELECT pg_terminate_backend({holder.info.backend_pid});"
    with psycopg.connect(database_url, application_name="psql") as other:
        other.execute("SELECT pg_advisory_lock(4711)")  # belongs to somebody else
        assert doctor()[1]["locks"] == ("ok", "no job is held", None)
        other.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        assert doctor()[1]["locks"][1].startswith("held: mdload migrate for ")


def test_the_clock_of_the_server(doctor: Run, database_url: str) -> None:
    # Its own clock cannot be set; a function of the same name that is found first can.
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "CREATE FUNCTION clock_timestamp() RETURNS timestamptz LANGUAGE sql"
            " AS $$ SELECT pg_catalog.clock_timestamp() - interval '3 hours 10 minutes' $$"
        )
    code, checks = doctor(f"{database_url}&options=-csearch_path%3Dpublic,pg_catalog")
    assert (code, checks["clock"][0]) == (6, "fail")
    assert checks["clock"][1] == "the server's clock is 3h 10m behind this machine's"


@pytest.mark.parametrize(
    ("sent", "server", "answered", "state", "what"),
    [
        (0, 0, 0, "ok", "the server's clock is this machine's, to two seconds"),
        (0, 30, 40, "ok", "the server's clock is this machine's, to two seconds"),
        (0, -1.9, 0.1, "ok", "the server's clock is this machine's, to two seconds"),
        (0, -2, 0.1, "warn", "the server's clock is 2.0 s behind this machine's"),
        (0, 45, 5, "warn", "the server's clock is 40.0 s ahead of this machine's"),
        (0, 65, 5, "fail", "the server's clock is 1m 00s ahead of this machine's"),
    ],
)
def test_only_what_the_round_trip_cannot_explain_is_skew(
    sent: float, server: float, answered: float, state: str, what: str
) -> None:
    noon = datetime(2024, 3, 1, 12, tzinfo=UTC)
    check = skew(*(noon + timedelta(seconds=s) for s in (sent, server, answered)))
    assert (check.state, check.what) == (state, what)


@pytest.mark.parametrize(
    ("free", "state"),
    [(10_000_000_000, "ok"), (9_999_999_999, "warn"), (1_000_000_000, "warn"),
     (999_999_999, "fail"), (0, "fail")],
)  # fmt: skip
def test_room_on_disk(free: int, state: str) -> None:
    check = room("space", "…", free, (10_000_000_000, 1_000_000_000), "make room")
    assert (check.state, check.hint) == (state, None if state == "ok" else "make room")


def test_the_rights_are_those_of_the_documented_role(database_url: str) -> None:
    with granted(database_url), psycopg.connect(database_url) as connection:
        given = connection.execute(
            """
            SELECT CASE relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, relname, privilege_type,
                   NULL
              FROM pg_class, aclexplode(relacl)
             WHERE grantee = 'mdload_loader'::regrole
            UNION ALL
            SELECT 'TABLE', attrelid::regclass::text, privilege_type, attname
              FROM pg_attribute, aclexplode(attacl)
             WHERE grantee = 'mdload_loader'::regrole
            UNION ALL
            SELECT 'SCHEMA', NULL, privilege_type, NULL
              FROM pg_namespace, aclexplode(nspacl)
             WHERE grantee = 'mdload_loader'::regrole
            UNION ALL
            SELECT 'DATABASE', NULL, privilege_type, NULL
              FROM pg_database, aclexplode(datacl)
             WHERE grantee = 'mdload_loader'::regrole AND datname = current_database()
               AND privilege_type <> 'CONNECT'  -- without it there is nobody to tell
            """
        ).fetchall()
    assert {tuple(right.values()) for right in needed()} == set(given)


def test_each_right_that_is_missing_is_named_with_the_grant_that_gives_it(
    database_url: str,
) -> None:
    with granted(database_url) as url, psycopg.connect(database_url, autocommit=True) as superuser:
        database = superuser.info.dbname
        superuser.execute("REVOKE mdload_loader FROM nightly")
        superuser.execute(f"GRANT CONNECT ON DATABASE {database} TO nightly")  # type: ignore[arg-type]
        superuser.execute("DROP OWNED BY mdload_loader")  # so that the role is no way out
        with psycopg.connect(url("nightly"), autocommit=True) as connection:
            session = Session(connection)
            check = rights(session)
            assert check.state == "fail"
            grants = (check.hint or "").splitlines()
            assert grants == [
                f"GRANT TEMPORARY ON DATABASE {database} TO nightly;",
                "GRANT USAGE ON SCHEMA public TO nightly;",
                "GRANT SELECT ON public.bars_gap_waivers TO nightly;",
                "GRANT SELECT, INSERT ON public.bars_loads TO nightly;",
                "GRANT SELECT, INSERT, UPDATE ON public.bars_ohlcv TO nightly;",
                "GRANT SELECT, INSERT ON public.bars_ohlcv_revisions TO nightly;",
                "GRANT SELECT, INSERT ON public.bars_pins TO nightly;",
                "GRANT SELECT, INSERT, UPDATE (replayed_by) ON public.bars_rejected TO nightly;",
                "GRANT SELECT, INSERT, UPDATE ON public.job_run_files TO nightly;",
                "GRANT SELECT, INSERT, UPDATE ON public.job_runs TO nightly;",
                "GRANT SELECT ON public.job_runs_summary TO nightly;",
                "GRANT SELECT ON public.mdload_alembic_version TO nightly;",
                "GRANT SELECT, INSERT ON public.provider_symbols TO nightly;",
                "GRANT USAGE ON SEQUENCE public.bars_ohlcv_revisions_id_seq TO nightly;",
                "GRANT USAGE ON SEQUENCE public.bars_rejected_id_seq TO nightly;",
                "GRANT USAGE ON SEQUENCE public.job_run_files_id_seq TO nightly;",
                "GRANT USAGE ON SEQUENCE public.job_runs_id_seq TO nightly;",
            ]
            for done, grant in enumerate(grants, 1):
                superuser.execute(grant)  # type: ignore[arg-type]
                assert (rights(session).hint or "").splitlines() == grants[done:]
            assert rights(session).state == "ok"


def test_who_may_not_load_is_told_how_to_be_let(doctor: Run, database_url: str) -> None:
    with granted(database_url) as url, psycopg.connect(database_url, autocommit=True) as superuser:
        code, checks = doctor(url("nightly"))
        assert (code, checks["rights"][:2]) == (
            0, ("ok", "the role 'nightly' may do all that loads need"),
        )  # fmt: skip

        code, checks = doctor(url("stranger"))
        assert code == 6
        assert checks["schema"][:2] == (
            "fail", "mdload's tables are in the schema 'public', which this role may not enter",
        )  # fmt: skip
        assert checks["tables"] == (
            "fail", "the tables of bars are out of this connection's reach",
            "it lacks rights: see rights",
        )  # fmt: skip
        assert checks["rights"] == (
            "fail", "the role 'stranger' lacks rights that loads need",
            'GRANT mdload_loader TO stranger;',
        )  # fmt: skip
        superuser.execute(checks["rights"][2].encode())
        assert doctor(url("stranger"))[0] == 0

        superuser.execute("REVOKE SELECT ON job_runs FROM mdload_loader")
        code, checks = doctor(url("nightly"))
        forbidden = ("warn", "this role may not look at that", "see rights")
        assert (code, checks["runs"], checks["locks"]) == (6, forbidden, forbidden)
        assert checks["rights"][2] == "GRANT SELECT ON public.job_runs TO mdload_loader;"
        superuser.execute(checks["rights"][2].encode())

        superuser.execute("REVOKE INSERT ON bars_rejected FROM mdload_loader")
        assert doctor(url("nightly"))[1]["rights"][2] == (
            "GRANT INSERT ON public.bars_rejected TO mdload_loader;"
        )


def test_the_lock_of_a_job_that_runs(
    doctor: Run, home: Path, tmp_path: Path, database_url: str
) -> None:
    bars(tmp_path / "bars.csv", 20)
    config(tmp_path, database_url, '[jobs.nightly]\nsource = "bars.csv"')
    with stalled(database_url), running(home, tmp_path, "nightly") as process:
        wait_for(database_url, STALLED)
        code, checks = doctor()
        assert (code, checks["runs"][1]) == (0, "1 run going on, none stuck")
        assert re.fullmatch(
            rf"held: nightly by run 1 on {gethostname()} for .+", checks["locks"][1]
        )
        process.kill()
        process.wait()
    assert doctor()[1]["locks"][1] == "no job is held"

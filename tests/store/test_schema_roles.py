"""docs/roles.sql gives each role what it needs, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import psycopg
import pytest

from loader.errors import DatabaseError
from loader.store import schema
from tests.conftest import TIMESCALE, Ran
from tests.support.granted import run_roles_sql

ROLES = ("mdload_owner", "mdload_loader", "mdload_reader")

LOADS = [
    "CREATE TEMPORARY TABLE stage (LIKE bars_ohlcv)",
    "INSERT INTO job_runs (job_name, mode) VALUES ('j', 'backfill')",
    'UPDATE job_runs SET metadata = metadata || \'{"last_heartbeat": "2024-01-02T00:00:00Z"}\'',
    "INSERT INTO job_run_files (run_id, path) VALUES (1, 'a.csv')",
    "UPDATE job_run_files SET state = 'loaded'",
    "INSERT INTO bars_ohlcv (provider, symbol, interval, ts, open, high, low, close)"
    " VALUES ('p', 'A', '1d', '2024-01-02Z', 1, 1, 1, 1)",
    "INSERT INTO bars_ohlcv (provider, symbol, interval, ts, open, high, low, close)"
    " VALUES ('p', 'A', '1d', '2024-01-02Z', 2, 2, 2, 2)"
    " ON CONFLICT ON CONSTRAINT bars_ohlcv_pk DO UPDATE SET close = excluded.close"
    " WHERE bars_ohlcv.close IS DISTINCT FROM excluded.close",
    "SELECT close FROM bars_ohlcv WHERE symbol = 'A' FOR UPDATE",
    "INSERT INTO bars_ohlcv_revisions (provider, symbol, interval, ts, old_open, old_high, old_low,"
    " old_close, new_open, new_high, new_low, new_close, run_id, file_id)"
    " VALUES ('p', 'A', '1d', '2024-01-02Z', 1, 1, 1, 1, 2, 2, 2, 2, 1, 1)",
    "INSERT INTO bars_rejected (run_id, file_id, rules, raw) VALUES (1, 1, '{r}', '{}')",
    "UPDATE bars_rejected SET replayed_by = 1",
    "INSERT INTO provider_symbols VALUES ('p', 'a', 'A', 'plain', now(), 1)",
    "INSERT INTO bars_loads (known_at, run_id, inserted) VALUES (now(), 1, 1)",
    "INSERT INTO bars_pins (name, known_at, load_id) VALUES ('close', now(), 1)",
]
READS = [
    "SELECT * FROM bars_gap_waivers, bars_ohlcv, bars_ohlcv_revisions, bars_rejected,"
    " job_run_files, job_runs, job_runs_summary, provider_symbols, bars_loads, bars_pins",
    "SELECT * FROM bars_ohlcv_as_of(mdload_settled())",
    "SELECT * FROM bars_rejects()",
]
#: What must not trip a nightly check any more is for people to say, not for the job.
WAIVES = (
    "INSERT INTO bars_gap_waivers (symbol, first_session, last_session, reason)"
    " VALUES ('A', '2024-01-02', '2024-01-02', 'halted')"
)
LOADER_MAY_NOT = [
    "DELETE FROM bars_ohlcv",
    "DELETE FROM job_runs",
    "TRUNCATE bars_ohlcv",
    "UPDATE bars_ohlcv_revisions SET old_close = 0",
    "UPDATE bars_rejected SET raw = '{}'",
    "UPDATE provider_symbols SET symbol = 'B'",
    "UPDATE bars_loads SET known_at = now()",
    "DELETE FROM bars_loads",
    "DELETE FROM bars_ohlcv_revisions",
    "DELETE FROM bars_pins",
    "UPDATE mdload_alembic_version SET version_num = '0'",
    WAIVES,
    "SELECT setval('job_runs_id_seq', 1)",
    "CREATE TABLE mine (id int)",
]
READER_MAY_NOT = [
    WAIVES,
    "INSERT INTO job_runs (job_name) VALUES ('j')",
    "UPDATE bars_ohlcv SET close = 0",
    "INSERT INTO bars_pins (name, known_at, load_id) VALUES ('close', now(), 1)",
    "CREATE TEMPORARY TABLE stage (id int)",
    "SELECT nextval('job_runs_id_seq')",
]


Connection = psycopg.Connection[tuple[object, ...]]


@pytest.fixture
def as_role(database_url: str) -> Iterator[dict[str, Connection]]:
    """A connection for each role, in a database where nobody has rights by default."""
    with psycopg.connect(database_url, autocommit=True) as superuser:
        superuser.execute(f"REVOKE ALL ON DATABASE {superuser.info.dbname} FROM PUBLIC")
        superuser.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
        for _ in range(2):  # it can be repeated
            run_roles_sql(superuser)
        with ExitStack() as stack:
            yield {
                role: stack.enter_context(
                    psycopg.connect(database_url, options=f"-crole={role}", autocommit=True)
                )
                for role in ROLES
            }
        superuser.execute(f"DROP OWNED BY {', '.join(ROLES)}")
        superuser.execute(f"DROP ROLE {', '.join(ROLES)}")


def test_loader_and_reader_can_do_their_work(as_role: dict[str, Connection]) -> None:
    for role, work in (("mdload_loader", LOADS + READS), ("mdload_reader", READS)):
        schema.require_head(as_role[role])
        for statement in work:
            as_role[role].execute(statement)


def test_owner_migrates_and_cleans_up(as_role: dict[str, Connection], database_url: str) -> None:
    as_role["mdload_loader"].execute(LOADS[1])
    as_role["mdload_owner"].execute(WAIVES)
    assert as_role["mdload_owner"].execute("DELETE FROM job_runs").rowcount == 1
    url = f"{database_url}&options=-crole%3Dmdload_owner"
    assert schema.downgrade(url, "base") == [*schema.REVISIONS][::-1]
    notices: list[str] = []
    done = schema.upgrade(url, notice=notices.append)
    assert done == [*schema.REVISIONS]
    told = "no policy compresses bars_ohlcv, because its owner may not log in: "
    assert [notice.startswith(told) for notice in notices] == ([True] if TIMESCALE else [])


def test_a_reader_looks_and_takes_along_and_only_the_owner_waives(
    as_role: dict[str, Connection], database_url: str, forked: Callable[..., Ran]
) -> None:
    as_role["mdload_owner"].execute(LOADS[5])

    def run(role: str, *args: str) -> tuple[int, str]:
        ran = forked("--database", f"{database_url}&options=-crole%3D{role}", *args)
        return ran.code, ran.err

    gaps = ("gaps", "--calendar", "XNYS")
    waive = (*gaps, "--waive", "A:2024-01-02:2024-01-02", "--reason", "halted")
    assert run("mdload_reader", "coverage") == (0, "")
    assert run("mdload_reader", *gaps) == (0, "")
    assert run("mdload_reader", "export", "--to", "a.csv")[0] == 0
    for role in ("mdload_reader", "mdload_loader"):
        code, said = run(role, *waive)
        assert code == 5
        assert "permission denied for table bars_gap_waivers" in said
    assert run("mdload_owner", *waive) == (0, "")
    assert run("mdload_owner", "gaps", "--withdraw", "1")[0] == 0


@pytest.mark.parametrize(
    ("role", "statement"),
    [("mdload_loader", s) for s in LOADER_MAY_NOT] + [("mdload_reader", s) for s in READER_MAY_NOT],
)
def test_and_nothing_else(as_role: dict[str, Connection], role: str, statement: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        as_role[role].execute(statement)


def test_a_stranger_is_told_which_rights_are_missing(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as superuser:
        superuser.execute("CREATE ROLE stranger")
        try:
            with (
                psycopg.connect(database_url, options="-crole=stranger") as connection,
                pytest.raises(DatabaseError, match="permission denied") as caught,
            ):
                schema.require_head(connection)
        finally:
            superuser.execute("DROP ROLE stranger")
    assert "docs/roles.sql" in str(caught.value.hint)

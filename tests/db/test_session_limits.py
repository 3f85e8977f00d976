"""A server that allows few sessions: a load that needs more is refused at once, through the real
command, and one that needs no more works."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from loader.db import pooler, rows
from loader.db.conninfo import conninfo
from loader.db.embedded import embedded
from loader.errors import DatabaseError
from loader.store import schema
from tests.conftest import Ran, database, plain_only
from tests.support.jobs import bars, config
from tests.support.sql import fetch

pytestmark = plain_only
Mdload = Callable[..., Ran]


def test_a_server_of_few_sessions(forked: Mdload, warm: Path, tmp_path: Path) -> None:
    with embedded(warm) as url, psycopg.connect(url, autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET max_connections = 8")
    for number in range(4):
        bars(tmp_path / f"{number}.csv", 50 + number)
    args = ("backfill", tmp_path, "--interval", "1m", "--json", "--provider", "p")
    ran = forked(*args, "--workers", "4")
    assert ran.code == 5
    assert (
        "error: the server allows 8 sessions at once, and this takes 26: nothing was done\n"
        "hint: load with --workers 1, or raise max_connections\n"
    ) in ran.err
    assert "trying again" not in ran.err
    ran = forked(*args, "--workers", "1")
    assert (ran.code, ran.json()["rows_read"]) == (0, 206), ran.err
    assert forked("coverage").code == 0
    with embedded(warm) as url:
        config(tmp_path, url, '[jobs.one]\nsource = "0.csv"')
        ran = forked("run", "one")
    assert ran.code == 5
    assert "the server allows 8 sessions at once, and this takes 9: nothing was done" in ran.err
    assert "hint: raise max_connections\n" in ran.err


def test_the_limits_of_a_role_and_of_a_database(
    forked: Mdload, database_url: str, tmp_path: Path
) -> None:
    bars(tmp_path / "a.csv", 5)
    name = database_url.partition("?")[0].rpartition("/")[2]
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE few_{name} LOGIN CONNECTION LIMIT 7".encode())
        connection.execute(f"GRANT pg_read_all_data, pg_write_all_data TO few_{name}".encode())
        try:
            env = {"MDLOAD_DATABASE_URL": database_url.replace("//postgres@", f"//few_{name}@")}
            args = ("backfill", "a.csv", "--interval", "1m", "--provider", "p")
            ran = forked(*args, env=env)
            assert "the server allows 7 sessions at once, and this takes 8" in ran.err
            assert "hint: raise the role's CONNECTION LIMIT\n" in ran.err
            connection.execute(f"ALTER DATABASE {name} CONNECTION LIMIT 6".encode())
            ran = forked(*args, env=env)
            assert "the server allows 6 sessions at once" in ran.err
            assert "hint: raise the database's CONNECTION LIMIT\n" in ran.err
        finally:
            connection.execute(f"DROP OWNED BY few_{name}".encode())
            connection.execute(f"DROP ROLE few_{name}".encode())
    assert fetch(database_url, "SELECT count(*) FROM job_runs") == [(0,)]


def test_a_load_asks_once_for_its_sessions(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not pooler.is_known(conninfo(database_url))
    schema.require_head(database_url, sessions=pooler.sessions_of(1))
    with monkeypatch.context() as patch:
        patch.setattr(rows, "open_connection", None)  # nobody calls it
        rows.expect_sessions(database_url, pooler.sessions_of(1))


def test_too_few_sessions_are_found_with_the_schema(server_url: str, template: str) -> None:
    with database(server_url, template) as url:
        with pytest.raises(
            DatabaseError, match=r"allows \d+ sessions at once, and this takes 6002"
        ):
            schema.require_head(url, sessions=pooler.sessions_of(1_000))
        schema.require_head(url, sessions=pooler.sessions_of(1))

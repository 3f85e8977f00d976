"""`mdload db` through the real executable."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import adbc_driver_postgresql.dbapi
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from loader.db.conninfo import libpq_url
from tests.support.terminal import on_terminal

Mdload = Callable[..., Any]


def test_start_stop_and_status(mdload: Mdload, home: Path, ended: Callable[..., bool]) -> None:
    before = mdload("db", "status", "--json").json()
    assert before["running"] is False
    assert before["data_dir"] is None
    assert before["home"] == str(home)

    url = mdload("db", "start").out.strip()
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT current_database()").fetchone() == ("mdload",)
    assert mdload("db", "start", "--json").json() == {"running": True, "url": url}
    assert mdload("db", "url").out.strip() == url

    during = mdload("db", "status", "--json").json()
    assert during["running"] is True
    assert during["pinned"] is True
    assert during["uses"] == during["url"] == url
    assert during["source"] == "the embedded server"
    assert (Path("/proc") / str(during["pid"])).exists()
    assert during["size_bytes"] > 1_000_000
    assert "running, and stays until 'mdload db stop'" in mdload("db", "status").out
    narrow = on_terminal(home, home, "db", "status", columns=60)
    assert f"\n{'':17}(pid {during['pid']})" in narrow.text
    assert max(map(len, narrow.lines)) <= 60, narrow.text

    assert mdload("db", "stop", "--json").json() == {"stopped": True, "running": False}
    assert ended(during["pid"])
    assert mdload("db", "stop").out == "it was not running\n"
    assert "stopped" in mdload("db", "status").out


@pytest.mark.usefixtures("warm")
def test_the_url_of_a_server_that_is_not_up_comes_with_a_word(forked: Mdload) -> None:
    ran = forked("db", "url")
    assert ran.code == 0
    assert "not running" in ran.err
    assert forked("db", "url", "--json").json() == {
        "url": ran.out.strip(),
        "source": "the embedded server",
        "embedded": True,
    }
    assert forked("db", "start").out == ran.out
    forked("db", "stop")


@pytest.mark.usefixtures("warm")
def test_psql_starts_the_server_and_leaves_nothing_running(mdload: Mdload) -> None:
    ran = mdload("db", "psql", "-XAt", stdin="SELECT 6 * 7;\n\\conninfo\n")
    assert (ran.code, ran.out.splitlines()[0]) == (0, "42")
    assert mdload("db", "psql", "-Xc", "SELECT nonsense").code == 1
    assert mdload("db", "status", "--json").json()["running"] is False


@pytest.mark.parametrize("shown", [True, False])
def test_the_password_is_shown_on_demand_only(shown: bool, forked: Mdload) -> None:
    given = "postgresql+psycopg://u:s3cret@h:5433/d"
    option = ["--show-password"] if shown else []
    ran = forked("db", "url", *option, env={"DATABASE_URL": given})
    assert ran.out == f"postgresql://u:{'s3cret' if shown else '***'}@h:5433/d\n"
    status = forked("db", "status", env={"DATABASE_URL": given})
    assert "postgresql://u:***@h:5433/d (DATABASE_URL)" in status.out
    assert "s3cret" not in status.out + status.err


def test_psql_gets_the_password_by_the_environment(forked: Mdload, tmp_path: Path) -> None:
    psql = tmp_path / "bin" / "psql"
    psql.parent.mkdir()
    psql.write_text('#!/bin/sh\necho "$PGPASSWORD"\nprintf "%s\\n" "$@"\nexit 3\n')
    psql.chmod(0o755)
    env = {"PATH": f"{psql.parent}:/usr/bin:/bin"}
    url = "host=h user=u password='s3 cret' dbname=d"
    ran = forked("--database", url, "db", "psql", "-c", "SELECT 1", env=env)
    password, dbname, *arguments = ran.out.splitlines()
    assert ran.code == 3
    assert password == "s3 cret"
    assert conninfo_to_dict(dbname.removeprefix("--dbname=")) == {
        "host": "h",
        "user": "u",
        "dbname": "d",
    }
    assert arguments == ["-c", "SELECT 1"]


def test_every_way_to_name_a_server_reaches_it(server_url: str, forked: Mdload) -> None:
    parts = conninfo_to_dict(server_url)
    for written in (
        server_url,
        server_url.replace("postgresql://", "postgres://"),
        server_url.replace("postgresql://", "postgresql+psycopg://"),
        make_conninfo("", **parts),
    ):
        url = libpq_url(written, "--database")
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
        with (
            adbc_driver_postgresql.dbapi.connect(url) as adbc,
            adbc.cursor() as cursor,
        ):
            cursor.execute("SELECT 1")
            assert cursor.fetchall() == [(1,)]
        ran = forked("--database", written, "db", "psql", "-XAtc", "SELECT 1")
        assert (ran.code, ran.out) == (0, "1\n"), ran.err


def test_libpqs_own_variables_name_a_server(
    server_url: str, forked: Mdload, tmp_path: Path
) -> None:
    parts = conninfo_to_dict(server_url)
    service = tmp_path / "pg_service.conf"
    service.write_text(f"[bars]\nhost={parts['host']}\nuser=postgres\ndbname=postgres\n")
    for env in (
        {"PGHOST": str(parts["host"]), "PGUSER": "postgres", "PGDATABASE": "postgres"},
        {"PGSERVICE": "bars", "PGSERVICEFILE": str(service)},
    ):
        ran = forked("db", "psql", "-XAtc", "SELECT current_database()", env=env)
        assert (ran.code, ran.out) == (0, "postgres\n"), ran.err
        assert forked("db", "url", env=env).out == "postgresql://\n"


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--database", "mysql://u:s3cret@h/d", "db", "psql"], 2, "names a mysql:// database"),
        (["--database", "", "db", "url"], 2, "--database is not a PostgreSQL URL"),
        (["db", "nonsense"], 2, "No such command 'nonsense'"),
        (["nonsense"], 2, "No such command 'nonsense'"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(
    arguments: list[str], code: int, says: str, forked: Mdload
) -> None:
    ran = forked(*arguments)
    assert ran.code == code
    assert ran.out == ""
    assert says in ran.err
    assert "Traceback" not in ran.err
    assert "s3cret" not in ran.err


def test_programs_that_are_missing_are_named(forked: Mdload, tmp_path: Path) -> None:
    ran = forked("db", "start", env={"MDLOAD_PG_BIN": str(tmp_path)})
    assert ran.code == 2
    assert ran.err == (
        f"error: MDLOAD_PG_BIN is {tmp_path}, which holds no working initdb, pg_ctl, postgres\n"
        "hint: set it to the bin directory of a PostgreSQL server, or unset it\n"
    )
    assert forked("db", "status", env={"MDLOAD_PG_BIN": str(tmp_path)}).code == 0
    assert forked("db", "url", env={"MDLOAD_PG_BIN": str(tmp_path)}).code == 2

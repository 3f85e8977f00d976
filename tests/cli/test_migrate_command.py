"""`mdload migrate` as a person runs it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg

from loader.store import schema
from tests.conftest import ROOT
from tests.support.granted import run_roles_sql


def test_an_empty_database_then_one_that_is_there(
    mdload: Callable[..., Any], empty_url: str
) -> None:
    first = mdload("--database", empty_url, "migrate")
    assert (first.code, first.err) == (0, "")
    assert first.out.endswith("(--database): from nothing to revision 0008\n")
    again = mdload("migrate", env={"MDLOAD_DATABASE_URL": empty_url})
    assert (again.code, again.err) == (0, "")
    assert again.out.endswith("(MDLOAD_DATABASE_URL): already at the newest revision, 0008\n")


def test_json(forked: Callable[..., Any], empty_url: str) -> None:
    said = [forked("--database", empty_url, "migrate", "--json").json() for _ in range(2)]
    assert [(s["from"], s["to"], s["applied"], s["notices"]) for s in said] == [
        (None, "0008", ["0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008"], []),
        ("0008", "0008", [], []),
    ]


def test_sql_is_printed_and_nothing_touched(forked: Callable[..., Any], empty_url: str) -> None:
    printed = forked("--database", empty_url, "migrate", "--sql")
    assert (printed.code, printed.err) == (0, "")
    assert schema.current(empty_url) is None
    with psycopg.connect(empty_url, autocommit=True) as connection:
        connection.execute(printed.out)
    assert schema.current(empty_url) == "0008"
    assert forked("migrate", "--sql", "--json").json() == {"sql": printed.out}


def test_roles_are_printed(forked: Callable[..., Any], database_url: str) -> None:
    printed = forked("migrate", "--roles")
    assert printed.out == (ROOT / "docs" / "roles.sql").read_text()
    assert forked("migrate", "--roles", "--json").json() == {"sql": printed.out}
    assert forked("migrate", "--roles", "--sql").code == 2
    with psycopg.connect(database_url, autocommit=True) as connection:
        run_roles_sql(connection)
        found = connection.execute(
            "SELECT has_table_privilege('mdload_loader', 'bars_ohlcv', 'INSERT'),"
            " has_table_privilege('mdload_loader', 'bars_ohlcv', 'DELETE')"
        ).fetchone()
    assert found == (True, False)


def test_the_embedded_server_needs_no_url(forked: Callable[..., Any]) -> None:
    assert "from nothing to revision 0008" in forked("migrate").out


def test_a_database_of_a_newer_mdload(forked: Callable[..., Any], database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE mdload_alembic_version SET version_num = '0042'")
    refused = forked("--database", database_url, "migrate")
    assert (refused.code, refused.out) == (5, "")
    assert refused.err.splitlines()[1] == "hint: run: pip install --upgrade mdload"


def test_a_password_is_not_shown(forked: Callable[..., Any], database_url: str) -> None:
    url = database_url.replace("postgres@", "postgres:s3cret@")
    for ran in (
        forked("--database", url, "migrate"),
        forked("--database", url, "migrate", "--json"),
    ):
        assert ran.code == 0
        assert "s3cret" not in ran.out + ran.err

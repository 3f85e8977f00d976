"""Others plant functions and operators where mdload's statements would find them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import psycopg
import pytest

from loader import StoreClient
from loader.db.queries import refuse_planted, resource
from loader.errors import DatabaseError
from tests.conftest import Ran
from tests.support.sql import fetch

Mdload = Callable[..., Ran]
MIGRATIONS = Path(str(resource("migrations")))
PLANTED = [
    "FUNCTION {0}.concat(text, text) RETURNS text LANGUAGE sql AS 'SELECT {0}.steal()'",
    "FUNCTION {0}.quote_ident(varchar) RETURNS text LANGUAGE sql AS 'SELECT {0}.steal()'",
    "FUNCTION {0}.jsonb_build_object(text, text) RETURNS jsonb LANGUAGE sql"
    " AS 'SELECT to_jsonb({0}.steal())'",
    "FUNCTION {0}.set_config(text, text, integer) RETURNS text LANGUAGE sql"
    " AS 'SELECT {0}.steal()'",
    "OPERATOR {0}.|| (LEFTARG = text, RIGHTARG = varchar, FUNCTION = {0}.joined)",
]


@pytest.fixture
def mallory(database_url: str) -> Iterator[str]:
    """A role that may create in the schema of the bars. What it plants says so in `stolen`."""
    fetch(database_url, "DROP ROLE IF EXISTS mallory")
    with psycopg.connect(database_url, autocommit=True) as superuser:
        superuser.execute("CREATE ROLE mallory LOGIN")
        superuser.execute("GRANT CREATE ON SCHEMA public TO mallory")
        superuser.execute("CREATE TABLE stolen (by text); GRANT ALL ON stolen TO mallory")
        superuser.execute(
            "SET ROLE mallory; CREATE FUNCTION public.steal() RETURNS text LANGUAGE sql"
            " AS 'INSERT INTO public.stolen VALUES (current_user) RETURNING by';"
            "CREATE FUNCTION public.joined(text, varchar) RETURNS text LANGUAGE sql"
            " AS 'SELECT public.steal()'"
        )
        yield "mallory"
        superuser.execute("RESET ROLE; DROP OWNED BY mallory; DROP ROLE mallory")


@pytest.mark.parametrize("what", PLANTED, ids=lambda what: what.split("(")[0])
def test_nothing_of_others_runs_with_the_rights_of_a_load(
    forked: Mdload, database_url: str, mallory: str, tmp_path: Path, what: str
) -> None:
    path = tmp_path / "a.csv"
    path.write_text("ts,symbol,open,high,low,close\n2024-01-02T00:00:00Z,AAA,1,2,0.5,1.5\n")
    env = {"MDLOAD_DATABASE_URL": database_url}
    load = ("backfill", path, "--provider", "demo", "--interval", "1m")
    assert forked(*load, env=env).code == 0  # mallory may plant something: loads still run
    checks = forked("doctor", "--json", env=env).json()["checks"]
    (tables,) = [check for check in checks if check["name"] == "tables"]
    assert tables["state"] == "warn"
    assert tables["hint"] == "REVOKE CREATE ON SCHEMA public FROM mallory;"
    fetch(database_url, f"SET ROLE {mallory}; CREATE {what.format('public')}")
    for command in (load, ("migrate",), ("coverage",), ("job-runs", "list"), ("doctor",)):
        ran = forked(*command, env=env)
        assert ran.code in (5, 6), (command, ran.err)
        assert f"the role '{mallory}' has put " in ran.out + ran.err
    bar = SimpleNamespace(
        provider="p", symbol="S", interval="1m", ts=None, open=1, high=1, low=1, close=1, volume=1
    )
    with pytest.raises(DatabaseError, match="has put"), StoreClient(database_url) as client:
        client.write_bars([bar])
    assert fetch(database_url, "SELECT * FROM stolen") == []


@pytest.mark.parametrize(
    "what",
    [
        "DOMAIN public.text AS pg_catalog.text CHECK (public.steal() IS NOT NULL)",
        "VIEW public.pg_roles AS SELECT public.steal() AS rolname",
    ],
    ids=["domain", "view"],
)
def test_types_and_views_before_those_of_the_server(
    forked: Mdload, database_url: str, mallory: str, what: str
) -> None:
    env = {"MDLOAD_DATABASE_URL": database_url}
    fetch(database_url, f"SET ROLE {mallory}; CREATE {what}")
    assert forked("coverage", env=env).code == 0  # PostgreSQL's own come first
    name = database_url.partition("?")[0].rpartition("/")[2]
    fetch(database_url, f"ALTER DATABASE {name} SET search_path = public, pg_catalog")
    for command in ("coverage", "migrate", "doctor"):
        ran = forked(command, env=env)
        assert ran.code in (5, 6), (command, ran.err)
        assert f"the role '{mallory}' has put " in ran.out + ran.err
    assert fetch(database_url, "SELECT * FROM stolen") == []


def test_every_function_of_a_migration_is_looked_for(database_url: str) -> None:
    """Those of the migrations, and of the functions and triggers that they make, are a list."""
    called = re.compile(r"\b([a-z_][a-z0-9_]*)\(")
    pages = [*MIGRATIONS.rglob("*.py"), *MIGRATIONS.rglob("*.sql")]
    names = {name for page in pages for name in called.findall(page.read_text())}
    assert {"quote_literal", "num_nulls"} <= names
    its = "SELECT proname FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace"
    servers = {name for (name,) in fetch(database_url, its)}
    types = {"text", "numeric"}  # of columns: `numeric(20, 8)`
    looked_for: list[str] = []

    def row(_: str, functions: str | None) -> tuple[str, str] | None:
        if functions is None:
            return "any()", "mallory"
        looked_for.extend(functions.split())
        return None

    refuse_planted(row)
    assert (names & servers) - types - set(looked_for) == set()


def test_sessions_that_begin_together_ask_once(monkeypatch: pytest.MonkeyPatch) -> None:
    now, asked = 1000.0, 0
    monkeypatch.setattr("loader.db.queries.time.monotonic", lambda: now)
    planted: tuple[str, str] | None = "public.concat(text, text)", "mallory"

    def row(*_: object) -> tuple[str, str] | None:
        nonlocal asked
        asked += 1
        return planted

    for _ in range(2):  # the next session asks again after an error
        with pytest.raises(DatabaseError, match="'mallory' has put"):
            refuse_planted(row, "host=a")
    planted, asked = None, 0
    for given, expected in (("host=a", 1), ("host=a", 1), ("host=b", 2), (None, 3), (None, 4)):
        refuse_planted(row, given)
        assert asked == expected
    now += 6
    refuse_planted(row, "host=a")
    assert asked == 5

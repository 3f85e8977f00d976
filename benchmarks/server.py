"""The server of a run: mdload's embedded server and settings, one database per measurement."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from loader.db.embedded import embedded, status, stop
from loader.store import schema

#: Added to the settings of loader/db/embedded/cluster.py, so that no background job starts during
#: a measurement.
SETTINGS = {"autovacuum": "off", "checkpoint_timeout": "1h", "max_wal_size": "16GB"}
#: Added for hypertables. With the server's default limit, contenders without support for compressed
#: chunks could not change many rows in them.
TIMESCALE = {
    "shared_preload_libraries": "timescaledb", "timescaledb.telemetry_level": "off",
    "timescaledb.max_background_workers": "0", "max_locks_per_transaction": "512",
    "timescaledb.max_tuples_decompressed_per_dml_transaction": "0",
}  # fmt: skip
#: Settings that the report lists, whoever set them.
NAMED = (
    "server_version", "shared_buffers", "work_mem", "maintenance_work_mem", "max_wal_size",
    "checkpoint_timeout", "wal_compression", "wal_buffers", "fsync", "synchronous_commit",
    "full_page_writes", "data_checksums", "autovacuum", "jit",
)  # fmt: skip


class Server:
    """Makes, clones and drops databases of one server; `url` is its maintenance database, `pid` its
    first process."""

    def __init__(self, url: str, home: Path, pid: int, *, timescale: bool = False) -> None:
        self.timescale = timescale
        self.url = url
        self.home = home
        self.pid = pid

    def database(self, name: str) -> str:
        """The URL of database `name`."""
        return self.url.replace("/postgres?", f"/{name}?")

    def clone(self, template: str, name: str) -> str:
        """Clones `template` by copying its files, and returns the URL."""
        self.drop(name)
        self._run("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy", name, template)
        return self.database(name)

    def make(self, name: str) -> str:
        """Makes a database with mdload's tables, and returns its URL."""
        self.drop(name)
        self._run("CREATE DATABASE {} TEMPLATE template0", name)
        if self.timescale:
            with psycopg.connect(self.database(name), autocommit=True) as connection:
                connection.execute("CREATE EXTENSION timescaledb")
        schema.upgrade(self.database(name))
        return self.database(name)

    def drop(self, name: str) -> None:
        self._run("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)

    def settings(self) -> dict[str, str]:
        """The settings that the report lists."""
        with psycopg.connect(self.url) as connection:
            rows = connection.execute(
                "SELECT name, current_setting(name) FROM pg_settings WHERE name = ANY(%s)",
                [list(NAMED)],
            ).fetchall()
            found = dict(rows)
            extension = connection.execute(
                "SELECT default_version FROM pg_available_extensions WHERE name = 'timescaledb'"
            ).fetchone()
        found |= {"timescaledb": extension[0]} if extension and self.timescale else {}
        return {name: found[name] for name in (*NAMED, "timescaledb") if name in found}

    def _run(self, statement: Any, *names: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


@contextmanager
def running(
    home: Path | None = None,
    settings: Mapping[str, str] | None = None,
    *,
    timescale: bool = False,
) -> Iterator[Server]:
    """A temporary server in `home` (default: a temporary directory), stopped and removed at the
    end. MDLOAD_PG_BIN chooses its programs. `settings` extend `SETTINGS`. With `timescale` the
    programs must have TimescaleDB, and bars are in a hypertable."""
    # Not in a private directory: as root, the server runs under another account.
    place = Path(tempfile.mkdtemp(prefix="mdload-bench-", dir=home))
    place.chmod(0o755 if os.geteuid() == 0 else 0o700)
    try:
        with embedded(place) as url, psycopg.connect(url, autocommit=True) as connection:
            extra = TIMESCALE if timescale else {}
            for name, value in {**SETTINGS, **extra, **(settings or {})}.items():
                connection.execute(
                    sql.SQL("ALTER SYSTEM SET {} = {}").format(
                        sql.SQL(".").join(map(sql.Identifier, name.split("."))), value
                    )
                )
        with embedded(place) as url:  # restarted, for settings that need it
            pid = status(place).pid
            assert pid
            yield Server(url.replace("/mdload?", "/postgres?"), place, pid, timescale=timescale)
    finally:
        try:
            stop(place)
        finally:
            shutil.rmtree(place, ignore_errors=True)

"""The server of a run: mdload's own lifecycle and settings, a database per measurement."""

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

#: Added to the settings of loader/db/embedded/cluster.py, so that nothing starts
#: by itself in the middle of a measurement.
SETTINGS = {"autovacuum": "off", "checkpoint_timeout": "1h", "max_wal_size": "16GB"}
#: Beside those, where the bars are to be in a hypertable. Contenders that know nothing of
#: compressed chunks could not change many rows of them at the limit that the server has by default.
TIMESCALE = {
    "shared_preload_libraries": "timescaledb", "timescaledb.telemetry_level": "off",
    "timescaledb.max_background_workers": "0", "max_locks_per_transaction": "512",
    "timescaledb.max_tuples_decompressed_per_dml_transaction": "0",
}  # fmt: skip
#: Settings that the report names, whoever set them.
NAMED = (
    "server_version", "shared_buffers", "work_mem", "maintenance_work_mem", "max_wal_size",
    "checkpoint_timeout", "wal_compression", "wal_buffers", "fsync", "synchronous_commit",
    "full_page_writes", "data_checksums", "autovacuum", "jit",
)  # fmt: skip


class Server:
    """Makes, clones and drops databases of one server; `url` is of its maintenance database, `pid`
    its first process."""

    def __init__(self, url: str, home: Path, pid: int, *, timescale: bool = False) -> None:
        self.timescale = timescale
        self.url = url
        self.home = home
        self.pid = pid

    def database(self, name: str) -> str:
        """The URL of database `name`."""
        return self.url.replace("/postgres?", f"/{name}?")

    def clone(self, template: str, name: str) -> str:
        """The URL of a new database like `template`: its files are copied, no row is written."""
        self.drop(name)
        self._run("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy", name, template)
        return self.database(name)

    def make(self, name: str) -> str:
        """The URL of a new database with mdload's tables in it."""
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
        """The settings that the report names."""
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
    """A server of its own in `home` (default: a temporary directory), stopped and removed at the
    end. MDLOAD_PG_BIN chooses its programs. `settings` come on top of `SETTINGS`. With
    `timescale` its programs have TimescaleDB, and bars are in a hypertable."""
    # Not below a private directory: as root the server runs under another account.
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
        with embedded(place) as url:  # started anew, for settings that only take hold then
            pid = status(place).pid
            assert pid
            yield Server(url.replace("/mdload?", "/postgres?"), place, pid, timescale=timescale)
    finally:
        try:
            stop(place)
        finally:
            shutil.rmtree(place, ignore_errors=True)

"""Databases on a Citus cluster."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from loader.store import citus, schema
from tests.conftest import CITUS


@dataclass(frozen=True)
class Cluster:
    """The servers of the database at `url`, which is on the coordinator."""

    url: str

    @cached_property
    def nodes(self) -> list[tuple[str, int]]:
        """Host and port of each server, the coordinator first."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            found = connection.execute(
                "SELECT nodename, nodeport, groupid FROM pg_dist_node ORDER BY groupid"
            ).fetchall()
        assert found[0][2] == 0, "the database of MDLOAD_TEST_CITUS_URL is not a coordinator's"
        return [(host, port) for host, port, _ in found]

    def on_each(self, database: str, *statements: str) -> None:
        """Runs statements in the database of that name on every server."""
        base = conninfo_to_dict(self.url)
        for n, (host, port) in enumerate(self.nodes):
            place = {"host": host, "port": port} if n else {}
            where = make_conninfo("", **{**base, **place, "dbname": database})
            with psycopg.connect(where, autocommit=True) as connection:
                for statement in statements:
                    connection.execute(statement.encode())

    def named(self, database: str) -> str:
        """URL of the database of that name on the coordinator."""
        before, question, rest = self.url.partition("?")
        return f"{before.rpartition('/')[0]}/{database}{question}{rest}"


@cache
def _cluster() -> Cluster:
    assert CITUS
    return Cluster(CITUS)


@contextmanager
def template() -> Iterator[str]:
    """Name of a database on every server, migrated, with its bars over the workers, that nobody can
    connect to."""
    with distributed() as url:
        schema.upgrade(url)
        with citus.connected(url) as session:
            citus.enable(session, citus.plan(session))
        name = url.partition("?")[0].rpartition("/")[2]
        _cluster().on_each(
            "postgres",
            f"ALTER DATABASE {name} ALLOW_CONNECTIONS false",
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
            f" WHERE datname = '{name}'",
        )
        yield name


@contextmanager
def copied(template: str) -> Iterator[str]:
    """URL of a new database on every server with all that `template` has; dropped at the end."""
    cluster, name = _cluster(), f"t_{uuid.uuid4().hex}"
    try:
        cluster.on_each(
            "postgres", f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy"
        )
        yield cluster.named(name)
    finally:
        _drop(cluster, name)


@contextmanager
def distributed() -> Iterator[str]:
    """URL of a new database on every server of the cluster at MDLOAD_TEST_CITUS_URL, with its
    workers; dropped at the end."""
    cluster, name = _cluster(), f"t_{uuid.uuid4().hex}"
    cluster.on_each("postgres", f"CREATE DATABASE {name}")
    try:
        cluster.on_each(name, "CREATE EXTENSION citus")
        with (
            psycopg.connect(cluster.url, autocommit=True) as one,
            psycopg.connect(cluster.named(name), autocommit=True) as connection,
        ):
            # It writes the servers' roles anew, which two test processes cannot do at once.
            one.execute("SELECT pg_advisory_lock(hashtext('citus_add_node'))")
            connection.execute("SELECT citus_set_coordinator_host(%s, %s)", cluster.nodes[0])
            for node in cluster.nodes[1:]:
                connection.execute("SELECT citus_add_node(%s, %s)", node)
        yield cluster.named(name)
    finally:
        _drop(cluster, name)


def _drop(cluster: Cluster, name: str) -> None:
    """Citus' own sessions take their time to end, and would come back."""
    cluster.on_each(
        "postgres", f"UPDATE pg_database SET datallowconn = false WHERE datname = '{name}'"
    )
    for last in (False, False, True):
        try:
            cluster.on_each("postgres", f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            return
        except psycopg.errors.ObjectInUse:
            if last:
                raise

"""Databases on a Citus cluster."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from loader.store import citus, schema
from tests.conftest import CITUS


@contextmanager
def with_bars() -> Iterator[str]:
    """`distributed`, migrated, and the bars over its workers."""
    with distributed() as url:
        schema.upgrade(url)
        with citus.connected(url) as session:
            citus.enable(session, citus.plan(session))
        yield url


@contextmanager
def distributed() -> Iterator[str]:
    """URL of a new database on every server of the cluster at MDLOAD_TEST_CITUS_URL, with its
    workers; dropped at the end."""
    assert CITUS
    base = conninfo_to_dict(CITUS)
    name = f"t_{uuid.uuid4().hex}"
    with psycopg.connect(CITUS, autocommit=True) as connection:
        nodes = connection.execute(
            "SELECT nodename, nodeport, groupid = 0 FROM pg_dist_node ORDER BY groupid"
        ).fetchall()
    assert nodes[0][2], "the database of MDLOAD_TEST_CITUS_URL is not a coordinator's"

    def at(node: tuple[str, int, bool], database: str) -> str:
        host, port, coordinator = node
        place = {} if coordinator else {"host": host, "port": port}
        return make_conninfo("", **{**base, **place, "dbname": database})

    for node in nodes:
        with psycopg.connect(at(node, "postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        with psycopg.connect(at(node, name), autocommit=True) as connection:
            connection.execute("CREATE EXTENSION citus")
    try:
        with psycopg.connect(at(nodes[0], name), autocommit=True) as connection:
            connection.execute("SELECT citus_set_coordinator_host(%s, %s)", nodes[0][:2])
            for node in nodes[1:]:
                connection.execute("SELECT citus_add_node(%s, %s)", node[:2])
        before, question, rest = CITUS.partition("?")
        yield before.rpartition("/")[0] + f"/{name}" + question + rest
    finally:
        for node in nodes:
            with psycopg.connect(at(node, "postgres"), autocommit=True) as connection:
                connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

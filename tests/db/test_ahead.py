"""What a load's driver learns of a server ahead of its first session."""

from __future__ import annotations

import threading
from urllib.parse import quote

from loader.db import adbc
from loader.db.conninfo import conninfo
from tests.support.silent import deaf


def finish() -> None:
    for thread in threading.enumerate():
        if thread.name == "mdload-types":
            thread.join(60)


def test_the_first_session_finds_it_learned(database_url: str) -> None:
    adbc._learned.cache_clear()
    adbc.learn_ahead(database_url)
    session = adbc.AdbcSession(conninfo(database_url), autocommit=True)
    assert session.execute("SELECT 41 + 1").read_all().column(0).to_pylist() == [42]
    session.close()
    finish()
    assert adbc._learned.cache_info().misses == 1  # whoever came second waited for the first


def test_a_refusal_is_left_to_the_session(database_url: str) -> None:
    adbc._learned.cache_clear()
    nowhere = f"postgresql:///none?host={quote('/nonexistent')}"
    adbc.learn_ahead(nowhere)
    finish()
    assert adbc._learned.cache_info().currsize == 0


def test_nobody_waits_for_another_server(database_url: str) -> None:
    with deaf() as port:
        adbc.learn_ahead(f"postgresql://me@127.0.0.1:{port}/x")
        adbc.AdbcSession(conninfo(database_url), autocommit=True).close()
        assert any(thread.name == "mdload-types" for thread in threading.enumerate())
    finish()

"""`mdload db start --port`: the embedded server for tools that need TCP."""

from __future__ import annotations

import socket
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from loader.db.embedded import embedded

Mdload = Callable[..., Any]


@pytest.mark.usefixtures("warm")
def test_tools_reach_it_with_the_password_that_is_made_once(
    mdload: Mdload, home: Path, free_port: int
) -> None:
    refused = mdload("db", "url", "--tcp")
    assert (refused.code, "does not listen on a port" in refused.err) == (2, True)
    plain = mdload("db", "start").out.strip()
    started = mdload("db", "start", "--port", str(free_port))
    assert started.code == 0, started.err
    assert started.out == f"postgresql://mdload@127.0.0.1:{free_port}/mdload\n"
    kept = home / "pgpass"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    secret = kept.read_text().strip().rpartition(":")[2]
    assert len(secret) >= 32

    url = mdload("db", "url", "--tcp", "--show-password").out.strip()
    assert url == f"postgresql://mdload:{secret}@127.0.0.1:{free_port}/mdload"
    assert (
        mdload("db", "url", "--tcp").out
        == f"postgresql://mdload:***@127.0.0.1:{free_port}/mdload\n"
    )
    with psycopg.connect(url) as connection:
        assert connection.execute("SHOW listen_addresses").fetchone() == ("127.0.0.1",)
        assert connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user"
                                  ).fetchone() == (False,)  # fmt: skip
        connection.execute("CREATE TEMP TABLE mine (n int)")
    where = f"127.0.0.1:{free_port}/mdload"
    for wrong in (f"postgresql://mdload@{where}", f"postgresql://mdload:no@{where}",
                  f"postgresql://postgres@{where}", f"postgresql://mdload:{secret}@127.0.0.1:{free_port}"
                  "/postgres"):  # fmt: skip
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(wrong, passfile="/nowhere")

    assert mdload("db", "url").out.strip() == plain  # the socket is where it was
    with psycopg.connect(plain) as connection:
        assert connection.execute("SELECT current_user").fetchone() == ("postgres",)
    status = mdload("db", "status", "--json").json()
    assert (status["tcp"], status["password_file"]) == (started.out.strip(), str(kept))
    assert mdload("db", "start", "--port", str(free_port)).code == 0
    assert kept.read_text().strip().endswith(secret)

    kept.chmod(0o644)
    open_ = mdload("db", "start", "--port", str(free_port))
    assert (open_.code, "others may read it\nhint: chmod 600" in open_.err) == (2, True)
    kept.chmod(0o600)
    logs = [path.read_text(errors="replace") for path in home.glob("pg*/server.log*")]
    assert logs
    assert not any(secret in text for text in (*logs, started.err, started.out))

    assert mdload("db", "stop", "--json").json()["stopped"] is True
    assert mdload("db", "start").out.strip() == plain
    assert mdload("db", "status", "--json").json()["tcp"] is None
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)
    mdload("db", "stop")


@pytest.mark.usefixtures("warm")
def test_a_server_in_use_is_not_started_again_and_a_taken_port_is_named(
    mdload: Mdload, home: Path, free_port: int
) -> None:
    with embedded(home):
        ran = mdload("db", "start", "--port", str(free_port))
        assert ran.code == 2
        assert "in use, and has to start again to listen on a port" in ran.err
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", free_port))
        taken.listen()
        ran = mdload("db", "start", "--port", str(free_port))
    assert ran.code == 2
    assert f"port {free_port} of this machine is taken by another program" in ran.err
    status = mdload("db", "status", "--json").json()
    assert (status["running"], status["tcp"]) == (False, None)

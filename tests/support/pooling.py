"""pgbouncer between a test and its server."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

needs_pgbouncer = pytest.mark.skipif(
    shutil.which("pgbouncer") is None, reason="pgbouncer is not on this machine"
)


@contextmanager
def pooled(url: str, mode: str, size: int, *further: str) -> Iterator[str]:
    """A URL of the same database through pgbouncer, with `pool_mode` and `default_pool_size`."""
    parts = conninfo_to_dict(url)
    with tempfile.TemporaryDirectory(prefix="pgbouncer-") as name:
        folder = Path(name)
        folder.chmod(0o777)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        server = f"host={parts['host']} port={parts.get('port', 5432)} user={parts['user']}"
        (folder / "pgbouncer.ini").write_text(
            f"[databases]\n{parts['dbname']} = {server} dbname={parts['dbname']}\n[pgbouncer]\n"
            f"listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
            f"auth_type = any\npool_mode = {mode}\ndefault_pool_size = {size}\n"
            + "\n".join(further)
        )
        command = ["pgbouncer", "-q", str(folder / "pgbouncer.ini")]
        if os.geteuid() == 0:  # it will not run as root, and the socket is the server's account's
            owner = os.stat(f"{parts['host']}/.s.PGSQL.{parts.get('port', 5432)}").st_uid
            command[1:1] = ["-u", pwd.getpwuid(owner).pw_name]
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL, cwd=folder)
        try:
            _wait(port)
            yield f"postgresql://{parts['user']}@127.0.0.1:{port}/{parts['dbname']}"
        finally:
            process.kill()
            process.wait()


def _wait(port: int) -> None:
    for _ in range(200):
        with socket.socket() as attempt:
            if attempt.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError("pgbouncer does not listen")

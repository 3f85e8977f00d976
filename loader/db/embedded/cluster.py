"""One PostgreSQL data directory: make it, start it, stop it. Callers hold the start lock."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from loader.db.embedded import postmaster, tcp
from loader.db.embedded.postmaster import Postmaster
from loader.db.embedded.tools import Tools
from loader.errors import DatabaseError, SettingsError
from loader.text import account_name

_MOMENT = 0.4  # seconds for what an interrupt leaves to do
# Seconds: PostgreSQL 18 that is asked to stop in the middle of a recovery may wait for ever.
_STUBBORN = 60.0
_PATIENCE = 300.0  # seconds: a recovery after a crash in the middle of a load is slow

# Trust without a password is safe only because nobody else can reach the socket: its directory
# has mode 0700, TCP is off, and pg_hba.conf refuses TCP even if someone turns it on.
_AUTHENTICATION = ("--auth-local=trust", "--auth-host=reject")

_SETTINGS = """
# mdload: one laptop, one loader, large loads; safe against a crash (fsync stays on).
listen_addresses = ''
unix_socket_permissions = 0700
port = 5432
timezone = 'UTC'
shared_buffers = 256MB
maintenance_work_mem = 256MB
max_wal_size = 4GB          # a load of millions of bars without a forced checkpoint
checkpoint_timeout = 15min
wal_buffers = 64MB          # two loads at a time fill 16 MB faster than they are written
autovacuum = on
jit = off                   # its compilation costs more than these queries
"""


def initialise(tools: Tools, data: Path) -> None:
    """Makes `data` with an empty database `mdload`: complete under its name, or not at all.

    Raises:
        SettingsError: this account has no name.
        DatabaseError: initdb failed; its words are in the message.
    """
    if tools.account is None and (uid := account_name()).startswith("uid "):
        raise SettingsError(
            f"PostgreSQL needs an account with a name, and {uid} has none on this system",
            hint="name a server with --database URL, or run mdload as an account of /etc/passwd",
        )
    made = Path(tempfile.mkdtemp(prefix=f"{data.name}.new-", dir=data.parent))
    try:
        if tools.account:
            os.chown(made, tools.account.uid, tools.account.gid)
        args = ("-D", made.name, "-U", "postgres", "-E", "UTF8", "--no-locale", *_AUTHENTICATION)
        _must(tools.run("initdb", *args, cwd=data.parent), "initdb failed")
        settings = _SETTINGS
        probe = ("-D", made.name, "-c", "wal_compression=lz4", "-C", "wal_compression")
        if tools.run("postgres", *probe, cwd=data.parent)[0] == 0:
            settings += "wal_compression = lz4\n"  # only where it is built in
        # Root writes in a directory of another account: never through a link.
        conf = os.open(made / "postgresql.conf", os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW)
        with open(conf, "a", encoding="utf-8") as file:
            file.write(settings)
        single = ("--single", "-D", made.name, "postgres")
        create = f"CREATE DATABASE {postmaster.DATABASE}\n"
        _must(tools.run("postgres", *single, cwd=data.parent, stdin=create), "no database made")
        made.rename(data)
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise


def start(tools: Tools, data: Path, socket_dir: Path, port: int | None = None) -> Postmaster:
    """The server on `data`, started if it is not running yet, with TCP on `port` if one is given.

    Raises:
        SettingsError: another program has the port.
        DatabaseError: it does not start; the end of its log is in the message.
    """
    if found := _settled(data):
        return found
    directory = '"' + str(socket_dir).replace('"', '""') + '"'  # quoted, for a path with spaces
    given = ["-c", f"unix_socket_directories={directory}"]
    if port is None:
        tcp.unlink(socket_dir)
    else:
        given += tcp.options(data, socket_dir, port, tools.account)
    options = shlex.join(given)
    log = data / "server.log"
    if log.exists():
        log.replace(data / "server.log.old")
    args = ["start", "-w", "-t", f"{_PATIENCE:.0f}", "-D", data.name]
    args += ["-l", f"{data.name}/{log.name}", "-o", options]
    for _ in range(50):
        postmaster.forget(data, socket_dir)
        try:
            _, said = tools.run("pg_ctl", *args, cwd=data.parent)
        except BaseException:
            _recall(data)
            raise
        if found := _settled(data):
            return found
        said = log.read_text(errors="replace") if log.exists() else said
        if port is not None and "could not bind" in said:
            raise SettingsError(
                f"port {port} of this machine is taken by another program",
                hint=f"mdload db start --port {port + 1}",
            )
        if "shared memory block" not in said:
            raise DatabaseError(
                f"the embedded server does not start on {data}: {_last_lines(said)}",
                hint=f"see {log}",
            )
        time.sleep(0.2)
    raise DatabaseError(
        f"the embedded server was killed, and a session of it is still at work on {data}",
        hint="run it again when that has ended",
    )


def _recall(data: Path) -> None:
    """Ends a server that is starting, as soon as it has written who it is; does not wait for it."""
    given_up = time.monotonic() + _MOMENT
    while time.monotonic() < given_up:
        if found := postmaster.running(data):
            with suppress(ProcessLookupError):
                os.kill(found.pid, signal.SIGINT)
            return
        time.sleep(0.02)


def _settled(data: Path) -> Postmaster | None:
    """The server on `data`, or None. Waits until one that is starting or stopping has done so."""
    deadline = time.monotonic() + _PATIENCE
    while (found := postmaster.running(data)) and not found.ready:
        if time.monotonic() > deadline:
            raise DatabaseError(f"the embedded server (pid {found.pid}) on {data} is not ready")
        time.sleep(0.02)
    return found


def stop(data: Path, *, hurried: bool = False) -> bool:
    """Stops the server on `data` (sessions are ended, transactions rolled back); False: none ran.
    If `hurried`, it may still be stopping afterwards; who starts it next waits for that.

    Raises:
        DatabaseError: it does not stop.
    """
    found = postmaster.running(data)
    if found is None:
        return False
    if not postmaster.serves(found.pid, data):
        raise DatabaseError(
            f"the embedded server on {data} belongs to another container or machine",
            hint="stop it there",
        )
    os.kill(found.pid, signal.SIGINT)  # PostgreSQL's "fast" shutdown
    asked = time.monotonic()
    deadline = asked + (_MOMENT if hurried else _PATIENCE)
    while postmaster.serves(found.pid, data):
        if time.monotonic() > asked + _STUBBORN:
            with suppress(ProcessLookupError):
                os.kill(found.pid, signal.SIGQUIT)  # "immediate": the next start recovers
            asked = float("inf")
        if time.monotonic() > deadline:
            if hurried:
                return True
            raise DatabaseError(f"the embedded server (pid {found.pid}) does not stop")
        time.sleep(0.01)
    tcp.unlink(found.socket_dir)
    if found.socket_dir != data:
        with suppress(OSError):
            found.socket_dir.rmdir()  # leave nothing in a temporary directory
    return True


def _must(result: tuple[int, str], failure: str) -> None:
    code, said = result
    if code != 0:
        raise DatabaseError(f"{failure}: {_last_lines(said)}")


def _last_lines(text: str) -> str:
    return " / ".join(text.strip().splitlines()[-3:])

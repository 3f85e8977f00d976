"""One PostgreSQL data directory: make it, start it, stop it. Callers hold the start lock."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from loader.errors import DatabaseError
from loader.server.tools import Tools

DATABASE = "mdload"
PORT = 5432  # no TCP port, but part of the socket's name
SOCKET = f".s.PGSQL.{PORT}"
_SSL_REQUEST = b"\0\0\0\x08\x04\xd2\x16\x2f"  # "do you speak SSL?", answered with one letter
_NOBODY = 2**31 - 2  # a pid beyond those of every system
_PATIENCE = 300.0  # seconds: a recovery after a crash in the middle of a load takes its time

# Trust without a password is right only because nobody else reaches the socket: the directory it
# is in has mode 0700, there is no TCP, and pg_hba.conf refuses TCP even if someone turns it on.
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
wal_buffers = 16MB
autovacuum = on
jit = off                   # its compilation costs more than these queries
"""


@dataclass(frozen=True)
class Postmaster:
    """A server that runs on a data directory, by its own postmaster.pid."""

    pid: int
    socket_dir: Path
    ready: bool

    @property
    def url(self) -> str:
        return url(self.socket_dir)


def url(socket_dir: Path) -> str:
    """How psycopg and ADBC find the database behind a socket in `socket_dir`."""
    host = quote(os.fsencode(socket_dir), safe="")
    # With the port, or a PGPORT in the environment would be taken for it.
    return f"postgresql://postgres@/{DATABASE}?host={host}&port={PORT}"


def initialise(tools: Tools, data: Path) -> None:
    """Makes `data` with an empty database `mdload`: complete under its name, or not at all.

    Raises:
        DatabaseError: initdb failed; its words are in the message.
    """
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
        create = f"CREATE DATABASE {DATABASE}\n"
        _must(tools.run("postgres", *single, cwd=data.parent, stdin=create), "no database made")
        made.rename(data)
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise


def running(data: Path) -> Postmaster | None:
    """The server on `data`, or None. A stale postmaster.pid counts for nothing."""
    try:
        lines = os.fsdecode((data / "postmaster.pid").read_bytes()).splitlines()
        pid, directory = int(lines[0]), Path(lines[4])
    except (FileNotFoundError, NotADirectoryError, IndexError, ValueError):
        return None
    if _answers(directory / SOCKET):
        return Postmaster(pid, directory, ready=lines[-1].strip() == "ready")
    return Postmaster(pid, directory, ready=False) if _serves(pid, data) else None


def start(tools: Tools, data: Path, socket_dir: Path) -> Postmaster:
    """The server on `data`, started where it is not running yet.

    Raises:
        DatabaseError: it does not start; the end of its log is in the message.
    """
    deadline = time.monotonic() + _PATIENCE
    while found := running(data):  # also one that a killed mdload left starting or stopping
        if found.ready:
            return found
        if time.monotonic() > deadline:
            raise DatabaseError(f"the embedded server (pid {found.pid}) on {data} is not ready")
        time.sleep(0.02)
    _forget(data, socket_dir)
    directory = '"' + str(socket_dir).replace('"', '""') + '"'  # quoted, for a path with spaces
    options = shlex.join(["-c", f"unix_socket_directories={directory}"])
    log = data / "server.log"
    if log.exists():
        log.replace(data / "server.log.old")
    args = ["start", "-w", "-t", f"{_PATIENCE:.0f}", "-D", data.name]
    args += ["-l", f"{data.name}/{log.name}", "-o", options]
    for _ in range(50):
        _, said = tools.run("pg_ctl", *args, cwd=data.parent)
        found = running(data)
        if found and found.ready:
            return found
        said = log.read_text(errors="replace") if log.exists() else said
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


def stop(data: Path) -> bool:
    """Stops the server on `data` (sessions are ended, transactions rolled back); False: none ran.

    Raises:
        DatabaseError: it does not stop.
    """
    found = running(data)
    if found is None:
        return False
    if not _serves(found.pid, data):
        raise DatabaseError(
            f"the embedded server on {data} belongs to another container or machine",
            hint="stop it there",
        )
    os.kill(found.pid, signal.SIGINT)  # PostgreSQL's "fast" shutdown
    deadline = time.monotonic() + _PATIENCE
    while _serves(found.pid, data):
        if time.monotonic() > deadline:
            raise DatabaseError(f"the embedded server (pid {found.pid}) does not stop")
        time.sleep(0.01)
    if found.socket_dir != data:
        with suppress(OSError):
            found.socket_dir.rmdir()  # no litter in a temporary directory
    return True


def _forget(data: Path, socket_dir: Path) -> None:
    """Tells PostgreSQL that the server named in the lock files is dead, which it doubts where the
    pid is another process's by now (after a power cut) or a zombie's (in a container).

    postmaster.pid stays: by the rest of it PostgreSQL sees whether sessions live on.
    """
    (socket_dir / f"{SOCKET}.lock").unlink(missing_ok=True)
    try:
        file = os.open(data / "postmaster.pid", os.O_RDWR | os.O_NOFOLLOW)
    except FileNotFoundError:
        return
    with open(file, "r+b") as stale:
        rest = stale.read().partition(b"\n")[2]
        stale.seek(0)
        stale.truncate()
        stale.write(b"%d\n" % _NOBODY + rest)


def _answers(path: Path) -> bool:
    """Whether a server talks at the socket: a connection alone may still come to a dying one."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10)
        try:
            client.connect(str(path))
            client.sendall(_SSL_REQUEST)
            return client.recv(1) in (b"N", b"S")
        except OSError:
            return False


def _serves(pid: int, data: Path) -> bool:
    """Whether `pid` lives and is the server on `data`, not one that has its number by now."""
    if not Path("/proc/self/stat").exists():  # macOS
        ps = ["/bin/ps", "-o", "comm=", "-p", str(pid)]
        said = subprocess.run(ps, capture_output=True, text=True, check=False).stdout
        return Path(said.strip()).name == "postgres"
    try:
        return Path(f"/proc/{pid}/cwd").samefile(data)  # a server works in its data directory
    except PermissionError:  # root in a container may not look at another account's
        return "(postgres)" in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


def _must(result: tuple[int, str], failure: str) -> None:
    code, said = result
    if code != 0:
        raise DatabaseError(f"{failure}: {_last_lines(said)}")


def _last_lines(text: str) -> str:
    return " / ".join(text.strip().splitlines()[-3:])

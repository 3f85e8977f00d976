"""The server on a data directory, if there is one: its process, its socket, its URL."""

from __future__ import annotations

import os
import socket
import subprocess
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from loader.lazy import dataclass

DATABASE = "mdload"
PORT = 5432  # no TCP port, but part of the socket's name
SOCKET = f".s.PGSQL.{PORT}"
_SSL_REQUEST = b"\0\0\0\x08\x04\xd2\x16\x2f"  # "do you speak SSL?", answered with one letter
_NOBODY = 2**31 - 2  # a pid beyond those of every system


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
    """The URL by which both drivers find the database behind a socket in `socket_dir`."""
    host = quote(os.fsencode(socket_dir), safe="")
    # With the port: without it, PGPORT in the environment would apply.
    return f"postgresql://postgres@/{DATABASE}?host={host}&port={PORT}"


def running(data: Path) -> Postmaster | None:
    """The server on `data`, or None. A stale postmaster.pid is ignored."""
    try:
        lines = os.fsdecode((data / "postmaster.pid").read_bytes()).splitlines()
        pid = int(lines[0])
    except (FileNotFoundError, NotADirectoryError, IndexError, ValueError):
        return None
    directory = Path(lines[4] if len(lines) > 4 else "")  # early in its start it has none yet
    if _answers(directory / SOCKET):
        return Postmaster(pid, directory, ready=lines[-1].strip() == "ready")
    return Postmaster(pid, directory, ready=False) if serves(pid, data) else None


def serves(pid: int, data: Path) -> bool:
    """Whether `pid` is alive and is the server on `data`, not a process that reuses its pid."""
    if not Path("/proc/self/stat").exists():  # macOS
        ps = ["/bin/ps", "-o", "comm=", "-p", str(pid)]
        said = subprocess.run(ps, capture_output=True, text=True, check=False).stdout
        return Path(said.strip()).name == "postgres"
    try:
        return Path(f"/proc/{pid}/cwd").samefile(data)  # a server works in its data directory
    except PermissionError:  # root in a container may not see another account's
        with suppress(OSError):
            stat = Path(f"/proc/{pid}/stat").read_text()
            return "(postgres)" in stat and ") Z " not in stat
    except OSError:
        pass
    return False


def forget(data: Path, socket_dir: Path) -> None:
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
        pid, _, rest = stale.read().partition(b"\n")
        # Check again through the open file: a server may have made a new one in between.
        if pid.isdigit() and not serves(int(pid), data):
            stale.seek(0)
            stale.truncate()
            stale.write(b"%d\n" % _NOBODY + rest)


def _answers(path: Path) -> bool:
    """Whether a server answers at the socket: a dying one may still accept connections."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10)
        try:
            client.connect(str(path))
            client.sendall(_SSL_REQUEST)
            return client.recv(1) in (b"N", b"S")
        except OSError:
            return False

"""When the embedded server runs: while someone uses it, or until a pinned one is stopped.

Two locks in the home. `start.lock` is held around initdb, start and stop. `use.lock` is shared by
all who use the server; who can make it exclusive at the end is the last and stops the server.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from loader.errors import SettingsError
from loader.server import binaries, cluster
from loader.server.account import Account, account, private_directory
from loader.server.locks import Lock, exclusive
from loader.server.tools import tools

_SOCKET_PATH_LIMIT = 104  # bytes with the closing NUL on macOS; Linux has 108


@dataclass(frozen=True)
class ServerStatus:
    """What is known of the embedded server without starting it.

    Attributes:
        running: whether it answers.
        pinned: whether `mdload db start` asked it to stay.
        pid: of the running server, else None.
        version: of the PostgreSQL programs that would run it; None where there are none.
        bin_dir: where those are.
        data_dir: its data directory; None before the first start.
        url: where it answers, or would.
        size_bytes: of the data directory on disk, 0 before the first start.
    """

    running: bool
    pinned: bool
    pid: int | None
    version: str | None
    bin_dir: Path | None
    data_dir: Path | None
    url: str
    size_bytes: int


@contextmanager
def embedded(home: Path | None = None) -> Iterator[str]:
    """URL of the embedded server's database, which runs at least until the block ends.

    Raises:
        SettingsError: no PostgreSQL programs, a home that cannot be used, or data of another
            PostgreSQL major version.
        DatabaseError: the server does not start.
    """
    place = _Home.at(home)
    with exclusive(place.start_lock):
        use = Lock(place.use_lock)
        use.shared()
        try:
            url = place.up()
        except BaseException:
            place.leave(use)
            raise
    try:
        yield url
    finally:
        with exclusive(place.start_lock):
            place.leave(use)


def start(home: Path | None = None) -> str:
    """Starts the server if need be, and keeps it running until `stop`. Its URL.

    Raises:
        SettingsError, DatabaseError: as `embedded`.
    """
    place = _Home.at(home)
    with exclusive(place.start_lock):
        url = place.up()
        place.pin.touch()
    return url


def stop(home: Path | None = None) -> bool:
    """Ends the pin, and the server unless an mdload uses it: then that one stops it at its end.

    Returns:
        Whether a server ran and was stopped.
    """
    place = _Home.at(home)
    with exclusive(place.start_lock):
        place.pin.unlink(missing_ok=True)
        return place.leave(Lock(place.use_lock))


def status(home: Path | None = None) -> ServerStatus:
    """The state of the server. Starts nothing, makes nothing."""
    place = _Home(home_directory(home))
    try:
        programs = binaries.find()
    except SettingsError:
        programs = None
    existing = place.data_directories()
    # The one that runs, else the one that these programs would run, else any.
    found = {data: server for data in existing if (server := cluster.running(data))}
    own = place.data(programs.major) if programs else None
    data = next(iter(found), own if own in existing else next(iter(existing), None))
    server = found.get(data) if data else None
    return ServerStatus(
        running=server is not None,
        pinned=place.pin.exists(),
        pid=server.pid if server else None,
        version=programs.version if programs else None,
        bin_dir=programs.bin if programs else None,
        data_dir=data,
        url=_url(server.socket_dir if server else place.socket_directory()),
        size_bytes=_size(data) if data else 0,
    )


def home_directory(home: Path | None = None) -> Path:
    """Where the embedded server lives: `home`, MDLOAD_HOME, or the user's data directory."""
    if home or (home := Path(os.environ.get("MDLOAD_HOME", ""))) != Path():
        return home.expanduser().absolute()
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        return Path("/var/lib/mdload")
    import platformdirs

    return platformdirs.user_data_path("mdload", appauthor=False)


@dataclass(frozen=True)
class _Home:
    """The server's home directory and what lies in it."""

    path: Path

    @classmethod
    def at(cls, home: Path | None) -> _Home:
        """The home, made where it is missing."""
        if sys.platform == "win32":
            raise SettingsError(
                "the embedded server needs Linux or macOS",
                hint="name a server with --database URL",
            )
        path = home_directory(home)
        # Root's home is entered by the account that runs the server; nobody else's is.
        mode = 0o755 if os.geteuid() == 0 else 0o700
        try:
            for missing in reversed([p for p in (path, *path.parents) if not p.exists()]):
                missing.mkdir(exist_ok=True)
                missing.chmod(mode)
            if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        except OSError as exc:
            raise SettingsError(
                f"the embedded server's home {path} cannot be used: {exc.strerror}",
                hint="set MDLOAD_HOME to a directory of yours, or name a server with --database",
            ) from exc
        return cls(path)

    @property
    def start_lock(self) -> Path:
        return self.path / "start.lock"

    @property
    def use_lock(self) -> Path:
        return self.path / "use.lock"

    @property
    def pin(self) -> Path:
        return self.path / "pinned"

    def data(self, major: int) -> Path:
        return self.path / f"pg{major}"

    def data_directories(self) -> list[Path]:
        """Those of every major version, newest first."""
        found = [p for p in self.path.glob("pg*") if re.fullmatch(r"pg\d+", p.name)]
        return sorted(found, key=lambda p: int(p.name[2:]), reverse=True)

    def up(self) -> str:
        """The server running; its URL."""
        programs = binaries.find()
        data = self.data(programs.major)
        self._refuse_other_major(programs)
        who = account(data)
        ready = tools(programs, who, self.path)
        if not data.exists():
            cluster.initialise(ready, data)
        directory = private_directory(self.socket_directory(who), who)
        return _url(cluster.start(ready, data, directory).socket_dir)

    def leave(self, use: Lock) -> bool:
        """Gives up the use of the server; the last to do so stops it, unless it is pinned."""
        try:
            if use.alone() and not self.pin.exists():
                return any([cluster.stop(data) for data in self.data_directories()])
            return False
        finally:
            use.close()

    def socket_directory(self, who: Account | None = None) -> Path:
        """Inside the home, or under the system's temporary directory where that path is too long
        for a socket."""
        uid = who.uid if who else os.geteuid()
        name = f"mdload-{uid}-{hashlib.sha256(os.fsencode(self.path)).hexdigest()[:12]}"
        places = (self.path / "run", Path(tempfile.gettempdir()) / name, Path("/tmp") / name)  # noqa: S108
        fitting = [p for p in places if len(os.fsencode(p / ".s.PGSQL.5432")) < _SOCKET_PATH_LIMIT]
        return fitting[0]

    def _refuse_other_major(self, programs: binaries.Binaries) -> None:
        data = self.data(programs.major)
        there = [data] if data.exists() else self.data_directories()
        for other in there:
            major = (other / "PG_VERSION").read_text().strip()
            if major != str(programs.major):
                raise SettingsError(
                    f"the bars in {other} are PostgreSQL {major}'s, and the programs in"
                    f" {programs.bin} are PostgreSQL {programs.version}",
                    hint=_MOVE.format(major=major, name=other.name),
                )


_MOVE = (
    "to go on as before, set MDLOAD_PG_BIN to the bin directory of a PostgreSQL {major}; to move,"
    ' do so, `mdload db start`, `pg_dump -Fc -f mdload.dump "$(mdload db url)"`, `mdload db stop`,'
    " rename {name} to {name}.old, unset MDLOAD_PG_BIN, `mdload db start`,"
    ' `pg_restore -d "$(mdload db url)" mdload.dump`'
)


def _url(socket_dir: Path) -> str:
    # With the port, or a PGPORT in the environment would be taken for it.
    host = quote(os.fsencode(socket_dir), safe="")
    return f"postgresql://postgres@/{cluster.DATABASE}?host={host}&port={cluster.PORT}"


def _size(data: Path) -> int:
    total = 0
    for directory, _, names in os.walk(data):
        for name in names:
            try:
                total += os.lstat(os.path.join(directory, name)).st_size  # noqa: PTH118
            except FileNotFoundError:  # the server removes files as it runs
                continue
    return total

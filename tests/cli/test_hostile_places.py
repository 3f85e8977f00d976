"""Bars in a table that PostgreSQL partitions, an account without rights, and archives in archives,
through the real executable."""

from __future__ import annotations

import io
import os
import pwd
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT, Ran, database, environment, plain_only
from tests.support.jobs import bars
from tests.support.sql import fetch

Mdload = Callable[..., Ran]
HEAD = "ts,symbol,open,high,low,close,volume\n"
#: The interpreter of the tests may be in root's own folder; the system's has the same modules.
PYTHON = f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}"


@pytest.fixture
def partitioned_url(server_url: str, partitioned_template: str) -> Iterator[str]:
    with database(server_url, partitioned_template) as url:
        yield url


@plain_only
def test_a_partitioned_table(forked: Mdload, partitioned_url: str, tmp_path: Path) -> None:
    def rows(close: float, count: int) -> str:
        return HEAD + "".join(
            f"20{year}-0{month}-01T00:00:00Z,AAA,1,99,0.5,{close if month == 3 else 2},{month}\n"
            for year in range(20, 20 + count)
            for month in range(1, 10)
        )

    env = {"MDLOAD_DATABASE_URL": partitioned_url}
    args = ("backfill", "a.csv", "--provider", "p", "--interval", "1mo", "--json")
    counts = ("rows_inserted", "rows_updated", "rows_unchanged")
    path = tmp_path / "a.csv"
    for text, expected in [
        (rows(2, 2), [18, 0, 0]),
        (rows(2, 3), [9, 0, 18]),
        (rows(3, 3), [0, 3, 24]),
    ]:
        path.write_text(text)
        ran = forked(*args, env=env)
        assert ran.code == 0, ran.err
        assert [ran.json()[name] for name in counts] == expected
    assert forked(*args, env=env).json()["files"][0]["state"] == "known"
    kind = "SELECT relkind FROM pg_class WHERE oid = 'bars_ohlcv'::regclass"
    assert fetch(partitioned_url, kind) == [("p",)]
    assert fetch(partitioned_url, "SELECT sum(close), count(*) FROM bars_ohlcv") == [(57.0, 27)]
    ran = forked("rollback", "3", "--yes", env=env)
    assert ran.code == 0, ran.err
    assert fetch(partitioned_url, "SELECT sum(close), count(*) FROM bars_ohlcv") == [(54.0, 27)]
    for command in ("doctor", "coverage", "revisions list"):
        ran = forked(*command.split(), env=env)
        assert ran.code == 0, (command, ran)


@pytest.mark.skipif(
    os.geteuid() != 0 or not Path(PYTHON).exists(),
    reason="only root can become another account, and that needs an interpreter for all",
)
def test_an_account_without_rights() -> None:
    """It makes and uses a server of its own, and is told which file it may not read."""
    nobody = pwd.getpwnam("nobody")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        home = folder / "home"
        home.mkdir(mode=0o700)
        os.chown(home, nobody.pw_uid, nobody.pw_gid)
        bars(folder / "a.csv", 3).chmod(0o644)
        bars(folder / "b.csv", 4).chmod(0o600)

        env = environment(home, {"PYTHONPATH": f"{ROOT}:{sysconfig.get_path('purelib')}"})

        def run(*args: str) -> Ran:
            ran = subprocess.run(
                [PYTHON, "-m", "loader", *args], env=env, cwd=folder,
                capture_output=True, text=True, timeout=240, check=False,
                user=nobody.pw_uid, group=nobody.pw_gid, extra_groups=[],
            )  # fmt: skip
            return Ran(ran.returncode, ran.stdout, ran.stderr)

        ran = run("backfill", "a.csv", "b.csv", "--provider", "p", "--interval", "1m", "--json")
        assert ran.code == 3, ran.err
        assert "b.csv may not be read: permission denied" in ran.err
        assert ran.json()["rows_inserted"] == 3
        assert {path.stat().st_uid for path in next(home.glob("pg*")).iterdir()} == {nobody.pw_uid}
        assert run("db", "stop").code in (0, 2)
        for _ in range(100):
            if not list(home.glob("pg*/postmaster.pid")):
                break
            subprocess.run(["sleep", "0.1"], check=True)
        shutil.rmtree(home)


@pytest.mark.skipif(
    os.geteuid() != 0 or not Path(PYTHON).exists(),
    reason="only root can become another account, and that needs an interpreter for all",
)
def test_an_account_without_name_and_home() -> None:
    """As in containers that run as any number: what needs neither works, the rest says so."""
    uid = 54_321
    with pytest.raises(KeyError):
        pwd.getpwuid(uid)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        bars(folder / "a.csv", 3).chmod(0o644)
        home = folder / "home"
        home.mkdir()
        os.chown(home, uid, uid)
        env = environment(home, {"PYTHONPATH": f"{ROOT}:{sysconfig.get_path('purelib')}"})
        for variable in (
            "HOME",
            "MDLOAD_HOME",
            "XDG_CONFIG_HOME",
            "XDG_DATA_HOME",
            "USER",
            "LOGNAME",
        ):
            env.pop(variable, None)

        def run(*args: str, **more: str) -> Ran:
            ran = subprocess.run(
                [PYTHON, "-m", "loader", *args], env=env | more, cwd=folder, capture_output=True,
                text=True, timeout=240, check=False, user=uid, group=uid, extra_groups=[],
            )  # fmt: skip
            return Ran(ran.returncode, ran.stdout, ran.stderr)

        how = ("--provider", "p", "--interval", "1m")
        assert run("inspect", "a.csv", *how).code == 0
        load = ("backfill", "a.csv", *how)
        ran = run(*load)
        assert (ran.code, ran.err) == (
            2,
            "error: uid 54321 has no home directory for the embedded server\n"
            "hint: name a server with --database URL, or set HOME or MDLOAD_HOME\n",
        )
        assert run("doctor").code == 6
        ran = run(*load, MDLOAD_HOME=str(home))
        assert ran.code == 2
        assert "PostgreSQL needs an account with a name, and uid 54321 has none" in ran.err
        ran = run("--database", "postgresql://127.0.0.1:1/x", "coverage")
        assert ran.code == 5
        assert "this account has no name to connect by: put one into the URL" in ran.err
        assert not (folder / "~").exists()


def test_archives_in_archives(forked: Mdload, database_url: str, tmp_path: Path) -> None:
    """Like 42.zip: five times sixteen archives in each other, and petabytes at the bottom."""
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr("0.csv", bytes(64 << 20))
    for _ in range(5):
        outer = io.BytesIO()
        with zipfile.ZipFile(outer, "w", zipfile.ZIP_DEFLATED) as archive:
            for number in range(16):
                archive.writestr(f"lib {number}.zip", inner.getvalue())
        inner = outer
    path = tmp_path / "42.zip"
    path.write_bytes(inner.getvalue())
    env = {"MDLOAD_DATABASE_URL": database_url}
    ran = forked("backfill", path, "--provider", "p", "--interval", "1m", env=env)
    assert ran.code == 3
    assert "42.zip!lib 0.zip is not a table: it looks like a zip archive inside another" in ran.err
    assert "(and 15 other files likewise)" in ran.err
    assert fetch(database_url, "SELECT count(*) FROM bars_ohlcv") == [(0,)]

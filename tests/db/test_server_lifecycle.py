"""The embedded server starts for its first user and ends with its last, whatever befalls them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from loader.db.embedded import embedded, start, status, stop

USE_UNTIL_TOLD = """
import sys
from pathlib import Path
from loader.db.embedded import embedded
with embedded(Path(sys.argv[1])) as url:
    print(url, flush=True)
    sys.stdin.read()
"""


Ended = Callable[..., bool]


class Client:
    """Another process that uses the server in `home` until it has to end."""

    def __init__(self, home: Path, **popen: Any) -> None:
        command = [sys.executable, "-c", USE_UNTIL_TOLD, str(home)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self.process = subprocess.Popen(command, text=True, **pipes, **popen)

    def url(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline().strip()

    def finish(self) -> int:
        assert self.process.stdin
        self.process.stdin.close()
        return self.process.wait(60)

    def kill(self) -> None:
        self.process.kill()
        with self.process:
            pass


@pytest.fixture
def client() -> Iterator[Callable[..., Client]]:
    clients: list[Client] = []

    def begin(home: Path, **popen: Any) -> Client:
        clients.append(Client(home, **popen))
        return clients[-1]

    yield begin
    for each in clients:
        each.kill()


def ask(url: str, sql: str) -> Any:
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(sql.encode()).fetchone()
        return row and row[0]


def do(url: str, sql: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.encode())


def family(home: Path) -> set[int]:
    """Pids of the server that runs in `home` and of its children."""
    postmaster = status(home).pid
    assert postmaster
    found = {postmaster}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            if stat.read_text().rpartition(")")[2].split()[1] == str(postmaster):
                found.add(int(stat.parent.name))
        except (FileNotFoundError, ProcessLookupError):
            continue
    assert len(found) > 1 or not Path("/proc").exists()
    return found


def test_it_starts_cold_and_warm_and_keeps_what_was_stored(home: Path, ended: Ended) -> None:
    with embedded(home) as url:
        first = family(home)
        assert ask(url, "SELECT current_database()") == "mdload"
        do(url, "CREATE TABLE kept AS SELECT 42 AS n")
    assert ended(*first)
    assert not status(home).running
    with embedded(home) as url:
        second = family(home)
        assert ask(url, "SELECT n FROM kept") == 42
    assert ended(*second)


def test_it_is_safe_and_closed_to_others(warm: Path) -> None:
    with embedded(warm) as url:
        for setting, value in {
            "listen_addresses": "",
            "unix_socket_permissions": "0700",
            "fsync": "on",
            "full_page_writes": "on",
            "synchronous_commit": "on",
            "autovacuum": "on",
            "server_encoding": "UTF8",
            "TimeZone": "UTC",
        }.items():
            assert ask(url, f"SHOW {setting}") == value, setting
        assert ask(
            url, "SELECT array_agg(DISTINCT type || ' ' || auth_method) FROM pg_hba_file_rules"
        ) == ["host reject", "local trust"]
        data = status(warm).data_dir
        assert data
        assert data.stat().st_mode & 0o777 == 0o700
        assert (data / ".s.PGSQL.5432").is_socket()


def test_another_servers_variables_do_not_reach_it(
    warm: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPORT", "6543")
    monkeypatch.setenv("PGDATA", "/nonexistent")
    monkeypatch.setenv("PGUSER", "somebody")
    with embedded(warm) as url:
        assert ask(url, "SELECT current_user") == "postgres"


def test_two_at_once_share_one_server_until_the_last_ends(
    home: Path, client: Callable[..., Client], ended: Ended
) -> None:
    one, two = client(home), client(home)  # both find nothing there and want to make it
    assert one.url() == two.url() != ""
    pids = family(home)
    assert one.finish() == 0
    assert ask(status(home).url, "SELECT 1") == 1
    assert two.finish() == 0
    assert ended(*pids)


def test_within_one_process_too(warm: Path, ended: Ended) -> None:
    with embedded(warm) as url:
        with embedded(warm):
            pids = family(warm)
        assert ask(url, "SELECT 1") == 1
    assert ended(*pids)


def test_the_next_one_cleans_up_after_a_killed_one(
    warm: Path, client: Callable[..., Client], ended: Ended
) -> None:
    killed = client(warm)
    assert killed.url()
    pids = family(warm)
    killed.kill()
    assert status(warm).running
    with embedded(warm) as url:
        assert ask(url, "SELECT 1") == 1
    assert ended(*pids)


def test_it_recovers_after_the_server_was_killed(
    warm: Path, client: Callable[..., Client], ended: Ended
) -> None:
    other = client(warm)
    url = other.url()
    do(url, "CREATE TABLE kept AS SELECT 42 AS n")
    pids = family(warm)
    os.kill(status(warm).pid or 0, signal.SIGKILL)
    with embedded(warm) as url:
        assert ask(url, "SELECT n FROM kept") == 42
        pids |= family(warm)
    assert status(warm).running  # the other one, though its session is lost, still uses it
    assert other.finish() == 0
    assert ended(*pids)


def test_it_waits_for_a_session_that_outlives_the_killed_server(warm: Path, ended: Ended) -> None:
    with embedded(warm) as url, closing(psycopg.connect(url, autocommit=True)) as connection:
        # A sort of its own making looks at no queue by which it would hear of the server's death.
        connection.pgconn.send_query(b"SELECT count(*) FROM generate_series(1, 1e7::bigint)")
        connection.pgconn.flush()
        pids = family(warm)
        os.kill(status(warm).pid or 0, signal.SIGKILL)
        with embedded(warm) as again:
            assert ask(again, "SELECT 1") == 1
            pids |= family(warm)
    assert ended(*pids)


def test_a_recycled_pid_does_not_keep_it_from_starting(warm: Path, ended: Ended) -> None:
    with embedded(warm):
        data = status(warm).data_dir
        assert data
        lines = (data / "postmaster.pid").read_text().splitlines()
    lines[0] = str(os.getpid())  # as after a power cut: alive, and no server
    (data / "postmaster.pid").write_text("\n".join(lines))
    shutil.chown(data / "postmaster.pid", data.stat().st_uid, data.stat().st_gid)
    assert not status(warm).running
    assert not stop(warm)
    with embedded(warm) as url:
        pids = family(warm)
        assert ask(url, "SELECT 1") == 1
    assert ended(*pids)


def test_what_a_killed_one_left_half_made_is_removed(warm: Path) -> None:
    left = [warm / "pg18.new-killed", warm / "programs-18.6.new-killed"]
    for half in left:
        half.mkdir()
        (half / "PG_VERSION").touch()
    with embedded(warm) as url:
        assert ask(url, "SELECT 1") == 1
    assert not any(half.exists() for half in left)


def test_ctrl_c_ends_the_client_in_order_and_never_reaches_the_server(
    warm: Path, client: Callable[..., Client], ended: Ended
) -> None:
    interrupted = client(warm, start_new_session=True, stderr=subprocess.DEVNULL)
    other = client(warm)
    assert interrupted.url() == other.url()
    pids = family(warm)
    os.killpg(interrupted.process.pid, signal.SIGINT)
    assert interrupted.process.wait(60) != 0
    assert ask(status(warm).url, "SELECT 1") == 1
    postmaster = status(warm).pid or 0
    assert os.getsid(postmaster) not in (os.getsid(0), interrupted.process.pid)
    os.kill(other.process.pid, signal.SIGINT)
    other.process.wait(60)
    assert ended(*pids)


def test_a_pinned_server_stays_until_it_is_stopped(warm: Path, ended: Ended) -> None:
    url = start(warm)
    pids = family(warm)
    assert status(warm).pinned
    with embedded(warm) as same:
        assert same == url
    assert ask(url, "SELECT 1") == 1
    assert start(warm) == url
    assert stop(warm) is True
    assert ended(*pids)
    assert stop(warm) is False
    assert not status(warm).pinned


def test_a_stop_waits_for_those_who_use_it(
    warm: Path, client: Callable[..., Client], ended: Ended
) -> None:
    start(warm)
    user = client(warm)
    assert user.url()
    pids = family(warm)
    assert stop(warm) is False
    assert status(warm).running
    assert not status(warm).pinned
    assert user.finish() == 0
    assert ended(*pids)


def test_looking_makes_nothing(home: Path) -> None:
    absent = home / "absent"
    found = status(absent)
    assert (found.running, found.pid, found.data_dir, found.size_bytes) == (False, None, None, 0)
    assert stop(absent) is False
    assert not absent.exists()

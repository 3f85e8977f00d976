"""A real PostgreSQL per test process, a database per test, and the real executable."""

from __future__ import annotations

import importlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, settings

from loader.db.embedded import embedded, stop
from loader.read import memory
from tests.support.forked import EARLY, Forker, forking
from tests.support.sql import at

# What the tests load in this process has the threads and the buffers that it has in the command.
memory.arrange()
importlib.import_module("polars")
memory.settle()

ROOT = Path(__file__).parent.parent
SAMPLES = ROOT.parent / "shared" / "samples"

# No example is timed: what is slow on a busy machine is not wrong. Fixtures are there for all of a
# test's examples, and what an example writes it says for itself.
settings.register_profile(
    "untimed",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("untimed")

# A shell that runs the tests in the background ignores it, and each process they start would, too.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def samples() -> Path:
    """The folder of real vendor files, where the checkout has it beside it."""
    if not SAMPLES.is_dir():
        pytest.skip("../shared/samples is not here")
    return SAMPLES


#: Bytes that the servers of all test processes may need at a time.
_SERVERS = 8 << 30


def _in_memory() -> str | None:
    """A folder in memory with room for the servers, where there is one. A database has hundreds of
    files, and on a disk the tests spent a third of their time making and removing these."""
    folder = "/dev/shm"
    with suppress(OSError):
        if os.access(folder, os.W_OK) and shutil.disk_usage(folder).free >= _SERVERS:
            return folder
    return None


@contextmanager
def temporary_home(prefix: str = "mdload-") -> Iterator[Path]:
    """A home for an embedded server. Not pytest's tmp_path: as root the server runs under another
    account, which cannot enter that."""
    home = Path(tempfile.mkdtemp(prefix=prefix, dir=_in_memory()))
    home.chmod(0o755 if os.geteuid() == 0 else 0o700)
    try:
        yield home
    finally:
        try:
            stop(home)
        finally:
            shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def home() -> Iterator[Path]:
    """An empty MDLOAD_HOME. A server left running there is stopped."""
    with temporary_home() as path:
        yield path


@pytest.fixture
def ended() -> Callable[..., bool]:
    """Whether all of the given pids end soon. A process that nobody has reaped yet has ended."""

    def lives(pid: int) -> bool:
        try:
            os.kill(pid, 0)
            return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
        except (ProcessLookupError, FileNotFoundError):
            return False

    def ask(*pids: int) -> bool:
        for _ in range(500):
            if not any(lives(pid) for pid in pids):
                return True
            time.sleep(0.02)
        return False

    return ask


@pytest.fixture
def free_port() -> int:
    """A TCP port of this machine that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture(scope="session")
def made_home() -> Iterator[Path]:
    """A home with its data directory, for `warm` to copy."""
    with temporary_home() as path:
        with embedded(path):
            pass
        yield path


@pytest.fixture
def warm(home: Path, made_home: Path) -> Path:
    """`home`, with a data directory: saves the test its initdb."""
    subprocess.run(["cp", "-a", f"{made_home}/.", home], check=True)
    return home


#: URL of the maintenance database of a server with TimescaleDB, as a superuser. All tests
#: of the store then run there, on a hypertable.
TIMESCALE = os.environ.get("MDLOAD_TEST_TIMESCALE_URL")
needs_timescale = pytest.mark.skipif(
    not TIMESCALE, reason="MDLOAD_TEST_TIMESCALE_URL names no server with TimescaleDB"
)
#: URL of a database on the coordinator of a Citus cluster, as a superuser, that knows its workers.
#: Each test's own database is then on that cluster.
CITUS = os.environ.get("MDLOAD_TEST_CITUS_URL")
needs_citus = pytest.mark.skipif(
    not CITUS, reason="MDLOAD_TEST_CITUS_URL names no coordinator of a Citus cluster"
)


def not_on_citus(why: str) -> pytest.MarkDecorator:
    """Skips a test on a cluster, because of what docs/citus.md says of it."""
    return pytest.mark.skipif(bool(CITUS), reason=f"not on Citus: {why}")


def pieces_of(rows: int) -> int:
    """The --batch-rows with which a load reads that many at a time: on a cluster it reads twice
    as many, unless it commits in parts."""
    return rows // 2 if CITUS else rows


#: For tests of statements that a cluster never runs.
older_too = not_on_citus("for servers before PostgreSQL 18")
#: For tests that give the bars a trigger, a rule or a policy.
no_triggers = not_on_citus("it distributes no table with triggers")
#: For tests of a plain table.
plain_only = pytest.mark.skipif(bool(TIMESCALE or CITUS), reason="true of a plain table only")


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    """URL of the maintenance database of this test process's own server (MDLOAD_PG_BIN chooses
    other programs), or MDLOAD_TEST_TIMESCALE_URL."""
    if TIMESCALE:
        yield TIMESCALE
        return
    with temporary_home("mdload-tests-") as home, embedded(home) as url:
        # Nothing here has to outlive a power cut.
        yield hurried(url, "fsync", "synchronous_commit", "full_page_writes")


def hurried(url: str, *off: str) -> str:
    """The maintenance database of the server at `url`, with these settings off."""
    maintenance = at(url, "postgres")
    with psycopg.connect(maintenance, autocommit=True) as connection:
        for setting in off:
            connection.execute(f"ALTER SYSTEM SET {setting} = off")
        connection.execute("SELECT pg_reload_conf()")
    return maintenance


@contextmanager
def database(server_url: str, template: str = "template0") -> Iterator[str]:
    """URL of a new database, dropped at the end whoever is still connected to it."""
    name = f"t_{uuid.uuid4().hex}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        if TIMESCALE and template != "template0":  # whose workers keep it from being copied
            copied = template.partition(" ")[0]
            connection.execute(f"ALTER DATABASE {copied} ALLOW_CONNECTIONS false")
            connection.execute(
                "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = %s",
                [copied],
            )
        # The files are copied without the log of each page, in half of the time.
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
    try:
        yield at(server_url, name)
    finally:  # the server may have been restarted meanwhile
        with psycopg.connect(server_url, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def template(server_url: str) -> Iterator[str]:
    """Name of a database that was migrated to head once."""
    from loader.store import schema

    with database(server_url) as url:
        name = url.split("?")[0].split("/")[-1]
        if TIMESCALE:
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute("CREATE EXTENSION timescaledb")
        schema.upgrade(url)
        if TIMESCALE:
            with psycopg.connect(url, autocommit=True) as connection:  # a test says when
                connection.execute(
                    "SELECT alter_job(job_id, scheduled => false)"
                    " FROM timescaledb_information.jobs WHERE hypertable_name = 'bars_ohlcv'"
                )
        yield name


def compress(url: str) -> None:
    """Compresses all bars, where they are in a hypertable; nothing elsewhere."""
    if TIMESCALE:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("SELECT compress_chunk(c, true) FROM show_chunks('bars_ohlcv') AS c")


@pytest.fixture
def empty_url(server_url: str) -> Iterator[str]:
    """URL of an empty database, this test's own."""
    with database(server_url) as url:
        yield url


@pytest.fixture
def one_url(server_url: str, template: str) -> Iterator[str]:
    """URL of a migrated database without rows, this test's own, on one server."""
    with database(server_url, template) as url:
        yield url


@pytest.fixture(scope="session")
def cluster_template() -> Iterator[str]:
    """Name of a database on the cluster that was migrated, and its bars distributed, once."""
    from tests.store.citus.cluster import template

    with template() as name:
        yield name


@pytest.fixture(scope="session")
def fresh(request: pytest.FixtureRequest) -> Callable[[], AbstractContextManager[str]]:
    """Makes migrated databases without rows, which are dropped at the end of the block: on the
    cluster, with their bars distributed, where MDLOAD_TEST_CITUS_URL is set."""
    if CITUS:
        from tests.store.citus.cluster import copied

        return partial(copied, request.getfixturevalue("cluster_template"))
    names = (request.getfixturevalue(name) for name in ("server_url", "template"))
    return partial(database, *names)


@pytest.fixture
def database_url(fresh: Callable[[], AbstractContextManager[str]]) -> Iterator[str]:
    """URL of a database of `fresh`, this test's own."""
    with fresh() as url:
        yield url


@pytest.fixture(scope="module")
def module_url(fresh: Callable[[], AbstractContextManager[str]]) -> Iterator[str]:
    """URL of a database of `fresh` that the tests of a module share."""
    with fresh() as url:
        yield url


@pytest.fixture
def emptied_url(module_url: str) -> str:
    """`module_url`, with nothing loaded yet."""
    with psycopg.connect(module_url, autocommit=True) as connection:
        connection.execute("TRUNCATE bars_ohlcv, bars_ohlcv_revisions, bars_loads, bars_rejected, "
                           "provider_symbols, job_run_files, job_runs CASCADE")  # fmt: skip
    return module_url


@pytest.fixture(scope="session")
def partitioned_template(server_url: str) -> Iterator[str]:
    """As `template`, with bars in a table that PostgreSQL itself partitions by time."""
    from loader.store import schema
    from tests.support.partitions import PARTITIONED

    with database(server_url) as url:
        schema.upgrade(url, "0002")
        with psycopg.connect(url, autocommit=True) as connection:
            for statement in PARTITIONED:
                connection.execute(statement.encode())
        schema.upgrade(url)
        yield url.split("?")[0].split("/")[-1]


@pytest.fixture(params=["one table", "partitions"])
def either_url(request: pytest.FixtureRequest, server_url: str) -> Iterator[str]:
    """As `database_url`: once with one table of bars, and once with partitions."""
    if request.param == "one table":
        yield request.getfixturevalue("database_url")
        return
    if TIMESCALE:
        pytest.skip("a hypertable has partitions of its own")
    if CITUS:
        pytest.skip("not on Citus: mdload refuses a partitioned table there")
    with database(server_url, request.getfixturevalue("partitioned_template")) as url:
        yield url


@dataclass(frozen=True)
class Ran:
    """What a command left behind."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)


def environment(home: Path, env: dict[str, str] | None = None) -> dict[str, str]:
    """Ours without anything that names a database or configures mdload, and with `env`."""
    foreign = ("PG", "MDLOAD_", "DATABASE_URL")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(foreign)}
    if chosen := os.environ.get("MDLOAD_PG_BIN"):
        kept["MDLOAD_PG_BIN"] = chosen
    ours = {"MDLOAD_HOME": str(home), "XDG_CONFIG_HOME": str(home / "no-config")}
    plain = {"NO_COLOR": "1", "COLUMNS": "120"}
    plain |= {"MDLOAD_REMOTE_RETRIES": "1", "MDLOAD_OUTAGE_SECONDS": "0"}
    return kept | ours | plain | (env or {})


@pytest.fixture(scope="session")
def forker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forker]:
    """Runs commands in processes that have done their imports."""
    with forking(environment(tmp_path_factory.mktemp("nothing"))) as found:
        yield found


Start = Callable[
    [list[str], dict[str, str], Path, bytes, float], subprocess.CompletedProcess[bytes]
]


def commands(home: Path, folder: Path, start: Start) -> Callable[..., Ran]:
    """Runs commands by `start`, in `folder` by default."""

    def run(
        *args: str | Path,
        env: dict[str, str] | None = None,
        stdin: str | bytes = b"",
        cwd: Path | None = None,
        timeout: float = 120,
    ) -> Ran:
        data = stdin.encode() if isinstance(stdin, str) else stdin
        ended = start([*map(str, args)], environment(home, env), cwd or folder, data, timeout)
        return Ran(ended.returncode, ended.stdout.decode(), ended.stderr.decode())

    return run


@pytest.fixture
def forked(home: Path, tmp_path: Path, forker: Forker) -> Callable[..., Ran]:
    """As `mdload`, in less time. For tests of many commands, and of what they print and do; how a
    process begins, what it imports and its signals are tested with `mdload`."""

    def start(
        args: list[str], env: dict[str, str], cwd: Path, stdin: bytes, timeout: float
    ) -> subprocess.CompletedProcess[bytes]:
        early, plain = (
            {name: value for name, value in each.items() if name.startswith(EARLY)}
            for each in (env, environment(home))
        )
        assert early == plain, "use mdload: these are read when a process begins"
        return forker.run(args, env, cwd, stdin, timeout)

    return commands(home, tmp_path, start)


@pytest.fixture
def mdload(home: Path, tmp_path: Path) -> Callable[..., Ran]:
    """Runs the real executable: `mdload("db", "status", env={…}, stdin=b"…", cwd=…)`.

    Its embedded server lives in the fixture `home`; its folder is `tmp_path` by default.
    """

    def start(
        args: list[str], env: dict[str, str], cwd: Path, stdin: bytes, timeout: float
    ) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [sys.executable, "-m", "loader", *args], input=stdin, env=env, cwd=cwd,
            capture_output=True, timeout=timeout, check=False,
        )  # fmt: skip

    return commands(home, tmp_path, start)

"""Files loaded by other processes: of this machine, and of a Dask cluster that loses workers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread, Timer
from types import SimpleNamespace
from typing import Any, cast

import psycopg
import pytest
from distributed import Client

from loader.errors import SettingsError
from loader.ingest.run import LoadRun
from loader.ingest.ways.chosen import load
from loader.ingest.ways.processes.brief import Brief
from loader.ingest.ways.workers.brief import Briefed
from loader.ingest.ways.workers.spread import Spread
from loader.ingest.ways.workers.task import Outcome, _State
from loader.read.sources import Source, find
from loader.results import Counts, FileResult
from loader.results.events import Event, FileDone, FileStarted, RowsDone
from loader.settings import Place, Settings
from loader.settings.place import read
from loader.store.runs import JobRunTracker
from loader.store.runs.fingerprint import compute_config_fingerprint
from tests.conftest import Ran, environment
from tests.support.dask_cluster import Cluster, dask_cluster
from tests.support.sql import WAITING, WAITING_FOR_BARS, fetch
from tests.support.stores import s3_server

Mdload = Callable[..., Ran]
FILES, ROWS = 24, 50
#: Parts of the environment that name no secret: the workers' own.
CLEAN = {k: v for k, v in os.environ.items() if not k.startswith(("PG", "MDLOAD_", "AWS_"))}


def csv(n: int) -> str:
    lines = [f"2024-01-02T14:{minute:02}:00Z,S{n:03},1,99,0.5,{n + minute / 100 + 1}"
             for minute in range(ROWS)]  # fmt: skip
    return "\n".join(["ts,symbol,open,high,low,close", *lines, ""])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "dumps"
    made.mkdir()
    for n in range(FILES):
        (made / f"{n:03}.csv").write_text(csv(n))
    return made


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with dask_cluster(tmp_path, CLEAN, workers=3) as started:
        yield started


def check_each_file_once(url: str, run_id: int) -> None:
    """One run, one row of the ledger for each file, and every bar as its file has it."""
    assert fetch(url, "SELECT count(*), count(DISTINCT path), sum(rows_inserted) FROM job_run_files"
                      " WHERE run_id = %s AND state = 'loaded'", run_id) == [
        (FILES, FILES, FILES * ROWS)
    ]  # fmt: skip
    assert fetch(url, "SELECT count(*) FROM job_run_files") == [(FILES,)]
    stored = fetch(url, "SELECT symbol, count(*), sum(close)::float FROM bars_ohlcv"
                        " GROUP BY symbol ORDER BY symbol")  # fmt: skip
    assert stored == [
        # The sum of n + 1 + minute / 100 over fifty minutes.
        (f"S{n:03}", ROWS, pytest.approx(ROWS * (n + 1) + 12.25)) for n in range(FILES)
    ]  # fmt: skip
    assert fetch(url, "SELECT count(*) FROM bars_ohlcv_revisions") == [(0,)]
    assert fetch(url, "SELECT status, rows_read, rows_inserted FROM job_runs") == [
        ("success", FILES * ROWS, FILES * ROWS)
    ]


@contextmanager
def held(url: str) -> Iterator[None]:
    """Nobody writes bars meanwhile: files wait in the middle of their transactions."""
    with psycopg.connect(url) as connection:
        connection.execute("LOCK TABLE bars_ohlcv IN EXCLUSIVE MODE")
        yield


def wait_for_waiting(url: str, count: int, loading: Loading) -> None:
    """Until `count` files wait to be written."""
    for _ in range(600):
        assert loading.process.poll() is None, loading.ended().err
        waiting = len(fetch(url, WAITING_FOR_BARS))
        if waiting >= count:
            return
        time.sleep(0.1)
    raise AssertionError(f"{waiting} of {count} sessions wait")


class Loading:
    """`mdload backfill`, begun and not waited for."""

    def __init__(self, home: Path, url: str, *words: str | Path, **env: str) -> None:
        command = ["--database", url, "backfill", *map(str, words), "--provider", "p",
                   "--interval", "1m", "--stamp", "start", "--json"]  # fmt: skip
        self.process = subprocess.Popen(
            [sys.executable, "-m", "loader", *command],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(home, env),
        )  # fmt: skip

    def ended(self) -> Ran:
        out, err = self.process.communicate(timeout=120)
        return Ran(self.process.returncode, out.decode(), err.decode())


@pytest.mark.parametrize(
    ("text", "place", "shown"),
    [
        ("local:8", Place(processes=8), "local:8"),
        ("dask://scheduler:8786", Place(scheduler="tcp://scheduler:8786"), "dask://scheduler:8786"),
        ("tls://10.0.0.7:8786/", Place(scheduler="tls://10.0.0.7:8786"), "tls://10.0.0.7:8786"),
    ],
)
def test_places(text: str, place: Place, shown: str) -> None:
    assert (read(text), str(read(text))) == (place, shown)


@pytest.mark.parametrize(
    "text", ["local", "local:0", "local:65", "dask://scheduler", "dask://me:pw@scheduler:8786", "8"]
)
def test_places_that_there_are_not(text: str) -> None:
    with pytest.raises(SettingsError):
        read(text)


def test_processes_of_this_machine(mdload: Mdload, database_url: str, folder: Path) -> None:
    """The same as one process; then again; and what a person sees of it."""
    command = ("--database", database_url, "backfill", folder, "--provider", "p", "--interval",
               "1m", "--stamp", "start", "--on", "local:2")  # fmt: skip
    dry = mdload(*command, "--dry-run", "--json")
    assert (dry.code, dry.json()["rows_inserted"], dry.json()["run_id"]) == (0, FILES * ROWS, None)
    ran = mdload(*command, "--json")
    assert ran.code == 0, ran.err
    assert [Path(f["path"]).name for f in ran.json()["files"]] == [
        f"{n:03}.csv" for n in range(FILES)
    ]
    check_each_file_once(database_url, ran.json()["run_id"])
    again = mdload(*command)
    assert again.code == 0
    assert "nothing new: loaded already by run" in again.err
    assert "Traceback" not in ran.err + again.err


def test_what_a_worker_says_of_a_file_comes_between_its_first_event_and_its_last() -> None:
    """Whenever it comes: what is heard on the way overtakes, and is overtaken by, the results."""
    heard: list[Event] = []
    run = cast(LoadRun, SimpleNamespace(emit=heard.append, upkeep=None))
    source = cast(Source, SimpleNamespace(name="a.csv", size_bytes=100))
    spread = Spread(cast(Any, None), Place(processes=2))
    spread.show(run, source, 5, 50)
    result = FileResult("a.csv", "loaded", Counts(10), size_bytes=100)
    outcome = Outcome((result,), ((FileStarted("a.csv", 100), FileDone(result)),), ())
    future = SimpleNamespace(status="finished", result=lambda: outcome)
    assert spread._results(run, [source], cast(Any, future)) == [result]
    spread.show(run, source, 8, 80)
    assert heard == [
        FileStarted("a.csv", 100), RowsDone("a.csv", 5, 50), RowsDone("a.csv", 5, 50),
        FileDone(result),
    ]  # fmt: skip


def test_a_result_that_dies_with_its_worker_is_waited_for() -> None:
    """Dask tells that the task has ended, then that its result is lost, and runs it again."""
    heard: list[Event] = []
    run = cast(LoadRun, SimpleNamespace(emit=heard.append, upkeep=None))
    result = FileResult("a.csv", "loaded", Counts(10), size_bytes=100)
    future = SimpleNamespace(
        status="lost",
        result=lambda: Outcome((result,), ((FileStarted("a.csv", 100), FileDone(result)),), ()),
    )

    def run_again() -> None:
        future.status = "finished"

    future.exception = run_again
    spread = Spread(cast(Any, None), Place(processes=2))
    source = cast(Source, SimpleNamespace(name="a.csv", size_bytes=100))
    assert spread._results(run, [source], cast(Any, future)) == [result]
    assert heard[-1] == FileDone(result)


def test_a_file_that_cannot_be_loaded_is_one_error(
    forked: Mdload, database_url: str, folder: Path
) -> None:
    (folder / "001.csv").write_text(
        "ts,symbol,open,high,low,close\n2024-01-02T14:30:00Z,X,9,1,0,1\n"
    )
    ran = forked("--database", database_url, "backfill", folder, "--provider", "p", "--interval",
                 "1m", "--on", "local:2", "--json")  # fmt: skip
    assert ran.code == 4
    states = {Path(f["path"]).name: f["state"] for f in ran.json()["files"]}
    assert (states.pop("001.csv"), set(states.values())) == ("refused", {"loaded"})
    assert ran.err.count("error:") == 1


def test_workers_of_a_cluster_that_die(
    home: Path, database_url: str, folder: Path, cluster: Cluster
) -> None:
    """One is killed in the middle of its transaction, one later on; a new one comes."""
    with held(database_url):
        loading = Loading(home, database_url, folder, "--on", cluster.place)
        wait_for_waiting(database_url, 3, loading)
        cluster.workers[0].kill()
        cluster.start_worker()
        time.sleep(0.5)
    time.sleep(0.3)
    cluster.workers[1].kill()
    ran = loading.ended()
    assert ran.code == 0, ran.err
    check_each_file_once(database_url, ran.json()["run_id"])
    assert {f["state"] for f in ran.json()["files"]} == {"loaded"}
    assert ran.json()["rows_inserted"] == FILES * ROWS


@pytest.mark.parametrize("step", ["register_plugin", "run"])
def test_a_worker_that_dies_before_the_first_file(
    database_url: str, folder: Path, cluster: Cluster, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """It is asked with the others, hangs, and is dead before it has answered."""
    asked = getattr(Client, step)
    hanging = cluster.workers[0]
    timer = Timer(2, hanging.kill)

    def ask(*args: Any, **named: Any) -> Any:
        monkeypatch.setattr(Client, step, asked)
        hanging.send_signal(signal.SIGSTOP)
        timer.start()
        return asked(*args, **named)

    monkeypatch.setattr(Client, step, ask)
    settings = Settings(provider="p", interval="1m", stamp="start", on=read(cluster.place))
    with find([str(folder)]) as sources:
        result = load(settings, database_url, sources)
    timer.join()
    assert hanging.wait(timeout=60) != 0  # killed, which takes a moment
    assert result.status == "success"
    check_each_file_once(database_url, result.run_id)


def test_a_worker_that_is_stopped_leaves_its_file_to_another(
    home: Path, database_url: str, folder: Path, cluster: Cluster
) -> None:
    with held(database_url):
        loading = Loading(home, database_url, folder, "--on", cluster.place)
        wait_for_waiting(database_url, 3, loading)
        cluster.workers[0].terminate()
        cluster.workers[0].wait(timeout=60)
    ran = loading.ended()
    assert ran.code == 0, ran.err
    check_each_file_once(database_url, ran.json()["run_id"])


def children(pid: int) -> list[int]:
    """The workers that a load has started."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
            if parent == pid and b"spawn_main" in stat.with_name("cmdline").read_bytes():
                found.append(int(stat.parent.name))
    return found


def test_a_process_that_dask_gives_up_is_started_again(
    home: Path, database_url: str, folder: Path
) -> None:
    """Dask does so where a worker is not back after 15 seconds; here, at once."""
    soon = {"DASK_DISTRIBUTED__DEPLOY__LOST_WORKER_TIMEOUT": "1ms"}
    with held(database_url):
        loading = Loading(home, database_url, folder, "--on", "local:1", **soon)
        wait_for_waiting(database_url, 1, loading)
        (worker,) = children(loading.process.pid)
        os.kill(worker, signal.SIGKILL)
    ran = loading.ended()
    assert ran.code == 0, ran.err
    check_each_file_once(database_url, ran.json()["run_id"])


def test_a_process_that_dies_while_it_starts(home: Path, database_url: str, folder: Path) -> None:
    loading = Loading(home, database_url, folder, "--on", "local:2")
    for _ in range(3_000):
        if starting := children(loading.process.pid):
            break
        time.sleep(0.01)
    os.kill(starting[0], signal.SIGKILL)
    ran = loading.ended()
    assert ran.code == 0, ran.err
    check_each_file_once(database_url, ran.json()["run_id"])


def test_objects_and_secrets(home: Path, database_url: str, cluster: Cluster) -> None:
    """Workers without credentials of their own load from a bucket; nothing that Dask shows or logs
    has a secret, and nothing is left of the load when it ends."""
    secret = "hunter2hunter2"
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS spread")
        connection.execute(f"CREATE ROLE spread SUPERUSER LOGIN PASSWORD '{secret}'".encode())
    url = database_url.replace("://postgres@", f"://spread:{secret}@", 1)
    with s3_server() as s3:
        for n in range(FILES):
            s3.put(f"dumps/{n:03}.csv", csv(n).encode())
        keys = [secret, *(v for k, v in s3.environment.items() if "KEY" in k or "TOKEN" in k)]
        with held(database_url):
            loading = Loading(home, url, "s3://bars/dumps/**", "--on", cluster.place,
                              **s3.environment)  # fmt: skip
            wait_for_waiting(database_url, 3, loading)
            seen = looked_at(cluster)
        ran = loading.ended()
    assert ran.code == 0, ran.err
    check_each_file_once(database_url, ran.json()["run_id"])
    assert seen["tasks"]
    assert seen["plugins"] == 1
    logs = "".join(path.read_text() for path in cluster.outputs)
    for shown in (json.dumps(seen), logs, ran.out, ran.err):
        assert not [key for key in keys if key in shown]
    after = looked_at(cluster)
    assert (after["tasks"], after["plugins"]) == ([], 0)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("DROP ROLE spread")


#: All that Dask knows of the tasks, and what its scheduler's pages are made of.
LOOK = """
import json, sys
from distributed import Client
def look(dask_scheduler):
    of = dask_scheduler
    return {
        "tasks": sorted(str(key) for key in of.tasks),
        "specs": [repr((t.run_spec, bytes(getattr(t.run_spec, "function", b"") or b"")
                  if not callable(getattr(t.run_spec, "function", None)) else "", t.annotations,
                  t.prefix.name, t.group_key)) for t in of.tasks.values()],
        "pickled": [__import__("cloudpickle").dumps(t.run_spec).decode("latin-1")
                    for t in of.tasks.values()],
        "events": repr({name: list(topic.events) for name, topic in of._broker._topics.items()}),
        "identity": repr(of.identity()),
        "plugins": len([name for name in of.worker_plugins if name.startswith("mdload")]),
        "names": repr(list(of.worker_plugins)),
        "log": repr(list(of.transition_log)[:200]),
    }
with Client(sys.argv[1], set_as_default=False) as client:
    stacks = repr(client.call_stack()) if len(sys.argv) > 2 else ""
    print(json.dumps({**client.run_on_scheduler(look), "stacks": stacks}))
"""


def looked_at(cluster: Cluster) -> dict[str, Any]:
    ran = subprocess.run([sys.executable, "-c", LOOK, f"tcp://{cluster.address}"], check=False,
                         capture_output=True, text=True, timeout=60, env=CLEAN)  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    seen: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    pages = ["/json/identity.json", "/json/counts.json", "/metrics", "/info/main/workers.html",
             *(f"/info/task/{key}.html" for key in seen["tasks"][:5])]  # fmt: skip
    seen["pages"] = [page(cluster, path) for path in pages]
    return seen


def page(cluster: Cluster, path: str) -> str:
    try:
        with urllib.request.urlopen(f"http://{cluster.pages}{path}", timeout=20) as answer:
            text: str = answer.read().decode()
            return text
    except urllib.error.HTTPError as error:
        return error.read().decode()


def test_ctrl_c(home: Path, database_url: str, folder: Path, cluster: Cluster) -> None:
    """The workers stop, and serve the next load, which goes on."""
    with held(database_url):
        loading = Loading(home, database_url, folder, "--on", cluster.place)
        wait_for_waiting(database_url, 3, loading)
        loading.process.send_signal(signal.SIGINT)
        ran = loading.ended()
        assert ran.code == 130, ran.err
        for _ in range(300):
            if fetch(database_url, WAITING) == []:
                break
            time.sleep(0.1)
        else:
            raise AssertionError("a worker goes on")
    assert fetch(database_url, "SELECT status FROM job_runs") == [("cancelled",)]
    assert fetch(database_url, "SELECT count(*) FROM bars_ohlcv") == [(0,)]
    next_one = Loading(home, database_url, folder, "--on", cluster.place).ended()
    assert next_one.code == 0, next_one.err
    assert next_one.json()["rows_inserted"] == FILES * ROWS


def test_what_cannot_be(forked: Mdload, database_url: str, folder: Path, tmp_path: Path) -> None:
    """Nobody there; no workers; other versions; what only this process can read."""

    def load(*words: str | Path) -> Ran:
        return forked("--database", database_url, "backfill", "--provider", "p", "--interval", "1m",
                      *words, stdin="x")  # fmt: skip

    nobody = load(folder, "--on", "dask://127.0.0.1:9")
    assert nobody.code == 2
    assert "--on dask://127.0.0.1:9: no Dask scheduler answers there" in nobody.err
    dated = load(folder, "--on", "local:2", "--known-at-from", "mtime")
    assert (
        dated.code,
        "--on has no meaning for files in the order of their dates" in dated.err,
    ) == (2, True)
    with dask_cluster(tmp_path, CLEAN, workers=1) as started:
        piped = load("-", "--on", started.place)
        assert piped.code == 2
        assert "--on cannot load stdin, which can be read once, and only here" in piped.err
    old = tmp_path / "old" / "mdload-0.0.7.dist-info"
    old.mkdir(parents=True)
    (old / "METADATA").write_text("Metadata-Version: 2.1\nName: mdload\nVersion: 0.0.7\n")
    with dask_cluster(tmp_path, CLEAN, workers=0) as started:
        started.start_worker(PYTHONPATH=str(old.parent))
        other = load(folder, "--on", started.place)
    assert other.code == 2
    assert "has mdload 0.0.7, and this machine mdload " in other.err
    assert other.err.count("\n") <= 2
    assert fetch(database_url, "SELECT count(*) FROM bars_ohlcv") == [(0,)]


def test_a_file_that_fails_twice_has_one_row(
    forked: Mdload, database_url: str, folder: Path
) -> None:
    """Its worker may end between the failure and its answer: then it fails in another one."""
    (folder / "001.csv").write_text("ts,symbol,open,high,low\n2024-01-02T14:30:00Z,X,1,1,1\n")
    with _states(database_url, [str(folder / "001.csv")], 2) as states:
        outcomes = [state.load(range(1)).results[0] for state in states]
        assert {(each.state, each.file_id) for each in outcomes} == {("failed", None)}
        assert fetch(database_url, "SELECT count(*) FROM job_run_files") == [(0,)]
    ran = forked("--database", database_url, "backfill", folder, "--provider", "p", "--interval",
                 "1m", "--stamp", "start", "--on", "local:2", "--json")  # fmt: skip
    assert ran.code == 3, ran.err
    (failed,) = [f for f in ran.json()["files"] if f["state"] == "failed"]
    recorded = fetch(database_url, "SELECT error_message FROM job_run_files WHERE state = 'failed'")
    assert recorded == [(failed["error"],)]
    assert fetch(database_url, "SELECT count(*) FROM job_run_files") == [(FILES,)]


def test_a_task_that_runs_twice_loads_once(database_url: str, folder: Path) -> None:
    """At once, and after it has ended: both have the result of the first."""
    twin = folder / "twin.csv"
    twin.write_text(csv(0))
    with _states(database_url, [str(folder / "000.csv"), str(twin)], 3) as states:
        paths = [source.name for source in states[0]._briefed.sources]
        got: list[FileResult] = []
        numbers = (0, 0, 1)
        threads = [Thread(target=lambda s=s, n=n: got.extend(s.load(range(n, n + 1)).results))
                   for s, n in zip(states, numbers, strict=True)]  # fmt: skip
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        (late,) = states[0].load(range(1)).results
    of = {name: [result for result in got if result.path == name] for name in paths}
    first, again = of[paths[0]]
    (other,) = of[paths[1]]
    counts = sorted((r.state, r.counts.inserted) for r in (first, other))
    assert counts == [("known", 0), ("loaded", ROWS)]
    for result in (again, late):
        assert (result.state, result.counts, result.file_id) == (
            first.state, first.counts, first.file_id,
        )  # fmt: skip
    assert (late.symbols, late.min_ts) == (first.symbols, first.min_ts)
    assert fetch(database_url, "SELECT count(*), sum(rows_inserted) FROM job_run_files") == [
        (2, ROWS)
    ]
    assert fetch(database_url, "SELECT rows_inserted FROM job_runs") == [(ROWS,)]


@contextmanager
def _states(url: str, paths: list[str], count: int) -> Iterator[list[_State]]:
    """A run of these files, as that many workers have it."""

    class Worker:
        def log_event(self, topic: str, said: object) -> None: ...

    settings = Settings(provider="p", interval="1m", stamp="start")
    with (
        find(paths) as sources,
        JobRunTracker(url, metrics=None) as tracker,
        tracker.run("backfill", None, "p", "backfill") as record,
    ):
        full = {source.name: source.full_path for source in sources}
        brief = Brief(url, settings, record.id,
                      compute_config_fingerprint(settings.fingerprinted), full, {},
                      False, False, None)  # fmt: skip
        assert "postgres" not in repr(brief)
        briefed = (Briefed("mdload-x", brief, tuple(sources), {}) for _ in range(count))
        states = [_State(each, cast(Any, Worker())) for each in briefed]
        yield states
        for state in states:
            state.close()

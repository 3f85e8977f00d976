"""Small files that Dask's workers load together, and what becomes of them if a worker ends in the
middle."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from distributed import Client, Reschedule

from loader.errors import MdloadError
from loader.ingest.pipeline import load
from loader.ingest.ways import chosen
from loader.ingest.ways.processes.ahead import SMALL
from loader.ingest.ways.workers import task
from loader.ingest.ways.workers.given import shared_out
from loader.ingest.ways.workers.spread import Spread
from loader.ingest.ways.workers.task import _State
from loader.read.sources import find
from loader.results import FileResult, LoadResult
from loader.results import events as told_events
from loader.results.events import FileDone, FileNote
from loader.settings import Place, Settings
from loader.settings.place import read
from tests.conftest import CITUS, database
from tests.ingest.test_workers import Loading, _states, cluster, held
from tests.support.both_ways import Way, check_same, frame, of_all_kinds, symbol, written
from tests.support.dask_cluster import Cluster
from tests.support.sql import WAITING, fetch, wait_for

pytestmark = pytest.mark.skipif(CITUS, reason="not on Citus: files load one by one there")
__all__ = ["cluster"]
FILES, ROWS = 200, 12
#: The sessions that write a file of several, and wait for another writer.
BOOKING = (
    "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
    " AND wait_event_type = 'Lock' AND query LIKE '%WITH given AS MATERIALIZED%'"
)
LOCKS = "SELECT pid, count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted GROUP BY pid"


class Workers(Way):
    """Two processes of this machine, as Dask's workers."""

    def load(self, files: Sequence[str], **settings: Any) -> LoadResult:
        self.events.clear()
        with find(files) as sources:
            options = Settings(on=read("local:2"), **settings)
            return chosen.load(options, self.url, sources, [self.events.append])


def made(folder: Path, files: int = FILES) -> list[str]:
    folder.mkdir(exist_ok=True)
    return [written(folder, n, frame(symbol(n))) for n in range(files)]


def check_each_file_once(url: str, files: int = FILES) -> None:
    """One row of the ledger for each file, its bars as they are in it, and none twice."""
    assert fetch(url, "SELECT count(*), count(DISTINCT path), sum(rows_inserted) FROM job_run_files"
                      " WHERE state = 'loaded'") == [(files, files, files * ROWS)]  # fmt: skip
    stored = fetch(url, "SELECT symbol, count(*), sum(close)::float FROM bars_ohlcv GROUP BY 1")
    # Closes of 1.25, 1.26, … for twelve rows.
    assert sorted(stored) == [(symbol(n), ROWS, pytest.approx(15.66)) for n in range(files)]
    assert fetch(url, "SELECT count(*) FROM bars_ohlcv_revisions") == [(0,)]
    assert fetch(url, "SELECT count(*), count(DISTINCT file_id) FROM bars_loads") == [
        (files, files)
    ]


def told(way: Way) -> dict[str, Counter[str]]:
    """What was told of each file, without the bytes of its progress."""
    return {path: +(words - Counter({"bytes": words["bytes"]}))
            for path, words in way.told().items()}  # fmt: skip


def were_together(url: str) -> int:
    """How many of the files were loaded together with others: these begin at the same moment."""
    moments = fetch(url, "SELECT count(*) FROM job_run_files WHERE state = 'loaded'"
                         " GROUP BY started_at HAVING count(*) > 1")  # fmt: skip
    return sum(files for (files,) in moments)


def test_many_small_files_come_out_as_from_one_worker(
    server_url: str, template: str, database_url: str, tmp_path: Path
) -> None:
    """Plain and odd ones, text and an empty one; then all of them again."""
    plain, odd, text = of_all_kinds(tmp_path, 60)
    files = [*plain, *odd[:25], *text, *odd[25:]]
    with database(server_url, template) as other:
        one, two = Way(other), Workers(database_url)
        first, second = one.load(files), two.load(files)
        check_same(one, first, two, second)
        assert told(two) == told(one)
    assert were_together(database_url) > 30
    again = two.load(files)
    known = [file for file in again.files if file.state == "known"]
    assert len(known) == sum(file.state == "loaded" for file in first.files)
    assert again.counts.inserted == 0


def test_a_worker_that_is_killed_in_the_middle_of_its_files(
    home: Path, database_url: str, tmp_path: Path, cluster: Cluster
) -> None:
    """The server still commits what the dead worker sent last: another worker waits for that, and
    goes on behind it."""
    made(tmp_path / "dumps")
    loading = Loading(home, database_url, tmp_path / "dumps", "--on", cluster.place)
    wait_for(database_url, "SELECT 1 FROM job_run_files OFFSET 20")
    with held(database_url):
        for _ in range(600):
            assert loading.process.poll() is None, loading.ended().err
            if len(fetch(database_url, BOOKING)) == 3:
                break
            time.sleep(0.1)
        else:
            raise AssertionError("not all are in the middle of several files")
        booking = {pid for (pid,) in fetch(database_url, BOOKING)}
        holding = fetch(database_url, LOCKS)
        assert booking <= {pid for pid, locks in holding if locks > 1}
        before = fetch(database_url, "SELECT count(*) FROM job_run_files")
        for worker in cluster.workers:
            worker.kill()
        cluster.start_worker()
        for _ in range(1200):
            if {pid for (pid,) in fetch(database_url, WAITING)} - booking:
                break
            time.sleep(0.1)
        else:
            raise AssertionError("the new worker does not wait")
        assert fetch(database_url, "SELECT count(*) FROM job_run_files") == before
    ran = loading.ended()
    assert ran.code == 0, ran.err
    assert {file["state"] for file in ran.json()["files"]} == {"loaded"}
    assert (ran.json()["rows_inserted"], ran.json()["rows_unchanged"]) == (FILES * ROWS, 0)
    check_each_file_once(database_url)
    assert fetch(database_url, "SELECT rows_read, rows_inserted FROM job_runs") == [
        (FILES * ROWS, FILES * ROWS)
    ]


KILLER = """
import os, signal

def dask_setup(worker):
    from loader.ingest import attempts
    from loader.ingest.run import hashed
    real = hashed.content_hash
    def content_hash(source, *rest):
        if source.name.endswith("000.parquet"):
            os.kill(os.getpid(), signal.SIGKILL)
        return real(source, *rest)
    attempts.content_hash = hashed.content_hash = content_hash
"""


def test_a_file_that_always_ends_its_worker_fails_alone(
    home: Path, database_url: str, tmp_path: Path
) -> None:
    """Also those that Dask gives to the same worker each time, behind it, are loaded."""
    files = 40
    made(tmp_path / "dumps", files)
    preload = tmp_path / "killer.py"
    preload.write_text(KILLER)
    loading = Loading(
        home, database_url, tmp_path / "dumps", "--on", "local:1",
        DASK_DISTRIBUTED__WORKER__PRELOAD=f"['{preload}']",
        DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES="2",
        DASK_DISTRIBUTED__DEPLOY__LOST_WORKER_TIMEOUT="600s",
    )  # fmt: skip
    ran = loading.ended()
    assert (ran.code, bool(ran.out)) == (MdloadError.exit_code, True), ran.err
    failed, *others = [file for file in ran.json()["files"] if file["state"] != "loaded"]
    assert not others, ran.err
    assert Path(failed["path"]).name == "000.parquet"
    assert failed["error"].endswith("the processes that loaded it ended, one after the other")
    assert "loading each by itself at the end" in ran.err
    assert fetch(database_url, "SELECT state, count(*), count(DISTINCT path) FROM job_run_files"
                               " GROUP BY 1 ORDER BY 1") == [
        ("failed", 1, 1), ("loaded", files - 1, files - 1),
    ]  # fmt: skip
    assert fetch(database_url, "SELECT count(*) FROM bars_ohlcv") == [((files - 1) * ROWS,)]
    assert fetch(database_url, "SELECT rows_inserted FROM job_runs") == [((files - 1) * ROWS,)]


def all_of(state: _State, numbers: range) -> list[FileResult]:
    """The results of these files, as the client gets them: a task may end before its last file."""
    results: list[FileResult] = []
    while numbers:
        outcome = state.load(numbers)
        assert outcome.results
        results += outcome.results
        numbers = numbers[len(outcome.results) :]
    return results


def at_once(*work: Callable[[], list[FileResult]]) -> list[list[FileResult]]:
    found: dict[int, list[FileResult]] = {}

    def do(n: int) -> None:
        found[n] = work[n]()

    threads = [Thread(target=do, args=(n,)) for n in range(len(work))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [found[n] for n in range(len(work))]


def test_a_task_of_several_files_that_runs_twice_loads_them_once(
    database_url: str, tmp_path: Path
) -> None:
    """At once, from another file on, and after it has ended: all have the results of the first."""
    files = made(tmp_path, 40)
    frame(symbol(40), volume=-1.0).write_csv(tmp_path / "040.csv")
    files.append(str(tmp_path / "040.csv"))
    with _states(database_url, files, 3) as states:
        first, again, part = at_once(
            lambda: all_of(states[0], range(41)),
            lambda: all_of(states[1], range(41)),
            lambda: all_of(states[2], range(15, 41)),
        )
        outcome = states[2].load(range(41))
    assert [r.state for r in first] == ["loaded"] * 40 + ["refused"]
    for results in (again, part, list(outcome.results)):
        mine = first[-len(results) :] if results is part else first[: len(results)]
        assert [(r.path, r.state, r.counts, r.file_id, r.symbols, r.min_ts) for r in results] == [
            (r.path, r.state, r.counts, r.file_id, r.symbols, r.min_ts) for r in mine
        ]
    events = [event for own in outcome.events for event in own]
    ends = [event.result for event in events if isinstance(event, FileDone)]
    assert ends == list(outcome.results)
    counted = [(e.path, e.counts) for e in events if isinstance(e, told_events.Committed)]
    assert counted == [(result.path, result.counts) for result in first]
    assert fetch(database_url, "SELECT state, count(*), sum(rows_inserted) FROM job_run_files"
                               " GROUP BY 1 ORDER BY 1") == [
        ("loaded", 40, 40 * ROWS), ("refused", 1, 0),
    ]  # fmt: skip
    assert fetch(database_url, "SELECT rows_inserted FROM job_runs") == [(40 * ROWS,)]
    assert fetch(database_url, "SELECT count(*) FROM bars_rejected") == [(ROWS,)]
    assert were_together(database_url) > 10


def test_equal_contents_in_two_tasks_load_once(database_url: str, tmp_path: Path) -> None:
    """One has them in the opposite order, which must not make the two wait for each other."""
    files = made(tmp_path / "first", 30)
    (tmp_path / "then").mkdir()
    files += [written(tmp_path / "then", n, frame(symbol(29 - n))) for n in range(30)]
    with _states(database_url, files, 2) as states:
        found = at_once(
            lambda: all_of(states[0], range(30)), lambda: all_of(states[1], range(30, 60))
        )
    of: dict[str, list[FileResult]] = {}
    for result in (*found[0], *found[1]):
        assert result.content_hash is not None
        of.setdefault(result.content_hash, []).append(result)
    assert len(of) == 30
    for pair in of.values():
        assert sorted((r.state, r.counts.inserted) for r in pair) == [
            ("known", 0),
            ("loaded", ROWS),
        ]
    assert fetch(database_url, "SELECT count(*), count(DISTINCT symbol) FROM bars_ohlcv") == [
        (30 * ROWS, 30)
    ]
    assert fetch(database_url, "SELECT rows_read, rows_inserted FROM job_runs") == [
        (30 * ROWS, 30 * ROWS)
    ]


def test_a_worker_that_is_stopped_leaves_the_rest_of_its_files_to_another(
    database_url: str, tmp_path: Path
) -> None:
    files = made(tmp_path, 40)
    with _states(database_url, files, 2) as states:
        given_up: list[type[BaseException]] = []
        begun, go_on = Event(), Event()

        def load() -> None:
            all_of(states[0], range(3))  # from now on it takes several at once
            begun.set()
            assert go_on.wait(60)
            try:
                all_of(states[0], range(3, 40))
            except Reschedule as error:
                given_up.append(type(error))

        thread = Thread(target=load)
        thread.start()
        assert begun.wait(60)
        with held(database_url):
            go_on.set()
            wait_for(database_url, BOOKING)
            states[0].close()
            thread.join()
        assert given_up == [Reschedule]
        results = all_of(states[1], range(40))
    assert {result.state for result in results} == {"loaded"}
    check_each_file_once(database_url, 40)


@contextmanager
def in_threads() -> Iterator[Client]:
    with Client(
        processes=False, n_workers=2, threads_per_worker=1, dashboard_address=":0",
        set_as_default=False,
    ) as client:  # fmt: skip
        yield client


def test_a_task_that_lasts_long_gives_back_what_it_has_not_begun(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And others get it: each file is there once, in its place."""
    files = made(tmp_path, 40)
    tasks: list[tuple[int, int]] = []
    load_some = _State.load

    def heard(state: _State, numbers: range) -> task.Outcome:
        outcome = load_some(state, numbers)
        tasks.append((len(numbers), len(outcome.results)))
        return outcome

    monkeypatch.setattr(_State, "load", heard)
    monkeypatch.setattr(task, "_LONG", 0.0)
    events: list[told_events.Event] = []
    with find(files) as sources, in_threads() as client:
        spread = Spread(client, Place(scheduler="tcp://here:1"))
        result = load(Settings(), database_url, sources, [events.append], elsewhere=spread)
    assert [file.path for file in result.files] == [source.name for source in sources]
    assert any(done < given for given, done in tasks)
    assert sum(done for _, done in tasks) == 40
    assert Counter(e.result.path for e in events if isinstance(e, FileDone)) == Counter(files)
    assert not [e for e in events if isinstance(e, FileNote) and e.note.kind == "run"]
    check_each_file_once(database_url, 40)


@pytest.mark.parametrize(
    ("sizes", "threads", "lengths"),
    [
        ([9] * 400, 2, [64, 64, 64, 52, 39, 29, 22, 16, 12, 9, 8, 8, 8, 5]),
        ([9] * 24, 3, [4, 4, 4, 4, 4, 4]),
        ([9] * 3, 4, [1, 1, 1]),
        ([9] * 5, None, [1, 1, 1, 1, 1]),
        ([9] * 20, 4, [2] * 10),
        ([9] * 8 + [SMALL + 1] + [9] * 8, 1, [8, 1, 8]),
        ([SMALL // 2] * 9, 1, [2, 2, 2, 2, 1]),
        ([SMALL + 1] * 3, 2, [1, 1, 1]),
    ],
)
def test_how_files_are_shared_out(
    sizes: list[int], threads: int | None, lengths: list[int]
) -> None:
    parts = list(shared_out(sizes, range(len(sizes)), threads))
    assert [len(part) for part in parts] == lengths
    assert [n for part in parts for n in part] == list(range(len(sizes)))


def test_how_files_that_are_given_back_are_shared_out() -> None:
    """Not down to single ones, in a run that has many."""
    parts = list(shared_out([9] * 400, range(100, 140), 2))
    assert parts == [range(100, 110), range(110, 118), range(118, 126), range(126, 134),
                     range(134, 140)]  # fmt: skip

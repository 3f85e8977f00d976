"""Many small files that `--workers` loads with processes, and what becomes of the files if a
process, the whole command or its reader ends in the middle."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from loader.ingest.attempts import load_file
from loader.ingest.run import LoadRun
from loader.ingest.run.turns import Way as Loading
from loader.ingest.ways import chosen
from loader.ingest.ways.processes import ahead, team
from loader.ingest.ways.processes.brief import Answer, Asked
from loader.ingest.ways.processes.process import Gone, Process
from loader.read.sources import Source, find
from loader.results import FileResult, LoadResult, noted
from loader.results.events import Event, FileDone, FileNote
from loader.settings import Settings
from tests.conftest import Ran, database, environment
from tests.support.both_ways import Way, check_same, frame, of_all_kinds, symbol, written
from tests.support.heeding import heeding
from tests.support.sql import fetch

Mdload = Callable[..., Ran]
FILES, ROWS = 300, 12
LOADED = "SELECT count(*) FROM job_run_files WHERE state = 'loaded'"


class Several(Way):
    """Two workers, one of them a process."""

    def load(self, files: Sequence[str], **settings: Any) -> LoadResult:
        self.events.clear()
        with find(files) as sources:
            options = Settings(workers=2, **settings)
            return chosen.load(options, self.url, sources, [self.hear])

    def hear(self, event: Event) -> None:
        self.events.append(event)


def start_one(
    monkeypatch: pytest.MonkeyPatch,
    ask: Callable[[Process, Asked], Answer],
    begun: threading.Event,
) -> None:
    """Lets few files have a process started, which `ask` asks; the thread beside it begins when
    `begun` is set."""

    def later(run: LoadRun, source: Source) -> FileResult:
        assert begun.wait(300)
        return load_file(run, source)

    monkeypatch.setattr(Process, "ask", ask)
    monkeypatch.setattr(team, "HERE", Loading(later))
    monkeypatch.setattr(ahead, "FILES", 2)
    monkeypatch.setattr(ahead, "processors", lambda: 2)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[Process, Asked]]]:
    """What processes are asked, of which few files have one started; the thread beside it begins
    when it does."""
    every: list[tuple[Process, Asked]] = []
    ask, begun = Process.ask, threading.Event()

    def heard(process: Process, question: Asked) -> Answer:
        every.append((process, question))
        begun.set()
        return ask(process, question)

    start_one(monkeypatch, heard, begun)
    yield every
    for process, _ in every:
        assert process._process.poll() is not None, "it goes on"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "dumps"
    made.mkdir()
    for n in range(FILES):
        written(made, n, frame(symbol(n)))
    return made


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


def test_odd_and_plain_files_come_out_as_from_one_worker(
    server_url: str,
    template: str,
    database_url: str,
    tmp_path: Path,
    asked: list[tuple[Process, Asked]],
) -> None:
    plain, odd, text = of_all_kinds(tmp_path, 30)
    files = [*plain[:20], *odd[:25], *text, *plain[20:], *odd[25:]]
    with database(server_url, template) as other:
        one, two = Way(other), Several(database_url)
        first, second = one.load(files), two.load(files)
        check_same(one, first, two, second)
        assert two.told() == one.told()
        assert sum(len(question.sources) for _, question in asked) > 10
        assert first.counts.rejected > 0
        assert {file.state for file in first.files} >= {"loaded", "failed"}


def test_a_process_that_is_killed_costs_no_file(
    database_url: str, folder: Path, asked: list[tuple[Process, Asked]]
) -> None:
    """Three times, and each time with other files in its hands."""
    several = Several(database_url)
    moments, killed = [5, 60, 150], list[Process]()

    def killing(event: Event) -> None:
        several.events.append(event)
        if isinstance(event, FileDone):
            process, question = asked[-1]
            lost = {s.name for each, hand in asked if each in killed for s in hand.sources}
            done = sum(isinstance(each, FileDone) for each in several.events)
            others = process not in killed and not {s.name for s in question.sources} & lost
            if moments and done >= moments[0] and others:
                moments.pop(0)
                killed.append(process)
                process._process.kill()

    several.hear = killing  # type: ignore[method-assign]
    result = several.load([str(folder)])
    assert result.status == "success"
    assert (result.counts.inserted, len(result.files)) == (FILES * ROWS, FILES)
    assert [file.path for file in result.files] == sorted(file.path for file in result.files)
    done_of = Counter(e.result.path for e in several.events if isinstance(e, FileDone))
    assert set(done_of.values()) == {1}
    assert len(done_of) == FILES
    notes = [e.text for e in several.events if isinstance(e, FileNote)]
    ended = [text for text in notes if "has ended (signal SIGKILL)" in text]
    assert 1 <= len(ended) <= len(killed) <= 3
    # The last one may find in the ledger that there is nothing to ask it for.
    assert len({process for process, _ in asked}) - len(ended) in (0, 1)
    check_each_file_once(database_url)


def test_a_file_that_ends_two_processes_has_failed(
    database_url: str,
    folder: Path,
    asked: list[tuple[Process, Asked]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    heard = Process.ask
    bad: set[str] = set()

    def ended(process: Process, question: Asked) -> Answer:
        names = {source.name for source in question.sources}
        if not bad:
            bad.add(question.sources[-1].name)
        if bad & names:
            process._process.kill()
            process._process.wait()
        return heard(process, question)

    monkeypatch.setattr(Process, "ask", ended)
    several = Several(database_url)
    result = several.load([str(folder)])
    (failed,) = [file for file in result.files if file.exit_code]
    assert {failed.path} == bad
    assert failed.error == f"{failed.path}: the processes that loaded it ended, one after the other"
    assert failed.hint is not None
    assert "--batch-rows" in failed.hint
    assert (result.status, result.exit_code) == ("failure", 1)
    assert result.counts.inserted == (FILES - 1) * ROWS
    assert fetch(database_url, "SELECT path FROM job_run_files WHERE state = 'failed'") == [
        (failed.path,)
    ]


def test_answers_that_are_lost(
    server_url: str,
    template: str,
    database_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A process dies after it has loaded, refused or failed to load files, and before it says so:
    each file is counted and recorded once."""
    files = [written(tmp_path, n, frame(symbol(n))) for n in range(20)]
    for n, volume in ((20, -1.0), (21, 5.0)):
        frame(symbol(n), volume=volume).write_csv(tmp_path / f"{n}.csv")
        files.append(str(tmp_path / f"{n}.csv"))
    (tmp_path / "cut.parquet").write_bytes(Path(files[0]).read_bytes()[:900])
    files.append(str(tmp_path / "cut.parquet"))
    left = {files[10], *files[20:]}
    ask, lost = Process.ask, threading.Event()

    def losing(process: Process, question: Asked) -> Answer:
        answer = ask(process, question)
        if of_these := left & {source.name for source in question.sources[: len(answer.results)]}:
            left.difference_update(of_these)
            if not left:
                lost.set()
            process._process.kill()
            raise Gone
        return answer

    start_one(monkeypatch, losing, lost)
    with database(server_url, template) as other:
        one, two = Way(other), Several(database_url)
        first, second = one.load(files), two.load(files)
        # The ledger has neither hints nor the kinds of notes.
        assert [
            replace(file, file_id=None, hint=None, notes=noted("run", [n.text for n in file.notes]))
            for file in second.files
        ] == [
            replace(file, file_id=None, hint=None, notes=noted("run", [n.text for n in file.notes]))
            for file in first.files
        ]
        assert [Counter(map(str, rows)) for rows in two.books(second)] == [
            Counter(map(str, rows)) for rows in one.books(first)
        ]
        assert [Counter(map(str, rows)) for rows in two.store()] == [
            Counter(map(str, rows)) for rows in one.store()
        ]
    assert Counter(file.state for file in second.files) == {
        "loaded": 21, "refused": 1, "failed": 1
    }  # fmt: skip
    assert (second.counts.read, second.counts.rejected, second.exit_code) == (22 * ROWS, ROWS, 4)
    (refused,) = [file for file in second.files if file.state == "refused"]
    assert refused.hint == f"see why: mdload job-runs inspect {second.run_id}"
    assert [file.file_id is not None for file in second.files] == [True] * 23


def test_without_a_process_the_threads_load_all(
    database_url: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ahead, "FILES", 2)
    monkeypatch.setattr(ahead, "processors", lambda: 2)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    result = Several(database_url).load([str(folder)])
    assert result.status == "success"
    check_each_file_once(database_url)


def test_the_same_content_twice(
    database_url: str, tmp_path: Path, asked: list[tuple[Process, Asked]]
) -> None:
    """Also at the same time: bars are there once, and each file has a result."""
    files = [written(tmp_path, n, frame(symbol(n // 2))) for n in range(80)]
    result = Several(database_url).load(files)
    assert result.status == "success"
    assert result.counts.inserted == 40 * ROWS
    states = Counter(file.state for file in result.files)
    assert set(states) <= {"loaded", "known"}
    assert fetch(database_url, "SELECT count(*), count(DISTINCT symbol) FROM bars_ohlcv") == [
        (40 * ROWS, 40)
    ]
    assert len(asked) > 2


@contextmanager
def loading(url: str, folder: Path, home: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """`mdload backfill --workers 2` in a group of its own, as a terminal has it, while it loads;
    and the process that it has started."""
    process = subprocess.Popen(
        [sys.executable, "-m", "loader", "backfill", str(folder), "--workers", "2",
         "--database", url],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, process_group=0,
        env=environment(home), preexec_fn=heeding,  # noqa: PLW1509
    )  # fmt: skip
    try:
        for _ in range(6000):
            assert process.poll() is None, process.communicate()
            if (children := children_of(process.pid)) and fetch(url, LOADED)[0][0] > 10:
                break
            time.sleep(0.005)
        (child,) = children
        yield process, child
    finally:
        process.kill()
        process.communicate()


def children_of(pid: int) -> list[int]:
    """The processes that load files for `pid`."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(FileNotFoundError):  # a thread, or a process, that has just ended
            for child in (task / "children").read_text().split():
                if b"processes.child" in Path(f"/proc/{child}/cmdline").read_bytes():
                    found.append(int(child))
    return found


def has_ended(pid: int) -> bool:
    for _ in range(600):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.05)
    return False


linux = pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="looks into /proc")


@linux
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_the_process_ends_with_the_command(
    database_url: str, folder: Path, tmp_path: Path, mdload: Mdload, ending: signal.Signals
) -> None:
    """No file is half there, and the same command loads the rest."""
    secret = "postgres@/"
    with loading(database_url, folder, tmp_path / "home") as (process, child):
        for file in ("cmdline", "environ"):
            assert secret not in Path(f"/proc/{child}/{file}").read_text()
        assert secret in Path(f"/proc/{process.pid}/cmdline").read_text()
        os.killpg(process.pid, ending)
        out, err = process.communicate(timeout=60)
        assert process.returncode == (-9 if ending == signal.SIGKILL else 130), (out, err)
        assert has_ended(child)
    assert "Traceback" not in err
    done = fetch(database_url, LOADED)[0][0]
    assert done < FILES
    assert fetch(database_url, "SELECT count(*), count(DISTINCT symbol) FROM bars_ohlcv") == [
        (done * ROWS, done)
    ]
    again = mdload("backfill", str(folder), "--workers", "2", "--database", database_url)
    assert again.code == 0, again.err
    check_each_file_once(database_url)


@linux
def test_a_script_without_a_main_guard(database_url: str, folder: Path, tmp_path: Path) -> None:
    """Its process does not run the script again."""
    script = tmp_path / "script.py"
    script.write_text(
        "import os, loader\n"
        f"print(os.getpid(), loader.load({str(folder)!r}, {database_url!r}, workers=2).status)\n"
    )
    ran = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=120, check=False,
        env=environment(tmp_path / "home"),
    )  # fmt: skip
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.count("success") == 1
    assert ran.stdout.count("\n") == 1
    check_each_file_once(database_url)


@pytest.mark.parametrize(
    ("files", "workers", "processors", "processes"),
    [
        (299, 2, 2, 0), (300, 2, 2, 1), (9_000, 2, 64, 1), (600, 8, 64, 3), (9_000, 8, 4, 3),
        (9_000, 8, 1, 0), (9_000, 1, 64, 0),
    ],
)  # fmt: skip
def test_how_many(
    monkeypatch: pytest.MonkeyPatch, files: int, workers: int, processors: int, processes: int
) -> None:
    monkeypatch.setattr(ahead, "processors", lambda: processors)
    small = [Source(Path(f"/{n}.csv"), f"/{n}.csv", None, 4 << 20) for n in range(files)]
    assert team.processes_of(Settings(workers=workers), small) == processes
    named = [Source(Path(f"/{n}.csv"), f"{n}.csv", None, 4 << 20) for n in range(files)]
    assert team.processes_of(Settings(workers=workers), named) == processes
    large = [*small, Source(Path("/x.csv"), "/x.csv", None, (4 << 20) + 1)]
    assert team.processes_of(Settings(workers=workers), large) == 0
    copied = [*small, Source(Path("/tmp/copy"), "stdin", None, 100, copied_from="/stdin")]
    assert team.processes_of(Settings(workers=workers), copied) == 0
    assert team.processes_of(Settings(workers=workers, dry_run=True), small) == 0


class Counted:
    """Instead of a process."""


@pytest.mark.parametrize(
    ("files", "settings", "processes"),
    [
        (299, Settings(workers=2), 0),
        (300, Settings(workers=2), 1),
        (301, Settings(workers=3), 1),
        (450, Settings(workers=3), 2),
        (300, Settings(), 0),
        (300, Settings(workers=2, dry_run=True), 0),
        (300, Settings(workers=2, commit_every=10), 0),
    ],
)
def test_how_many_start_early(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    files: int,
    settings: Settings,
    processes: int,
) -> None:
    monkeypatch.setattr(ahead, "Process", Counted)
    monkeypatch.setattr(ahead, "processors", lambda: 4)
    options = partial(getattr, settings)
    (tmp_path / "a" / "b").mkdir(parents=True)
    names = [f"{tmp_path}/a{'/b' if n % 2 else ''}/{n}.csv" for n in range(files)]
    for name in names:
        Path(name).write_bytes(b"x")
    globs = [f"{tmp_path}/**/*.csv"], [f"{tmp_path}/a/*.csv", f"{tmp_path}/a/b/?*.csv"]
    for patterns in ([str(tmp_path)], *globs, names):
        assert len(ahead.start(options, patterns)) == processes
    assert not ahead.start(options, [*names[:-2], "s3://bucket/a.csv", f"{tmp_path}/gone.csv"])
    with Path(names[7]).open("r+b") as large:
        large.truncate((4 << 20) + 1)
    assert not ahead.start(options, names)


def test_a_process_that_does_not_pay_is_ended(database_url: str, tmp_path: Path) -> None:
    running = [Process(), Process()]
    with find([written(tmp_path, n, frame(symbol(n))) for n in range(3)]) as sources:
        result = chosen.load(Settings(workers=2), database_url, sources, running=running)
    assert result.counts.inserted == 3 * ROWS
    assert [process._process.poll() for process in running] == [-9, -9]


@pytest.mark.parametrize("other", [None, "postgresql://127.0.0.1:1/x", "postgresql://[/x", "="])
def test_a_process_may_hear_of_the_database_before_the_load(
    database_url: str, tmp_path: Path, asked: list[tuple[Process, Asked]], other: str | None
) -> None:
    """It learns what it can meanwhile; the load goes to the database of the brief."""
    process = Process()
    process.expect(other or database_url)
    files = [written(tmp_path, n, frame(symbol(n))) for n in range(20)]
    with find(files) as sources:
        result = chosen.load(Settings(workers=2), database_url, sources, running=[process])
    assert (result.status, result.counts.inserted) == ("success", 20 * ROWS)
    assert {each for each, _ in asked} == {process}


def test_a_process_that_ended_early_may_hear_of_the_database(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ahead, "FILES", 2)
    monkeypatch.setattr(ahead, "processors", lambda: 2)
    process = Process()
    process._process.kill()
    process._process.wait()
    process.expect(database_url)
    files = [written(tmp_path, n, frame(symbol(n))) for n in range(20)]
    with find(files) as sources:
        result = chosen.load(Settings(workers=2), database_url, sources, running=[process])
    assert (result.status, result.counts.inserted) == ("success", 20 * ROWS)


@linux
def test_a_command_that_ends_before_its_load_ends_its_process(
    folder: Path, tmp_path: Path, mdload: Mdload
) -> None:
    mark = f"of-{tmp_path}"
    ran = mdload(
        "backfill", str(folder), "--workers", "2", "--database", "postgresql://127.0.0.1:1/x",
        env={"MDLOAD_TEST_MARK": mark},
    )  # fmt: skip
    assert ran.code == 5
    left = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if mark.encode() in (process / "environ").read_bytes():
                left.append((process / "cmdline").read_bytes())
    assert not left


def test_workers_share_a_batch() -> None:
    assert Settings().piece_rows == 100_000
    assert Settings(workers=2).piece_rows == 50_000
    assert Settings(workers=8).piece_rows == 50_000
    assert Settings(workers=2, batch_rows=7).piece_rows == 7
    assert Settings(workers=4, batch_rows=1_000_000).piece_rows == 250_000
    assert Settings(workers=2, commit_every=75_000).piece_rows == 75_000

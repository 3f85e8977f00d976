"""`mdload run` when things go wrong: files that are still being written, a server that is away for
a moment, a deadline."""

from __future__ import annotations

import gzip
import os
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import polars as pl
import pytest

from loader.db import retries
from loader.errors import ConnectionLost
from loader.ingest.ways import chosen
from loader.jobs.config import job, read
from loader.jobs.result import JobResult
from loader.jobs.run import JobRequest, run_job
from loader.read.sources import Source
from loader.results import LoadResult
from loader.settings import Settings
from tests.conftest import Ran
from tests.support.jobs import bars, config, running, stalled
from tests.support.sql import fetch

Mdload = Callable[..., Ran]
ALL = '[jobs.a]\nsource = "dumps/*"'
RUNS = "SELECT status, error_message, metadata ->> 'attempt' FROM job_runs ORDER BY id"


def ran(folder: Path, url: str) -> JobResult:
    """The result of a run of the job `a`, in this process."""
    return run_job(job(read(str(folder / "mdload.toml")), "a"), url, JobRequest())


@contextmanager
def growing(path: Path) -> Iterator[None]:
    """Somebody writes to `path` all the time."""
    done = threading.Event()

    def write() -> None:
        with path.open("a") as file:
            while not done.wait(0.05):
                file.write("2024-03-05T00:00:00Z,AAA,10,20,5,10,100\n")
                file.flush()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield
    finally:
        done.set()
        writer.join()


def test_a_file_that_grows_is_left_for_the_next_run(
    forked: Mdload, tmp_path: Path, database_url: str
) -> None:
    config(tmp_path, database_url, ALL, defaults='settle = "1s"\nmax_rejects = "100%"\n')
    bars(tmp_path / "dumps/whole.csv", 5)
    path = bars(tmp_path / "dumps/growing.csv", 5, "2024-03-06")
    with growing(path):
        ran = forked("run", "a", "--json")
    (job,) = ran.json()["jobs"]
    assert (ran.code, job["unfinished"]) == (0, ["dumps/growing.csv"])
    assert {f["path"]: f["state"] for f in job["files"]} == {
        "dumps/whole.csv": "loaded",
        "dumps/growing.csv": "unfinished",
    }
    assert "dumps/growing.csv is still being written: left for the next run" in ran.err
    (meta,) = fetch(database_url, "SELECT metadata -> 'unfinished' FROM job_runs")
    assert meta == (["dumps/growing.csv"],)
    ran = forked("run", "a", "--json")
    (job,) = ran.json()["jobs"]
    assert (job["unfinished"], job["rows_inserted"] >= 5) == ([], True)


@pytest.mark.parametrize("kind", ["gzip", "parquet", "json", "zip"])
def test_a_file_that_is_cut_short_is_left_while_it_is_young(
    tmp_path: Path, database_url: str, kind: str
) -> None:
    config(tmp_path, database_url, ALL)
    text = bars(tmp_path / "bars.csv", 50).read_bytes()
    frame = pl.read_csv(text)
    folder = tmp_path / "dumps"
    folder.mkdir()
    path = folder / {"gzip": "a.csv.gz", "zip": "a.zip"}.get(kind, f"a.{kind}")
    if kind == "gzip":
        path.write_bytes(gzip.compress(text))
    elif kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a.csv", text)
    elif kind == "parquet":
        frame.write_parquet(path)
    else:
        frame.write_json(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 2 // 3])
    young = ran(tmp_path, database_url)
    assert (young.exit_code, young.load.status) == (0, "success")
    assert (young.unfinished, young.load.files[0].state) == ((str(path),), "unfinished")
    assert "left for the next run" in young.load.files[0].notes[0].text
    assert fetch(database_url, "SELECT count(*) FROM job_run_files") == [(0,)]
    an_hour_ago = time.time() - 3600
    os.utime(path, (an_hour_ago, an_hour_ago))
    old = ran(tmp_path, database_url)
    assert (old.exit_code, old.load.files[0].state) == (3, "failed")
    path.write_bytes(whole)
    assert ran(tmp_path, database_url).load.counts.inserted == 50


def test_a_server_that_comes_back_is_tried_again(
    home: Path, tmp_path: Path, database_url: str
) -> None:
    """The server's socket appears only after the first attempt has failed."""
    url = urlsplit(database_url)
    options = parse_qs(url.query)
    real = Path(unquote(options["host"][0])) / f".s.PGSQL.{options.get('port', ['5432'])[0]}"
    away = database_url.replace(options["host"][0].replace("/", "%2F"), str(home)).replace(
        options["host"][0], str(home)
    )
    assert str(home) in away
    config(tmp_path, away, ALL, defaults='retry_wait = "500ms"\n')
    bars(tmp_path / "dumps/bars.csv", 10)
    with running(home, tmp_path, "a", "--json") as process:
        assert process.stderr is not None
        first = process.stderr.readline()
        assert "attempt 1 of 4 of the job a failed (" in first
        assert "the next is in 500 ms" in first
        (home / real.name).symlink_to(real)
        assert process.wait(60) == 0
    assert fetch(database_url, "SELECT status, rows_inserted FROM job_runs") == [("success", 10)]


def test_attempts_have_an_end(forked: Mdload, tmp_path: Path) -> None:
    away = "postgresql://me:sekret@127.0.0.1:1/x"
    config(tmp_path, away, ALL, defaults='retries = 2\nretry_wait = "10ms"\n')
    ran = forked("run", "a")
    assert (ran.code, ran.err.count("attempt")) == (5, 2), ran.err
    assert ("the next is in 10 ms" in ran.err, "the next is in 20 ms" in ran.err) == (True, True)
    assert "sekret" not in ran.err + ran.out
    assert forked("run", "a", "--set", "retries=0").err.count("attempt") == 0


def test_only_files_that_may_succeed_are_tried_again(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another writer's lock stops one file; the other file's own fault stays."""
    monkeypatch.setattr(retries, "ATTEMPTS", 1)  # of a file within a run, some fifteen seconds
    config(tmp_path, database_url, ALL, defaults="retry_wait = 0\nretries = 1\n")
    bars(tmp_path / "dumps/a.csv", 10)
    (tmp_path / "dumps/b.csv").write_text("ts,open\n2024-03-04,1\n")
    chosen = job(read(str(tmp_path / "mdload.toml")), "a")
    with stalled(database_url):
        failed = run_job(chosen, f"{database_url}&options=-clock_timeout%3D50ms", JobRequest())
    assert (failed.exit_code, len(failed.runs)) == (5, 2)
    assert [(Path(f.path).name, f.state, f.retryable) for f in failed.load.files] == [
        ("a.csv", "failed", True),
        ("b.csv", "failed", False),
    ]
    tried = fetch(database_url, "SELECT run_id, path FROM job_run_files ORDER BY id")
    assert {Path(path).name for run, path in tried if run == failed.runs[1]} == {"a.csv"}
    done = run_job(chosen, database_url, JobRequest())
    assert [f.state for f in done.load.files] == ["loaded", "failed"]
    assert (done.exit_code, done.load.status, len(done.runs)) == (3, "failure", 1)


@contextmanager
def served_late(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of `folder`, which is served from the first pause between attempts on."""
    handler = partial(SimpleHTTPRequestHandler, directory=folder)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler, bind_and_activate=False) as server:
        server.server_bind()  # and refuses whoever comes before it listens
        serving = threading.Thread(target=server.serve_forever, daemon=True)

        def serve(seconds: float) -> None:
            if not serving.is_alive():
                server.server_activate()
                serving.start()

        monkeypatch.setattr("loader.jobs.run.time.sleep", serve)
        yield f"http://127.0.0.1:{server.server_address[1]}"
        if serving.is_alive():
            server.shutdown()


def loads(done: JobResult) -> list[tuple[str, str, int]]:
    return [(Path(f.path).name, f.state, f.counts.updated) for f in done.load.files]


@pytest.mark.parametrize("force", [False, True])
def test_a_file_that_is_there_later_than_the_one_after_it(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch, force: bool
) -> None:
    """The last file counts all the same. The third one is of another symbol."""
    bars(tmp_path / "served/first.csv", 10, close=11.0)
    bars(tmp_path / "second.csv", 10)
    third = bars(tmp_path / "third.csv", 10)
    third.write_text(third.read_text().replace("AAA", "BBB"))
    with served_late(tmp_path / "served", monkeypatch) as url:
        sources = f'[jobs.a]\nsource = ["{url}/first.csv", "second.csv", "third.csv"]\n'
        config(tmp_path, database_url, sources + "retry_wait = 0\nretries = 1")
        the_job = job(read(str(tmp_path / "mdload.toml")), "a")
        done = run_job(the_job, database_url, JobRequest(force=force))
    stored = "SELECT DISTINCT close FROM bars_ohlcv WHERE symbol = 'AAA'"
    assert fetch(database_url, stored) == [(10.0,)]
    assert loads(done) == [
        ("first.csv", "loaded", 10), ("second.csv", "loaded", 0), ("second.csv", "loaded", 10),
        ("third.csv", "loaded", 0),
    ]  # fmt: skip
    assert len(done.runs) == 3
    assert done.load.counts.inserted == 20


@pytest.mark.parametrize("dry", [False, True])
def test_an_error_before_the_last_file_counts(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch, dry: bool
) -> None:
    """The next attempt sees to it. A dry run, which stores nothing, has no file to load again."""
    lines = bars(tmp_path / "second.csv", 40).read_text().splitlines()
    lines[1] = lines[1].replace("10.0", "11.0")
    (tmp_path / "served").mkdir()
    (tmp_path / "served/first.csv").write_text("\n".join(lines))
    if dry:
        config(tmp_path, database_url, '[jobs.a]\nsource = "second.csv"')
        assert ran(tmp_path, database_url).exit_code == 0
    real, given = chosen.load, []

    def load(settings: Settings, url: str, sources: list[Source], *others: Any) -> LoadResult:
        given.append([Path(source.name).name for source in sources])
        if len(given) == 3:
            raise ConnectionLost("the server is away")
        return real(settings, url, sources, *others)

    monkeypatch.setattr("loader.jobs.run.chosen.load", load)
    with served_late(tmp_path / "served", monkeypatch) as url:
        sources = f'[jobs.a]\nsource = ["{url}/first.csv", "second.csv"]\n'
        config(tmp_path, database_url, sources + "retry_wait = 0\nretries = 2")
        the_job = job(read(str(tmp_path / "mdload.toml")), "a")
        done = run_job(the_job, database_url, JobRequest(dry_run=dry, force=dry))
    again = [("second.csv", "loaded", 1)]
    assert loads(done) == [
        ("first.csv", "loaded", 1), ("second.csv", "loaded", 0), *([] if dry else again),
    ]  # fmt: skip
    both = ["first.csv", "second.csv"]
    assert given == [both, ["first.csv"], *([] if dry else [["second.csv"], both])]
    assert done.exit_code == 0
    closes = "SELECT DISTINCT close FROM bars_ohlcv"
    assert fetch(database_url, closes) == [(10.0,)]


def test_bars_that_a_later_attempt_adds(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file after it lacks one of them, and deletes it."""
    lines = bars(tmp_path / "served/first.csv", 40).read_text().splitlines()
    (tmp_path / "second.csv").write_text("\n".join(lines[:20] + lines[21:]))
    with served_late(tmp_path / "served", monkeypatch) as url:
        sources = f'[jobs.a]\nsource = ["{url}/first.csv", "second.csv"]\ndelete_gone = true\n'
        config(tmp_path, database_url, sources + "retry_wait = 0\nretries = 1")
        done = ran(tmp_path, database_url)
    assert [file.history.deleted for file in done.load.files] == [0, 0, 1]
    assert fetch(database_url, "SELECT count(*) FROM bars_ohlcv") == [(39,)]


def test_a_deadline_stops_the_job_and_fails_it(
    forked: Mdload, tmp_path: Path, database_url: str
) -> None:
    config(tmp_path, database_url, ALL + '\ndeadline = "2s"')
    bars(tmp_path / "dumps/bars.csv", 10)
    with stalled(database_url):
        ran = forked("run", "a", "--json")
    (job,) = ran.json()["jobs"]
    assert (ran.code, job["status"]) == (130, "failure")
    assert "the job a was stopped at its deadline, 2.0 s after it began" in job["error"]
    assert [f["state"] for f in job["files"]] == ["cancelled"]
    assert "deadline" in ran.err
    ((status, message, _),) = fetch(database_url, RUNS)
    assert (status, "stopped at its deadline" in message) == ("failure", True)
    assert fetch(database_url, "SELECT count(*) FROM bars_ohlcv") == [(0,)]
    assert forked("run", "a", "--set", "deadline=1m").code == 0
    assert fetch(database_url, "SELECT count(*) FROM bars_ohlcv") == [(10,)]


def test_what_comes_through_a_pipe_is_not_waited_for(
    forked: Mdload, tmp_path: Path, database_url: str
) -> None:
    """The file is truncated for good: nobody writes to mdload's own copy of it."""
    config(tmp_path, database_url, '[jobs.a]\nsource = "-"', defaults='settle = "1h"\n')
    text = bars(tmp_path / "bars.csv", 50).read_bytes()
    assert forked("run", "a", stdin=text).code == 0
    ran = forked("run", "a", "--json", stdin=gzip.compress(text)[:-20])
    (job,) = ran.json()["jobs"]
    assert (ran.code, job["unfinished"], job["files"][0]["state"]) == (3, [], "failed")


def test_a_source_s_password_is_told_nobody(
    forked: Mdload, tmp_path: Path, database_url: str
) -> None:
    source = "https://me:s3cret@127.0.0.1:1/a.csv?token=s3cret"
    config(tmp_path, database_url, f'[jobs.a]\nsource = "{source}"', defaults="retries = 0\n")
    for args in ("run a --json", "config show a"):
        ran = forked(*args.split())
        assert "s3cret" not in ran.out + ran.err
    told = fetch(
        database_url, "SELECT job_runs::text, job_run_files::text FROM job_runs, job_run_files"
    )
    assert len(told) == 1
    assert "s3cret" not in str(told)


def test_a_source_that_cannot_be_reached_does_not_stop_the_others(
    forked: Mdload, tmp_path: Path, database_url: str
) -> None:
    config(
        tmp_path, database_url,
        '[jobs.a]\nsource = ["https://127.0.0.1:1/a.csv", "bars.csv"]\nretry_wait = 0\nretries = 1',
    )  # fmt: skip
    bars(tmp_path / "bars.csv", 10)
    ran = forked("run", "a", "--json")
    (job,) = ran.json()["jobs"]
    assert (ran.code, ran.err.count("attempt 1 of 2")) == (3, 1)
    assert [(f["path"], f["state"], f["rows_inserted"]) for f in job["files"]] == [
        ("https://127.0.0.1:1/a.csv", "failed", 0),
        ("bars.csv", "loaded", 10),
    ]
    assert "cannot be reached" in job["files"][0]["error"]
    tried = fetch(database_url, "SELECT run_id, path, state FROM job_run_files ORDER BY id")
    assert sorted(tried) == [
        (1, "bars.csv", "loaded"),
        (1, "https://127.0.0.1:1/a.csv", "failed"),
        (2, "https://127.0.0.1:1/a.csv", "failed"),
    ]

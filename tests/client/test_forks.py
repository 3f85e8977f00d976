"""`fork()` after mdload was at work: a sentence at the first use, where there was a hang."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, environment
from tests.support.jobs import bars
from tests.support.sql import fetch

PROGRAM = """
import multiprocessing, sys
from datetime import UTC, datetime
from types import SimpleNamespace

import loader


def work(how, url, path):
    bar = SimpleNamespace(provider="p", symbol="CHILD", interval="1m", open=1, high=1, low=1,
                          close=1, volume=1, ts=datetime(2024, 3, 5, tzinfo=UTC))
    try:
        if how == "load":
            print(loader.load(path, url, loader.Settings(provider="p", interval="1m")).status)
        else:
            with loader.StoreClient(url) as store:
                print(store.write_bars([bar]).inserted)
    except loader.MdloadError as error:
        print(type(error).__name__, error, error.hint)
    sys.stdout.flush()


if __name__ == "__main__":
    method, before, how, url, path = sys.argv[1:]
    loader.load, loader.StoreClient, loader.Settings  # imported, and with them Polars
    if before == "used":
        loader.load(path, url, loader.Settings(provider="parent", interval="1m"))
    child = multiprocessing.get_context(method).Process(target=work, args=(how, url, path))
    child.start()
    child.join(60)
    hangs = child.is_alive()
    child.kill()
    sys.exit(9 if hangs else child.exitcode)
"""


def ran(folder: Path, url: str, method: str, before: str, how: str) -> str:
    (folder / "program.py").write_text(PROGRAM)
    path = bars(folder / "a.csv", 3)
    done = subprocess.run(
        [sys.executable, "program.py", method, before, how, url, str(path)],
        cwd=folder, env=environment(folder) | {"PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
    return done.stdout


@pytest.mark.parametrize("how", ["load", "client"])
def test_a_fork_of_a_process_that_has_loaded(database_url: str, tmp_path: Path, how: str) -> None:
    said = ran(tmp_path, database_url, "fork", "used", how)
    assert said.startswith("ForkedProcess this process (")
    assert 'multiprocessing.set_start_method("spawn")' in said
    assert fetch(database_url, "SELECT DISTINCT provider FROM bars_ohlcv") == [("parent",)]


@pytest.mark.parametrize("how", ["load", "client"])
@pytest.mark.parametrize(
    ("method", "before"), [("fork", "imported"), ("spawn", "used"), ("forkserver", "used")]
)
def test_ways_that_work(
    database_url: str, tmp_path: Path, method: str, before: str, how: str
) -> None:
    assert ran(tmp_path, database_url, method, before, how) in ("success\n", "1\n")
    rows = fetch(database_url, "SELECT DISTINCT provider FROM bars_ohlcv ORDER BY 1")
    assert ("p",) in rows

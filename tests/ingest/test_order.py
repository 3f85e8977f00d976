"""Files that restate each other, loaded by several workers."""

from __future__ import annotations

from pathlib import Path
from threading import Event

import polars as pl
import pytest

from loader.ingest.pipeline import load
from loader.read.sources import find
from loader.results import FileResult
from loader.results.events import Event as Emitted
from loader.results.events import FileDone, FileStarted
from loader.settings import Settings
from tests.support.both_ways import at, frame
from tests.support.sql import fetch

CLOSE = "SELECT close FROM bars_ohlcv ORDER BY ts LIMIT 1"


def first_last(url: str, files: list[str]) -> list[FileResult]:
    """The results of two workers: the first file begins once the second one has ended, and the
    worker of that waits for the first one then."""
    first, second = Event(), Event()

    def wait(event: Emitted) -> None:
        if isinstance(event, FileStarted) and event.path == files[0]:
            assert second.wait(60)
        elif isinstance(event, FileDone) and event.result.path == files[0]:
            first.set()
        elif isinstance(event, FileDone) and event.result.path == files[1]:
            second.set()
            assert first.wait(60)

    with find(files) as sources:
        return list(load(Settings(workers=2), url, sources, [wait]).files)


def noted(results: list[FileResult]) -> list[str]:
    return [Path(one.path).stem for one in results
            if any("another worker" in note.text for note in one.notes)]  # fmt: skip


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """Dumps of three days, which restate the first bar."""
    found = []
    for number in range(3):
        table = frame("AAPL", rows=40).with_columns(at(0, close=pl.lit(1 + number / 4)))
        found.append(str(tmp_path / f"2024-01-0{number + 2}.parquet"))
        table.write_parquet(found[-1])
    return found


def test_a_file_that_is_loaded_after_a_later_one(database_url: str, files: list[str]) -> None:
    """The later one has a note, and the same command with one worker leaves what it says."""
    results = first_last(database_url, files[:2])
    assert fetch(database_url, CLOSE) == [(1.0,)]
    assert noted(results) == ["2024-01-03"]
    (*_, note) = results[1].notes
    assert f"1 bar of it is stored as {files[0]} says" in note.text
    with find(files[:2]) as sources:
        again = load(Settings(), database_url, sources)
    assert fetch(database_url, CLOSE) == [(1.25,)]
    assert noted(list(again.files)) == []


def test_the_last_file_counts_all_the_same(database_url: str, files: list[str]) -> None:
    results = first_last(database_url, files)
    assert fetch(database_url, CLOSE) == [(1.5,)]
    assert noted(results) == []

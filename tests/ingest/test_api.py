"""`loader.load`: what `mdload backfill` does, from a program."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import psycopg
import pytest

from loader import MdloadError, Settings, load
from loader.errors import NotThere, UnreadableFile
from loader.ingest.ways.inspection import inspect_source
from loader.read.sources import find
from loader.results.events import Event, RunDone, RunStarted

HEADER = "ts,symbol,open,high,low,close,volume\n"


def write(path: Path, *lines: str) -> Path:
    path.write_text(HEADER + "".join(f"{line}\n" for line in lines))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(
        tmp_path / "a.csv",
        "2024-03-04T14:30:00Z,AAA,10,11,9,10.5,5",
        "2024-03-04T14:31:00Z,AAA,10,11,9,10.5,5",
        "2024-03-04T14:32:00Z,AAA,10,8,9,10.5,5",  # its high is below its low
    )
    write(tmp_path / "b.csv", "2024-03-04T14:30:00Z,BBB,1,2,1,2,")
    return tmp_path


SETTINGS = Settings(provider="p", interval="1m", max_rejects=Settings().max_rejects.parse("1"))


def stored(url: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(
            "SELECT symbol, count(*), sum(close) FROM bars_ohlcv GROUP BY symbol ORDER BY symbol"
        ).fetchall()


def test_a_folder_is_loaded_and_every_row_counted(database_url: str, folder: Path) -> None:
    events: list[Event] = []
    result = load(folder, database_url, SETTINGS, listeners=[events.append])
    assert (result.status, result.exit_code) == ("success", 0)
    assert (result.counts.read, result.counts.inserted, result.counts.rejected) == (4, 3, 1)
    assert stored(database_url) == [("AAA", 2, 21.0), ("BBB", 1, 2.0)]
    assert isinstance(events[0], RunStarted)
    assert events[-1] == RunDone(result)
    with psycopg.connect(database_url) as connection:
        runs = connection.execute("SELECT id, status, rows_written, rows_failed FROM job_runs")
        assert runs.fetchall() == [(result.run_id, "success", 3, 1)]


def test_sources_are_paths_or_text_one_or_several(database_url: str, folder: Path) -> None:
    both = load([folder / "a.csv", str(folder / "b.csv")], database_url, SETTINGS)
    assert [file.counts.inserted for file in both.files] == [2, 1]
    again = load(str(folder / "*.csv"), database_url, SETTINGS)
    assert [file.state for file in again.files] == ["known", "known"]
    one = load(str(folder / "b.csv"), database_url, Settings(provider="q", interval="1m"))
    assert one.counts.inserted == 1


def test_a_dry_run_writes_nothing(database_url: str, folder: Path) -> None:
    settings = Settings(provider="p", interval="1m", dry_run=True, max_rejects=SETTINGS.max_rejects)
    result = load(folder, database_url, settings)
    assert (result.run_id, result.counts.inserted) == (None, 3)
    assert stored(database_url) == []


def test_a_file_that_fails_is_in_the_result_and_stops_no_other(
    database_url: str, folder: Path
) -> None:
    (folder / "b.csv").write_bytes(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n1 0 obj\n")
    result = load(folder, database_url, SETTINGS)
    assert (result.status, result.exit_code) == ("failure", 3)
    assert [bool(file.error) for file in result.files] == [False, True]
    assert stored(database_url) == [("AAA", 2, 21.0)]


def test_a_panic_of_polars_over_one_file_stops_no_other(
    database_url: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A panic only derives from `BaseException`: it went past every handler and ended the load."""
    read_csv = pl.read_csv

    def panics(text: bytes, **options: Any) -> pl.DataFrame:
        if b"AAA" in text:
            raise pl.exceptions.PanicException("not implemented: one thing\nand a place in Rust")
        return read_csv(text, **options)

    monkeypatch.setattr(pl, "read_csv", panics)
    result = load(folder, database_url, SETTINGS)
    failed, loaded = result.files
    assert (failed.state, failed.exit_code) == ("failed", UnreadableFile.exit_code)
    assert failed.error == (
        f"{folder}/a.csv cannot be read: the library for it fails over its content: not "
        "implemented: one thing"
    )
    assert (loaded.state, stored(database_url)) == ("loaded", [("BBB", 1, 2.0)])
    with find([str(folder / "a.csv")]) as [source]:
        assert isinstance(inspect_source(source, SETTINGS).error, UnreadableFile)


def test_a_source_that_names_nothing_is_an_error_before_any_run(
    database_url: str, tmp_path: Path
) -> None:
    with pytest.raises(NotThere) as caught:
        load(tmp_path / "absent.csv", database_url)
    assert isinstance(caught.value, MdloadError)
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT count(*) FROM job_runs").fetchone() == (0,)

"""The ledger: known files of earlier runs, and the remains of an interrupted one."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import psycopg
import pytest

from loader.bars import SCHEMA
from loader.db.arrow import connect
from loader.errors import UnreadableFile
from loader.ingest import pipeline
from loader.ingest.attempts import load_file
from loader.ingest.pipeline import load
from loader.ingest.run import LoadRun
from loader.ingest.run.turns import Way
from loader.read.sources import Source, find
from loader.results import Counts, FileResult, LoadResult
from loader.results.events import Event, FileNote, RowsDone
from loader.settings import RejectLimit, Settings
from loader.store.runs import ledger
from tests.support.sql import fetch

T0 = datetime(2024, 3, 4, 14, 30, tzinfo=UTC)


def bars(minutes: list[int], bad: tuple[int, ...] = (), symbol: str = "AA") -> pl.DataFrame:
    """A bar for each minute; those of `bad` have no symbol."""
    rows = [
        ("p", "" if m in bad else symbol, "1m", T0 + timedelta(minutes=m),
         10.0, 10.0, 10.0, 10.0, 1.0, None, None)
        for m in minutes
    ]  # fmt: skip
    return pl.DataFrame(rows, schema={**SCHEMA}, orient="row")


def written(path: Path, frame: pl.DataFrame) -> Path:
    frame.write_parquet(path)
    return path


def loaded(url: str, *paths: Path, heard: Callable[[Event], None] = id, **given: Any) -> LoadResult:
    with find([str(path) for path in paths]) as sources:
        return load(Settings(**given), url, sources, [heard])


LEDGER = "SELECT state, rows_read, rows_resumable FROM job_run_files ORDER BY id"


def states(result: LoadResult) -> list[str]:
    return [f.state for f in result.files]


@pytest.mark.parametrize(
    "other",
    [
        {"batch_rows": 3}, {"workers": 4}, {"commit_every": 5}, {"job_name": "other"},
        {"max_rejects": RejectLimit(rows=0)},
    ],
    ids=lambda given: next(iter(given)),
)  # fmt: skip
def test_how_a_file_is_loaded_does_not_make_it_another(
    database_url: str, tmp_path: Path, other: dict[str, Any]
) -> None:
    path = written(tmp_path / "a.parquet", bars([*range(10)]))
    assert states(loaded(database_url, path)) == ["loaded"]
    again = loaded(database_url, path, **other)
    assert states(again) == ["known"]
    assert again.counts == Counts()
    assert fetch(database_url, LEDGER) == [("loaded", 10, 10), ("known", 0, 0)]


@pytest.mark.parametrize(
    "other",
    [
        {"provider": "q"}, {"symbol": "BB"}, {"interval": "5m"}, {"timezone": "Europe/Berlin"},
        {"columns": {"volume": "volume"}}, {"check_grid": False},
        {"allow_nonpositive_prices": True},
    ],
    ids=lambda given: next(iter(given)),
)  # fmt: skip
def test_what_a_file_means_makes_it_another(
    database_url: str, tmp_path: Path, other: dict[str, Any]
) -> None:
    path = written(tmp_path / "a.parquet", bars([*range(10)]))
    assert states(loaded(database_url, path)) == ["loaded"]
    again = loaded(database_url, path, **other)
    assert states(again) == ["loaded"], again.files[0].error
    assert again.counts.read == 10


def test_content_counts_and_not_its_name(database_url: str, tmp_path: Path) -> None:
    path = written(tmp_path / "a.parquet", bars([*range(10)]))
    loaded(database_url, path)
    copy = tmp_path / "b.parquet"
    copy.write_bytes(path.read_bytes())
    assert states(loaded(database_url, copy)) == ["known"]
    written(path, bars([*range(11)]))
    again = loaded(database_url, path)
    assert (states(again), again.counts) == (["loaded"], Counts(11, 1, 0, 10))


def test_the_same_content_twice_in_one_run(database_url: str, tmp_path: Path) -> None:
    path = written(tmp_path / "a.parquet", bars([*range(10)]))
    copy = tmp_path / "b.parquet"
    copy.write_bytes(path.read_bytes())
    assert states(loaded(database_url, path, copy)) == ["loaded", "known"]


def test_equal_bytes_under_names_of_two_symbols_are_two_files(
    database_url: str, tmp_path: Path
) -> None:
    """Options with one trade a day give many files that differ only in their names."""
    archive = tmp_path / "equity/usa/minute/aa/20140605_trade.zip"
    archive.parent.mkdir(parents=True)
    other = tmp_path / "equity/usa/minute/bb/20140605_trade.zip"
    other.parent.mkdir()
    next_day = archive.with_name("20140606_trade.zip")
    for path in (archive, other, next_day):
        with zipfile.ZipFile(path, "w") as made:
            made.writestr(
                zipfile.ZipInfo("trade.csv", (2014, 6, 5, 0, 0, 0)),
                "34200000,6460000,6460000,6460000,6460000,1\n",
            )
    assert states(loaded(database_url, archive, other, next_day)) == ["loaded"] * 3
    stored = "SELECT symbol, ts FROM bars_ohlcv ORDER BY symbol, ts"
    opening, day = datetime(2014, 6, 5, 13, 30, tzinfo=UTC), timedelta(days=1)
    assert fetch(database_url, stored) == [("AA", opening), ("AA", opening + day), ("BB", opening)]
    assert states(loaded(database_url, archive, other, next_day)) == ["known"] * 3


def test_equal_bytes_of_two_contracts_are_two_files(database_url: str, tmp_path: Path) -> None:
    """The month of a future is in the name of its entry only."""
    archive = tmp_path / "future/cme/daily/es_trade.zip"
    archive.parent.mkdir(parents=True)
    with zipfile.ZipFile(archive, "w") as made:
        for month in ("201312", "201403"):
            made.writestr(f"es_trade_{month}.csv", "20131007 00:00,1680,1681,1670,1675,100\n")
    assert states(loaded(database_url, archive)) == ["loaded"] * 2
    symbols = fetch(database_url, "SELECT symbol FROM bars_ohlcv ORDER BY symbol")
    assert symbols == [("ES_201312",), ("ES_201403",)]
    elsewhere = tmp_path / "copy" / archive.relative_to(tmp_path)
    elsewhere.parent.mkdir(parents=True)
    archive.rename(elsewhere)
    assert states(loaded(database_url, elsewhere)) == ["known"] * 2


def test_what_was_not_kept_is_not_known(database_url: str, tmp_path: Path) -> None:
    """A refused file, a dry run, and a run that was cleaned up."""
    path = written(tmp_path / "a.parquet", bars([*range(10)], bad=(3,)))
    strict = loaded(database_url, path)
    assert (states(strict), strict.counts) == (["refused"], Counts(10, rejected=10))
    assert states(loaded(database_url, path, dry_run=True)) == ["refused"]
    lenient: dict[str, Any] = {"max_rejects": RejectLimit(rows=1)}
    assert states(loaded(database_url, path, dry_run=True, **lenient)) == ["loaded"]
    assert states(loaded(database_url, path, **lenient)) == ["loaded"]
    assert states(loaded(database_url, path)) == ["known"]
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("DELETE FROM job_runs")
    again = loaded(database_url, path, **lenient)
    assert again.counts == Counts(10, 0, 0, 9, rejected=1)


# Files in parts.


class AfterRows:
    """A listener that acts once after a number of rows; it keeps the notes."""

    def __init__(self, rows: int, act: Callable[[], object]) -> None:
        self.left = rows
        self.act: Callable[[], object] | None = act
        self.notes: list[str] = []

    def __call__(self, event: Event) -> None:
        if isinstance(event, FileNote):
            self.notes.append(event.text)
        if isinstance(event, RowsDone):
            self.left -= event.rows
            if self.left <= 0 and self.act:
                act, self.act = self.act, None
                act()


def test_a_file_that_fails_in_its_third_part(database_url: str, tmp_path: Path) -> None:
    """It was changed while it was read. Its parts stay, in the result as in the ledger."""
    path = written(tmp_path / "a.parquet", bars([*range(50)]))
    stat = path.stat()
    spoil = AfterRows(30, lambda: os.utime(path, (1, 1)))
    result = loaded(database_url, path, heard=spoil, commit_every=10)
    (file,) = result.files
    assert (result.status, file.state, file.exit_code) == (
        "failure", "partial", UnreadableFile.exit_code,
    )  # fmt: skip
    assert "changed while it was being read" in str(file.error)
    assert result.counts == Counts(20, 20)
    assert fetch(database_url, LEDGER) == [("partial", 20, 20)]
    assert fetch(database_url, "SELECT rows_read, rows_inserted, status FROM job_runs") == [
        (20, 20, "failure")
    ]
    ((message,),) = fetch(database_url, "SELECT error_message FROM job_run_files")
    assert message == file.error
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    heard = AfterRows(0, lambda: None)
    again = loaded(database_url, path, heard=heard, commit_every=10)
    assert (states(again), again.counts) == (["loaded"], Counts(30, 30))
    assert any("resuming after row 20" in note for note in heard.notes)
    assert fetch(database_url, LEDGER)[1] == ("loaded", 30, 50)
    assert fetch(database_url, "SELECT count(*) FROM bars_ohlcv") == [(50,)]


def test_parts_are_of_no_use_to_a_run_that_commits_whole(database_url: str, tmp_path: Path) -> None:
    path = written(tmp_path / "a.parquet", bars([*range(50)]))
    spoil = AfterRows(30, lambda: os.utime(path, (1, 1)))
    loaded(database_url, path, heard=spoil, commit_every=10)
    again = loaded(database_url, path)
    assert (states(again), again.counts) == (["loaded"], Counts(50, 30, 0, 20))


def test_a_run_that_is_cancelled_between_parts(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path / "a.parquet", bars([*range(50)]))
    jobs: list[LoadRun] = []

    def noticed(job: LoadRun, source: Source) -> FileResult:
        jobs.append(job)
        return load_file(job, source)

    monkeypatch.setattr(pipeline, "HERE", Way(noticed))
    stop = AfterRows(30, lambda: [job.cancelled.set() for job in jobs])
    result = loaded(database_url, path, heard=stop, commit_every=10)
    (file,) = result.files
    assert (result.status, file.state, file.exit_code) == ("cancelled", "partial", 130)
    assert result.counts.read in {20, 30}  # the third part may have ended before it was asked
    assert fetch(database_url, LEDGER) == [("partial", file.counts.read, file.counts.read)]


def test_rejects_add_up_over_the_parts(database_url: str, tmp_path: Path) -> None:
    """Two in each part are few enough; six in three parts are too many."""
    bad = tuple(m for m in range(50) if m % 5 == 0)
    path = written(tmp_path / "a.parquet", bars([*range(50)], bad=bad))
    limit: dict[str, Any] = {"commit_every": 10, "max_rejects": RejectLimit(rows=5)}
    result = loaded(database_url, path, **limit)
    (file,) = result.files
    assert (file.state, file.exit_code) == ("partial", 4)
    assert "6 of 30 rows were rejected" in str(file.error)
    assert "parts that were committed before stay" in str(file.error)
    assert result.counts == Counts(30, 16, rejected=14)
    assert file.rejected == {"symbol_missing": 6, "file_refused": 8}
    assert fetch(database_url, LEDGER) == [("partial", 30, 20)]


def test_rejects_of_a_file_in_no_order_are_measured_by_all_its_rows(
    database_url: str, tmp_path: Path
) -> None:
    """Its good rows are set aside at first, its bad ones are not: ten of a hundred, not of ten."""
    minutes = [*range(0, 100, 2), *range(1, 100, 2)]
    path = written(tmp_path / "a.parquet", bars(minutes, bad=tuple(range(0, 100, 10))))
    how: dict[str, Any] = {"commit_every": 20, "batch_rows": 10}
    result = loaded(database_url, path, max_rejects=RejectLimit(share=0.1), **how)
    assert (states(result), result.counts) == (["loaded"], Counts(100, 90, rejected=10))
    assert fetch(database_url, LEDGER) == [("loaded", 100, 0)]
    refused = loaded(database_url, path, max_rejects=RejectLimit(share=0.09), force=True, **how)
    assert states(refused) == ["refused"]


@pytest.mark.parametrize("how", [{}, {"batch_rows": 10}, {"batch_rows": 10, "commit_every": 20}])
def test_rejects_are_measured_by_the_rows_that_were_asked_for(
    database_url: str, tmp_path: Path, how: dict[str, Any]
) -> None:
    """One of the forty rows of EQ is bad: 2.5 %, however many rows of BE are beside them."""
    wanted = bars([*range(40)], bad=(15,)).with_columns(SERIES=pl.lit("EQ"))
    others = bars([*range(300)], symbol="BB").with_columns(SERIES=pl.lit("BE"))
    path = written(tmp_path / "a.parquet", pl.concat([wanted, others]))
    given: dict[str, Any] = {"where": {"SERIES": "EQ"}, **how}
    refused = loaded(database_url, path, max_rejects=RejectLimit(share=0.02), **given)
    assert refused.files[0].exit_code == 4
    if not how:
        assert "1 of 40 rows were rejected (symbol_missing 1)" in str(refused.files[0].error)
    accepted = loaded(database_url, path, max_rejects=RejectLimit(share=0.5), force=True, **given)
    assert states(accepted) == ["loaded"]
    assert fetch(database_url, "SELECT count(*), max(symbol) FROM bars_ohlcv") == [(39, "AA")]


def test_limits_are_not_asked_again_of_a_known_file(database_url: str, tmp_path: Path) -> None:
    path = written(tmp_path / "a.parquet", bars([*range(40)], bad=(15,)))
    strict: dict[str, Any] = {
        "max_rejects": RejectLimit(rows=0), "max_gone": RejectLimit(rows=0),
    }  # fmt: skip
    assert states(loaded(database_url, path, max_rejects=RejectLimit(rows=1))) == ["loaded"]
    again = loaded(database_url, path, **strict)
    assert (states(again), again.exit_code) == (["known"], 0)
    forced = loaded(database_url, path, force=True, **strict)
    assert (states(forced), forced.exit_code) == (["refused"], 4)


def test_a_file_that_vanishes_before_it_is_read(database_url: str, tmp_path: Path) -> None:
    path = written(tmp_path / "a.parquet", bars([*range(5)]))
    other = written(tmp_path / "b.parquet", bars([*range(5, 10)]))
    with find([str(path), str(other)]) as sources:
        path.unlink()
        result = load(Settings(), database_url, sources)
    assert states(result) == ["failed", "loaded"]
    assert "does not exist" in str(result.files[0].error)
    assert result.exit_code == 3


def test_a_known_file_is_recorded_as_by_beginning_and_ending_it(
    database_url: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.parquet"
    bars([1, 2]).write_parquet(path)
    with find([str(path)]) as sources:
        first, again = (load(Settings(), database_url, sources) for _ in range(2))
        (known,) = again.files
        assert (known.state, known.file_id is not None) == ("known", True)
        assert again.run_id is not None
        with closing(connect(database_url)) as writer, writer.transaction():
            fingerprint = fetch(
                database_url, "SELECT config_fingerprint FROM job_run_files WHERE id = %s",
                known.file_id,
            )[0][0]  # fmt: skip
            begun = ledger.begin(
                writer, again.run_id, sources[0], known.content_hash, fingerprint, 0.0
            )
            ledger.end(writer, begun, known, Counts())
    rows = fetch(
        database_url,
        "SELECT to_jsonb(f) - 'id' - 'started_at' - 'completed_at',"
        " completed_at >= started_at FROM job_run_files f WHERE run_id = %s ORDER BY id",
        again.run_id,
    )
    assert len(rows) == 2
    assert rows[0] == rows[1]
    assert first.counts.inserted == 2

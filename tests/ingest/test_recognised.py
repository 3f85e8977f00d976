"""Files that are recognised: asked for together, with the same answers as one by one."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import psycopg
import pytest
from psycopg.sql import quote

from loader.db.arrow import connect
from loader.db.queries import query
from loader.ingest.pipeline import load
from loader.ingest.run import hashed, turns
from loader.ingest.run.turns import Turns
from loader.read.sources import find
from loader.results import LoadResult
from loader.settings import Settings
from loader.store.runs import ledger
from tests.support.sql import fetch

BOOKS = """path, size_bytes, content_hash, config_fingerprint, state, notes, symbols, rows_read,
    dialect, completed_at IS NOT NULL"""
NEWS = "nothing new: loaded already by run {} under the same settings (--force loads it again)"


def written(folder: Path, names: str, close: float = 1.5) -> list[str]:
    for name in names:
        pl.DataFrame(
            {"symbol": name, "interval": "1d", "ts": ["2024-03-04", "2024-03-05"], "open": 1.0,
             "high": 2.0, "low": 0.5, "close": close, "volume": 10.0, "provider": "made"}
        ).write_csv(folder / f"{name}.csv")  # fmt: skip
    return [str(folder / f"{name}.csv") for name in names]


def loaded(url: str, files: Sequence[str], **settings: Any) -> LoadResult:
    with find(files) as sources:
        return load(Settings(**settings), url, sources)


def states(result: LoadResult) -> dict[str, str]:
    return {Path(file.path).stem: file.state for file in result.files}


def books(url: str, result: LoadResult) -> list[tuple[Any, ...]]:
    return fetch(
        url, f"SELECT {BOOKS} FROM job_run_files WHERE run_id = {result.run_id} ORDER BY id"
    )


def test_together_they_come_to_the_same_as_one_by_one(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = written(tmp_path, "ABCDEFGHI")
    first = loaded(database_url, files)
    assert set(states(first).values()) == {"loaded"}

    together = loaded(database_url, files)
    monkeypatch.setattr(turns, "first_together", lambda run, sources, ahead: [])
    alone = loaded(database_url, files)
    assert books(database_url, together) == books(database_url, alone)
    for result in (together, alone):
        assert set(states(result).values()) == {"known"}
        assert [file.path for file in result.files] == files
        assert {note.text for file in result.files for note in file.notes} == {
            NEWS.format(first.run_id)
        }
        ids = [file.file_id for file in result.files]
        assert ids == [
            n for (n,) in fetch(
                database_url,
                f"SELECT id FROM job_run_files WHERE run_id = {result.run_id} ORDER BY path",
            )
        ]  # fmt: skip


@pytest.mark.parametrize("workers", [1, 2])
def test_files_among_them_that_have_something_to_load(
    database_url: str, tmp_path: Path, workers: int
) -> None:
    files = written(tmp_path, "ABCDEFGHIJKLMNOP")
    loaded(database_url, files)
    with psycopg.connect(database_url) as connection:
        connection.execute("DELETE FROM bars_ohlcv WHERE symbol = 'D' AND ts = '2024-03-05'")
    written(tmp_path, "G", close=1.75)
    (tmp_path / "K.csv").write_text("no bars\n1\n")

    again = loaded(database_url, files, workers=workers)
    found = states(again)
    assert {name: state for name, state in found.items() if state != "known"} == {
        "D": "loaded", "G": "loaded", "K": "failed",
    }  # fmt: skip
    assert len(found) == 16
    assert [file.path for file in again.files] == files
    assert sorted(row[0] for row in books(database_url, again)) == files
    assert fetch(database_url, "SELECT count(*), count(DISTINCT symbol) FROM bars_ohlcv") == [
        (32, 16)
    ]
    assert fetch(database_url, "SELECT close FROM bars_ohlcv WHERE symbol = 'G' ORDER BY ts") == [
        (1.75,),
        (1.75,),
    ]


def test_a_second_file_of_the_same_content_waits_for_the_first(
    database_url: str, tmp_path: Path
) -> None:
    """The ledger is asked again once a file was loaded."""
    loaded(database_url, written(tmp_path, "ABCD"))
    files = written(tmp_path, "ABCDE")
    (tmp_path / "copy").mkdir()
    files += written(tmp_path / "copy", "E")
    found = loaded(database_url, files)
    assert [file.state for file in found.files] == [*["known"] * 4, "loaded", "known"]


def test_turns_that_have_ended_take_nothing_back(tmp_path: Path) -> None:
    """A load that is cancelled leaves the files that were taken together and not loaded alone."""
    with find(written(tmp_path, "ABCD")) as sources:
        going_on, ended = Turns(enumerate(sources)), Turns(enumerate(sources))
        for each in (going_on, ended):
            taken = each.take(3)
            if each is ended:
                each.end()
            each.give_back(taken[1:])
        assert [number for number, _ in going_on.take(9)] == [1, 2, 3]
        assert ended.take(9) == []


def test_several_workers_share_what_is_left(tmp_path: Path) -> None:
    """So that none has many files to go while the others have none; a worker alone takes all."""
    with find(written(tmp_path, "A")) as (source,):
        many = [source] * 100
        several, alone = Turns(enumerate(many), 2), Turns(enumerate(many), 1)
        taken = [len(several.take(64)) for _ in range(6)]
        assert taken == [50, 25, 12, 8, 5, 0]
        assert [len(alone.take(64)) for _ in range(3)] == [64, 36, 0]


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", []):
        yield from nodes(below)


@pytest.mark.parametrize("analyzed", [False, True])
def test_the_ledger_is_asked_by_indexes_that_name_one_file(
    database_url: str, *, analyzed: bool
) -> None:
    """None is read whole for each file, also where the ledger has no statistics yet."""
    asked = [{"content_hash": f"h{n}", "fingerprint": "f", "path": f"/{n}"} for n in range(50)]
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("ALTER TABLE job_run_files SET (autovacuum_enabled = off)")
        (run,) = connection.execute(
            "INSERT INTO job_runs (job_name, started_at) VALUES ('j', now()) RETURNING id"
        ).fetchone() or (None,)
        connection.execute(
            "INSERT INTO job_run_files (run_id, path, content_hash, config_fingerprint, state)"
            " SELECT %s, '/' || n, 'h' || n, 'f', 'loaded' FROM generate_series(0, 2999) n",
            [run],
        )
        if analyzed:
            connection.execute("ANALYZE job_run_files")
        for name, given in (
            ("files_known", (json.dumps(asked),)),
            ("files_before", ("j", json.dumps([each["path"] for each in asked]))),
        ):
            sql = query(name)
            for number, value in enumerate(given, 1):
                sql = sql.replace(f"${number}", quote(value))
            assert len(connection.execute(sql.encode()).fetchall()) == len(asked)
            ((plan,),) = connection.execute(
                f"EXPLAIN (ANALYZE, TIMING off, FORMAT json) {sql}".encode()
            ).fetchall()
            read = [
                each["Actual Rows"] + each.get("Rows Removed by Filter", 0)
                for each in nodes(plan[0]["Plan"])
                if each["Actual Loops"] == len(asked) and "Scan" in each["Node Type"]
            ]
            assert read
            assert max(read) <= 1


def test_the_content_before_is_the_newest_of_the_jobs_last_runs(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        runs = [
            (name, *row)
            for name, day in (("j", 1), ("j", 2), ("other", 3), ("j", 4))
            for row in connection.execute(
                "INSERT INTO job_runs (job_name, started_at)"
                " VALUES (%s, make_timestamptz(2024, 1, %s, 0, 0, 0)) RETURNING id",
                (name, day),
            ).fetchall()
        ]
        ids = [run for _, run in runs]
        for run, path, content, state in (
            (ids[0], "/a", "old", "loaded"), (ids[0], "/b", "only", "known"),
            (ids[1], "/a", "new", "loaded"), (ids[1], "/c", "part", "partial"),
            (ids[2], "/a", "another job's", "loaded"), (ids[3], "/a", "failed", "failed"),
            (ids[3], "/d", "not asked", "loaded"),
        ):  # fmt: skip
            connection.execute(
                "INSERT INTO job_run_files (run_id, path, content_hash, config_fingerprint, state)"
                " VALUES (%s, %s, %s, 'f', %s)",
                (run, path, content, state),
            )
    with connect(database_url, autocommit=True) as reader:
        found = ledger.before(reader, "j", ["/a", "/b", "/c", "/a", "/e"])
    assert found == {"/a": ("new", ids[1]), "/b": ("only", ids[0])}


def test_a_large_first_file_is_hashed_meanwhile(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the same hash, and the same errors."""
    files = written(tmp_path, "AB")
    expected = hashlib.sha256(Path(files[0]).read_bytes()).hexdigest()
    monkeypatch.setattr(hashed, "_SMALL", 0)
    first = loaded(database_url, files)
    assert set(states(first).values()) == {"loaded"}
    assert first.files[0].content_hash == f"sha256:{expected}"
    assert set(states(loaded(database_url, files)).values()) == {"known"}

    with find(files) as sources:
        Path(files[0]).unlink()
        gone = load(Settings(), database_url, sources)
    assert [file.state for file in gone.files] == ["failed", "known"]
    assert "A.csv" in str(gone.files[0].error)


def test_a_large_first_file_that_changes_once_it_is_hashed(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (file,) = written(tmp_path, "A")
    monkeypatch.setattr(hashed, "_SMALL", 0)
    found = hashed.HashedMeanwhile.found

    def touched(self: hashed.HashedMeanwhile) -> Any:
        answer = found(self)
        os.utime(file, ns=(0, 0))
        return answer

    monkeypatch.setattr(hashed.HashedMeanwhile, "found", touched)
    (result,) = loaded(database_url, [file]).files
    assert result.state == "failed"
    assert "changed while it was being read" in str(result.error)

"""The benchmarks' harness on a tiny table: right, wrong and missing contenders."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from benchmarks import checks, timed
from benchmarks.cases import HELP
from benchmarks.contenders import everyone
from benchmarks.contenders.contender import Contender, Job
from benchmarks.harness import Harness, Options
from benchmarks.made_bars import Universe
from benchmarks.report import markdown
from benchmarks.results import Results
from benchmarks.server import Server, running

# Packages of the extra `bench`, which the tests do not need.
HEAVY = {"dlt", "dlt-keyed", "duckdb", "pandas", "pandas-copy", "pgloader", "psql", "sling"}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running(settings={"fsync": "off"}) as server:
        yield server


@pytest.fixture
def harness(server: Server, tmp_path: Path) -> Harness:
    tmp_path.chmod(0o755)
    return Harness(server, Options(Universe(2_000), 1, 60.0, 60.0, tmp_path), lambda results: None)


def _script(code: str) -> Contender:
    def command(job: Job) -> list[str]:
        return [sys.executable, "-c", code, job.url, str(job.file)]

    return Contender(name="scripted", title="scripted", command=command)


def test_every_contender_ends_with_the_same_table(harness: Harness) -> None:
    contenders = [each for name, each in everyone().items() if name not in HEAVY]
    harness.run(["fresh", "mixed", "replay", HELP], contenders)
    results = harness.results

    assert results.missing == {}
    assert {(run.case, run.contender) for run in results.runs if run.outcome == "right"} == {
        *(("fresh", name) for name in ("floor", "mdload", "usual", "merge", "executemany",
                                       "psycopg-copy", "polars", "parallel-copy")),
        *(("mixed", name) for name in ("mdload", "usual", "merge", "executemany", "psycopg-copy")),
        *(("replay", name) for name in ("mdload", "mdload-known", "usual", "merge", "executemany",
                                        "psycopg-copy")),
        (HELP, "mdload"),
    }  # fmt: skip
    assert all(run.outcome == "right" for run in results.runs)
    touched = {(run.case, run.contender): run.rows_touched for run in results.runs}
    assert touched["fresh", "floor"] == 2_000
    assert touched["mixed", "merge"] == 1_000
    assert touched["replay", "usual"] == 2_000  # ON CONFLICT locks what it leaves alone
    assert touched["replay", "mdload"] == touched["replay", "mdload-known"] == 0

    text = markdown(results)
    assert "| **mdload backfill** |" in text
    assert "rows touched by an identical replay | 0 rows | ≤ 0 rows ✓" in text


def test_a_wrong_table_is_not_silently_timed(harness: Harness) -> None:
    harness.run(
        ["fresh"],
        [
            _script(
                "import sys, polars as pl, psycopg\n"
                "rows = pl.read_parquet(sys.argv[2]).drop('trade_count').head(1999).rows()\n"
                "with psycopg.connect(sys.argv[1]) as connection:\n"
                "    connection.cursor().executemany("
                "'INSERT INTO bars_ohlcv VALUES (' + ', '.join(['%s'] * 10) + ')', rows)"
            )
        ],
    )

    (run,) = harness.results.runs
    assert (run.outcome, run.note) == ("wrong", "1,999 rows and 2,000 expected")
    assert "**WRONG after " in markdown(harness.results)


def test_a_contender_that_does_not_run_is_named(harness: Harness) -> None:
    absent = Contender(name="absent", title="absent", command=lambda job: [], modules=("no_such",))
    harness.run(["fresh"], [absent, _script("raise SystemExit('no licence')")])

    assert harness.results.runs == []
    assert harness.results.missing == {
        "absent": "not installed: no_such",
        "scripted": "does not run: no licence",
    }
    assert "- absent (`absent`): not installed: no_such" in markdown(harness.results)


def test_touched_rows_are_those_written_or_locked(server: Server) -> None:
    server.make("touched")
    bar = "('polygon', 'A', '1m', to_timestamp({}), 1, 1, 1, 1)"
    with psycopg.connect(server.database("touched"), autocommit=True) as connection:
        for minute in range(5):
            connection.execute(f"INSERT INTO bars_ohlcv VALUES {bar.format(minute * 60)}")
        before = checks.mark(connection)
        assert checks.touched(connection, "bars_ohlcv", before) == 0

        where = "WHERE ts = to_timestamp({})"
        connection.execute(f"UPDATE bars_ohlcv SET close = 2 {where.format(0)}")
        connection.execute(f"SELECT FROM bars_ohlcv {where.format(60)} FOR UPDATE")
        connection.execute(f"INSERT INTO bars_ohlcv VALUES {bar.format(600)}")

        assert checks.touched(connection, "bars_ohlcv", before) == 3
        assert checks.wal_bytes(connection, before) > 0


def test_results_come_back_from_their_file(harness: Harness, tmp_path: Path) -> None:
    harness.run(["one"], [everyone()["usual"]])
    harness.results.write(tmp_path / "results.json")
    stored = Results.read(tmp_path / "results.json")

    assert stored.runs == harness.results.runs
    assert markdown(stored) == markdown(harness.results)


def _timed(out: Path, patience: float, *command: str) -> dict[str, object]:
    subprocess.run(
        [sys.executable, "-I", "-S", str(timed.__file__), str(out), str(patience), *command],
        check=True,
    )
    return json.loads(out.read_text())  # type: ignore[no-any-return]


def test_a_process_has_its_own_peak_memory_and_not_its_parents(tmp_path: Path) -> None:
    ballast = bytearray(200_000_000)
    used = _timed(tmp_path / "out", 60, "/bin/sh", "-c", "exit 3")

    assert used["code"] == 3
    assert used["timed_out"] is False
    assert 0 < used["peak_bytes"] < 60_000_000 < len(ballast)  # type: ignore[operator]


def test_a_process_that_takes_too_long_is_ended_with_its_children(tmp_path: Path) -> None:
    used = _timed(tmp_path / "out", 0.2, "/bin/sh", "-c", "sleep 60 & wait")

    assert used["timed_out"] is True
    assert used["code"] == -9

"""Many files in one command: every case runs, and the table is compared after each."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import readme
from benchmarks.contenders import everyone
from benchmarks.contenders.contender import Contender, Job
from benchmarks.contenders.upsert_sql import COLUMNS, CREATE_STAGE, insert
from benchmarks.goals import GOALS
from benchmarks.results import Results, Run
from benchmarks.server import Server, running
from benchmarks.small_files import Loads, cases

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| (.+) \| [\d.]+ \| [\d.]+ \| [\d.]+ \| \d+ \|$", re.M)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running(settings={"fsync": "off"}) as server:
        yield server


def test_every_case_runs() -> None:
    here = [name for name in ("floor", "mdload", "mdload-2", "mdload-known", "psql")
            if everyone()[name].missing() is None]  # fmt: skip
    command = [sys.executable, "-m", "benchmarks.small_files", "--rounds", "1", "--files", "3",
               "--known", "4", "--rows", "40", "--large", "250",
               "--contenders", ",".join(here)]  # fmt: skip
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr[-2000:]
    tables = ran.stdout.partition("## Goals")[0].split("\n`")
    assert [ROW.findall(each) for each in tables] == [
        [everyone()[name].many_title for name in here if name != "mdload-known"],
        [everyone()[name].many_title for name in here if name not in ("mdload-known", "psql")],
        ["mdload backfill; per file"],
        *[["mdload backfill, files recognised"]] * 3,
        ["mdload backfill; per file", "mdload backfill --workers 2; per file"],
    ]
    for goal in ("against COPY and a commit for each", "recognised, each", "compared, each",
                 "two workers on many small files", "two workers on four large"):  # fmt: skip
        assert goal in ran.stdout


@pytest.mark.parametrize(
    ("share", "note"), [("", ""), (" WHERE volume > 100", "rows, or others than expected")]
)
def test_a_wrong_table_is_not_silently_timed(
    server: Server, tmp_path: Path, share: str, note: str
) -> None:
    """Loads CSV files by hand: all rows, or some."""
    tmp_path.chmod(0o755)
    code = (
        "import sys, psycopg\n"
        "with psycopg.connect(sys.argv[1]) as connection:\n"
        f"    connection.execute('{CREATE_STAGE}')\n"
        "    for path in sys.argv[2:]:\n"
        "        with connection.cursor().copy('COPY stage (" + ", ".join(COLUMNS) + ") FROM STDIN "
        "(FORMAT csv, HEADER)') as stream:\n"
        "            stream.write(open(path, 'rb').read())\n"
        f"    connection.execute('{insert('bars_ohlcv', 'stage')}{share}')\n"
    )

    def command(job: Job) -> list[str]:
        return [sys.executable, "-c", code, job.url, *map(str, job.files)]

    by_hand = Contender("scripted", "scripted", command, formats=("csv",), many=command)
    run = Loads(server, tmp_path, {"rounds": 1}).one(cases(3, 3, 20, 20)["files"], by_hand, 1)
    assert (run.outcome, note in run.note) == ("wrong" if share else "right", True)


def test_goals_are_ratios_of_the_cases() -> None:
    seconds = {("files", "floor"): 2.0, ("files", "mdload"): 3.0, ("files", "mdload-2"): 2.0,
               ("files-known", "mdload-known"): 4.0, ("files-compared", "mdload"): 5.0,
               ("large", "mdload"): 9.0, ("large", "mdload-2"): 6.0}  # fmt: skip
    sizes = {"files": 1_000, "files-known": 5_000, "files-compared": 1_000, "large": 4}
    results = Results({}, {}, {name: {"files": count} for name, count in sizes.items()})
    results.runs = [Run(*at, 1, took, took, 300_000_000) for at, took in seconds.items()]
    results.contenders = {name: name for _, name in seconds}
    found = {goal.text: goal.value(results) for goal in GOALS if goal.value(results) is not None}
    assert found == {
        "many small files, against COPY and a commit for each": 1.5,
        "many small files, recognised, each": 0.8,
        "many small files, compared, each": 5.0,
        "two workers on many small files": 1.5,
        "two workers on four large files": 1.5,
        "peak memory, in any case": 300.0,
    }


def test_readmes_table() -> None:
    one = Results({}, {}, {"fresh": {"rows": 2_000_000}, "replay": {"rows": 2_000_000}})
    many = Results({}, {}, {"files": {"rows": 390, "files": 1_000}})
    took = {("fresh", "mdload"): 3.0, ("fresh", "floor"): 4.5, ("replay", "mdload"): 1.4,
            ("replay", "mdload-known"): 0.4, ("replay", "duckdb"): 2.15}  # fmt: skip
    one.runs = [Run(*at, 1, seconds, seconds, 0) for at, seconds in took.items()]
    one.runs.append(Run("fresh", "duckdb", 1, 9.0, 9.0, 0, outcome="wrong"))
    many.runs = [Run("files", name, 1, 5.0, 5.0, 0) for name in ("mdload", "duckdb")]
    assert readme.table([one, many]).splitlines()[2:] == [
        "| fresh, Parquet | **3.00** | 4.50 | – | – |",
        "| the same file again | **0.40** | – | – | 2.15 |",
        "| the same file, compared bar by bar (`--force`) | **1.40** | – | – | 2.15 |",
        "| 1,000 files of 390 bars | **5.00** | – | – | 5.00 |",
    ]


def test_psql_copies_each_file_by_itself(tmp_path: Path) -> None:
    contender = everyone()["psql"]
    assert contender.many
    files = (tmp_path / "a.csv", tmp_path / "b.csv")
    contender.many(Job("postgresql://", files[0], tmp_path, files[1:]))
    assert (tmp_path / "copy.sql").read_text() == "".join(
        f"\\copy bars_ohlcv ({', '.join(COLUMNS)}) FROM '{file}' WITH (FORMAT csv, HEADER)\n"
        for file in files
    )

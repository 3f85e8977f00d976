"""Every row of every file is in exactly one count, equal on stdout, in JSON and in the database."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from tests.conftest import Ran

COUNTS = ("read", "inserted", "updated", "unchanged", "duplicate", "skipped", "rejected")
COLUMNS = [f"rows_{name.replace('rejected', 'failed')}" for name in COUNTS]
Mdload = Callable[..., Ran]
HEADER = "ts,symbol,open,high,low,close,volume"


def row(minute: int, *, symbol: str = "AAA", close: float = 10, high: float = 12) -> str:
    stamp = f"2024-03-04T{9 + minute // 60:02}:{minute % 60:02}:00Z"
    return f"{stamp},{symbol},10,{high},9,{close},5"


def write(path: Path, rows: list[str]) -> None:
    path.write_text("\n".join([HEADER, *rows]) + "\n")


#: The results of a folder, file by file: state, and the counts in the order of `COUNTS`.
EXPECTED: dict[str, tuple[str, tuple[int, ...]]] = {
    "01-sorted.csv": ("loaded", (10, 10, 0, 0, 0, 0, 0)),
    "02-newest-first.csv": ("loaded", (10, 10, 0, 0, 0, 0, 0)),
    # a key in the first and the last batch of three rows, and again with another value
    "03-repeated.csv": ("loaded", (12, 10, 0, 0, 2, 0, 0)),
    "04-shuffled.csv": ("loaded", (40, 30, 0, 0, 10, 0, 0)),
    "05-some-bad.csv": ("loaded", (10, 7, 0, 0, 1, 0, 2)),
    "06-refused.csv": ("refused", (10, 0, 0, 0, 0, 0, 10)),
    "07-no-table.csv": ("failed", (0, 0, 0, 0, 0, 0, 0)),
    "08-cut-short.csv": ("failed", (0, 0, 0, 0, 0, 0, 0)),
    "09-empty.csv": ("loaded", (0, 0, 0, 0, 0, 0, 0)),
    "10-header-only.csv": ("loaded", (0, 0, 0, 0, 0, 0, 0)),
    # two bars of the first file as they are, one restated, one new
    "11-restated.csv": ("loaded", (4, 1, 1, 2, 0, 0, 0)),
    "12-same-as-01.csv": ("known", (0, 0, 0, 0, 0, 0, 0)),
}
TOTAL = (96, 68, 1, 2, 13, 0, 12)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    files = {
        "01-sorted": [row(n) for n in range(10)],
        "02-newest-first": [row(n, symbol="BBB") for n in reversed(range(10))],
        "03-repeated": [*(row(n, symbol="CCC") for n in range(10)), row(0, symbol="CCC"),
                        row(1, symbol="CCC", close=11)],
        "04-shuffled": [row(n, symbol="DDD") for n in [*range(30), *range(10)]],
        "05-some-bad": [row(0, symbol="EEE"), row(1, symbol="EEE", high=8), row(0, symbol="EEE"),
                        *(row(n, symbol="EEE") for n in range(2, 8)), row(8, symbol=" ")],
        "06-refused": [row(n, symbol="FFF", high=12 if n % 2 else 8) for n in range(10)],
        "07-no-table": [],
        "08-cut-short": [row(n, symbol="GGG") for n in range(10)],
        "09-empty": [],
        "10-header-only": [],
        "11-restated": [row(0), row(1), row(2, close=11), row(10)],
        "12-same-as-01": [row(n) for n in range(10)],
    }  # fmt: skip
    random.Random(7).shuffle(files["04-shuffled"])
    place = tmp_path / "dumps"
    place.mkdir()
    for name, rows in files.items():
        write(place / f"{name}.csv", rows)
    (place / "07-no-table.csv").write_text("%PDF-1.7\n%âãÏÓ\n1 0 obj\n")
    cut = place / "08-cut-short.csv"
    cut.write_text(cut.read_text()[:-6])
    (place / "09-empty.csv").write_text("")
    return place


def rows_of(url: str, sql: str) -> list[dict[str, Any]]:
    with psycopg.connect(url, row_factory=dict_row) as connection:
        return connection.execute(sql.encode()).fetchall()


def counts(found: dict[str, Any]) -> tuple[int, ...]:
    return tuple(found[name] for name in COLUMNS)


def load(forked: Mdload, url: str, folder: Path, *more: str) -> Ran:
    return forked("--database", url, "backfill", folder, "--provider", "p", "--interval", "1m",
                  "--batch-rows", "3", "--max-rejects", "25%", *more)  # fmt: skip


@pytest.mark.parametrize("workers", ["1", "3"])
def test_a_folder_of_all_sorts(
    forked: Mdload, database_url: str, folder: Path, workers: str
) -> None:
    forked("--database", database_url, "backfill", folder / "01-sorted.csv", "--provider", "p",
           "--interval", "1m")  # fmt: skip
    expected, there = dict(EXPECTED), 0
    with psycopg.connect(database_url, autocommit=True) as connection:  # makes 12 known
        connection.execute("UPDATE job_run_files SET path = '12-same-as-01.csv'")
        if workers == "1":
            connection.execute("TRUNCATE bars_ohlcv")
        else:  # its bars are stored, or it would be loaded again
            there = 10
    if workers == "1":
        (folder / "01-sorted.csv").write_text(  # other bytes, the same rows
            (folder / "01-sorted.csv").read_text().replace("\n", "\r\n")
        )
        # 11-restated.csv changed a bar of it since it was loaded, so it is loaded again.
        expected["12-same-as-01.csv"] = ("loaded", (10, 0, 1, 9, 0, 0, 0))
        total = (106, 68, 2, 11, 13, 0, 12)
    else:  # order between files is open, so only files without common bars
        for name in ("01-sorted.csv", "11-restated.csv"):
            (folder / name).unlink()
            del expected[name]
        total = (82, 57, 0, 0, 13, 0, 12)
    ran = load(forked, database_url, folder, "--json", "--workers", workers)
    assert ran.code == 4, ran.err  # the largest of the files' codes
    told = ran.json()
    assert counts(told) == total
    assert told["status"] == "failure"
    assert {Path(f["path"]).name: (f["state"], counts(f)) for f in told["files"]} == expected
    for each in (told, *told["files"]):
        read, *parts = counts(each)
        assert read == sum(parts)
        assert each["rows_written"] == each["rows_inserted"] + each["rows_updated"]

    (run,) = rows_of(database_url, "SELECT * FROM job_runs ORDER BY id DESC LIMIT 1")
    assert run["id"] == told["run_id"]
    assert counts(run) == total
    assert (run["status"], run["rows_written"]) == ("failure", told["rows_written"])
    assert run["symbols"] == told["symbols"]
    files = rows_of(
        database_url, f"SELECT * FROM job_run_files WHERE run_id = {run['id']} ORDER BY path"
    )
    assert {Path(f["path"]).name: (f["state"], counts(f)) for f in files} == expected
    for file, said in zip(files, told["files"], strict=True):
        for name in ("path", "content_hash", "provider", "interval", "rejected"):
            assert file[name] == said[name], (said["path"], name)
        assert file["error_message"] == said["error"]
    kept = rows_of(database_url, "SELECT path, row_number, rules FROM bars_rejected "
                   "JOIN job_run_files f ON f.id = file_id ORDER BY path, row_number")  # fmt: skip
    high = ["high_below_low", "open_outside_range", "close_outside_range"]
    assert [(Path(r["path"]).name[:2], r["row_number"], r["rules"]) for r in kept] == [
        ("05", 2, high), ("05", 10, ["symbol_missing"]),
        *(("06", number, high) for number in (1, 3, 5, 7, 9)),
    ]  # fmt: skip
    refused = next(f for f in told["files"] if f["state"] == "refused")
    assert refused["rejected"]["file_refused"] == 5
    (stored,) = rows_of(database_url, "SELECT count(*) AS bars FROM bars_ohlcv")
    assert stored["bars"] == told["rows_inserted"] + there
    repeated = next(f for f in told["files"] if "03-repeated" in f["path"])
    assert repeated["conflicting"] == 1
    assert repeated["conflicts"] == ["CCC 1m 2024-03-04 09:01:00Z (row 2, row 12 kept)"]


def test_the_terminal_shows_the_same(forked: Mdload, database_url: str, folder: Path) -> None:
    (folder / "12-same-as-01.csv").unlink()
    ran = load(forked, database_url, folder)
    shown = {}
    for line in ran.out.splitlines():
        words = line.split()
        if len(words) > 7 and all(re.fullmatch(r"[\d,]+", word) for word in words[-7:]):
            name = Path(" ".join(words[:-8])).name
            shown[name] = (words[-8], tuple(int(word.replace(",", "")) for word in words[-7:]))
    expected = {name: file for name, file in EXPECTED.items() if not name.startswith("12")}
    assert shown == {**expected, "all files": ("failure", TOTAL)}
    assert "high_below_low 6" in ran.out
    assert "1 row repeats a key with other values" in ran.out
    assert "CCC 1m 2024-03-04 09:01:00Z (row 2, row 12 kept)" in ran.out
    for words in ("07-no-table.csv is not a table", "08-cut-short.csv ends in the middle of row 10",
                  "06-refused.csv: 5 of 10 rows were rejected", "--max-rejects"):  # fmt: skip
        assert words in ran.err
    inspected = forked("--database", database_url, "job-runs", "inspect", "1")
    for name, (state, numbers) in expected.items():
        line = next(
            each.split()
            for each in inspected.out.splitlines()
            if re.search(rf"{name} +{state} ", each)
        )
        assert {str(number) for number in numbers} <= set(line)


def test_a_dry_run_says_before_what_the_load_says_after(
    forked: Mdload, database_url: str, folder: Path
) -> None:
    for name in ("11-restated.csv", "12-same-as-01.csv"):  # these meet bars of another file
        (folder / name).unlink()
    before = load(forked, database_url, folder, "--dry-run", "--json")
    after = load(forked, database_url, folder, "--json")
    assert (before.code, counts(before.json())) == (after.code, counts(after.json()))
    for dry, real in zip(before.json()["files"], after.json()["files"], strict=True):
        assert (dry["state"], counts(dry)) == (real["state"], counts(real))
        assert dry["rejected"] == real["rejected"]


def test_a_dry_run_of_files_that_share_bars_says_so(
    forked: Mdload, database_url: str, folder: Path
) -> None:
    shared = "Files share symbols and times"
    db = ("--database", database_url, "backfill", "--provider", "p", "--interval", "1m")
    alone = forked(*db, folder / "01-sorted.csv", folder / "03-repeated.csv", "--dry-run")
    assert shared not in alone.out
    ran = forked(*db, folder / "01-sorted.csv", folder / "11-restated.csv", "--dry-run")
    assert shared in ran.out


def test_conflicting_rows_of_one_key_the_last_one_wins(
    forked: Mdload, database_url: str, tmp_path: Path
) -> None:
    write(tmp_path / "a.csv", [row(0, close=10), row(5), row(0, close=11), row(3), row(0, close=9)])
    ran = forked("--database", database_url, "backfill", "a.csv", "--provider", "p", "--interval",
                 "1m", "--batch-rows", "2", "--json")  # fmt: skip
    assert counts(ran.json()) == (5, 3, 0, 0, 2, 0, 0)
    assert rows_of(database_url, "SELECT close FROM bars_ohlcv ORDER BY ts LIMIT 1") == [
        {"close": 9.0}
    ]
    (file,) = ran.json()["files"]
    assert file["conflicting"] == 2
    assert file["conflicts"] == [
        "AAA 1m 2024-03-04 09:00:00Z (row 1, row 5 kept)",
        "AAA 1m 2024-03-04 09:00:00Z (row 3, row 5 kept)",
    ]

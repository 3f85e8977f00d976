"""A load on a terminal while it runs: its progress, and its end by Ctrl-C or SIGTERM."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from loader.read.streams.marks import Marks
from tests.conftest import Ran, environment
from tests.support.sql import fetch, wait_for
from tests.support.terminal import on_terminal

HEAD = "ts,symbol,open,high,low,close\n"
NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)


def minutes(count: int, symbol: str) -> str:
    stamps = ((NOON + timedelta(minutes=n)).isoformat() for n in range(count))
    return HEAD + "".join(f"{ts},{symbol},10,11,9,10.5\n" for ts in stamps)


def test_progress_is_by_bytes(home: Path, database_url: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(minutes(150_000, "A"))
    (tmp_path / "b.csv").write_text(minutes(10, "B"))
    load = ("--database", database_url, "backfill", "--provider", "p", "--dry-run",
            "--batch-rows", "5000")  # fmt: skip
    one = on_terminal(home, tmp_path, *load, "a.csv", columns=60)
    assert one.code == 0, one.text
    shares = [int(share) for share in re.findall(r"a\.csv .*?(\d+) % ", one.text)]
    assert shares == sorted(shares)
    assert any(0 < share < 100 for share in shares)
    assert re.search(r"a\.csv .*% elapsed \d+:\d\d, left \d+:\d\d", one.text)
    assert max(len(line.rstrip()) for line in one.lines if "elapsed" in line) <= 60

    two = on_terminal(home, tmp_path, *load, "a.csv", "b.csv", columns=100)
    shares = [int(share) for share in re.findall(r"2 files .*?(\d+) %  0 of 2 files", two.text)]
    assert any(0 < share < 100 for share in shares)
    assert re.search(r"a\.csv .*%  [\d,]+ rows +elapsed", two.text)


def test_marks_lie_on_lines_between_them() -> None:
    marks = Marks()
    assert marks.at(10) == 0
    marks.add(100, 1000)
    marks.add(200, 4000)
    assert [marks.at(rows) for rows in (0, 50, 100, 150, 200, 900)] == [
        0, 500, 1000, 2500, 4000, 4000
    ]  # fmt: skip


def huge(path: Path) -> None:
    """200 GB that take no room on the disk: to hash them takes minutes."""
    path.write_text(HEAD)
    os.truncate(path, 200 << 30)


def test_ctrl_c_says_what_is_committed_and_what_to_type(
    home: Path, database_url: str, tmp_path: Path, mdload: Callable[..., Ran]
) -> None:
    (tmp_path / "a.csv").write_text(minutes(10, "A"))
    huge(tmp_path / "z.csv")
    done: list[bool] = []

    def stop(seen: str, process: subprocess.Popen[bytes]) -> str | None:
        if "1 of 2 files" not in seen or done:
            return None
        done.append(True)
        return "\x03"

    ran = on_terminal(home, tmp_path, "--database", database_url, "backfill", "a.csv", "z.csv",
                      "--provider", "p", columns=100, watch=stop)  # fmt: skip
    assert ran.code == 130
    assert " ".join(ran.end).split("error: ")[1] == (
        "interrupted: run 1 is recorded as cancelled; 1 of 2 files is committed (10 inserted, 0 "
        "updated), and the rest was rolled back hint: run the same command again: it skips what "
        "is loaded; mdload job-runs inspect 1 shows this run"
    )
    assert fetch(database_url, "SELECT status, error_message FROM job_runs") == [
        ("cancelled", "interrupted")
    ]
    assert fetch(database_url, "SELECT count(*) FROM bars_ohlcv") == [(10,)]
    shown = mdload("--database", database_url, "job-runs", "inspect", "1").out
    assert "KeyboardInterrupt" not in shown
    assert re.search(r"error +interrupted$", shown, re.MULTILINE)


@pytest.mark.parametrize("command", ["backfill", "run"])
def test_sigterm_ends_with_the_result_object(
    home: Path, database_url: str, tmp_path: Path, command: str
) -> None:
    (tmp_path / "a.csv").write_text(minutes(10, "A"))
    huge(tmp_path / "z.csv")
    (tmp_path / "mdload.toml").write_text(
        '[jobs.nightly]\nsource = ["a.csv", "z.csv"]\nprovider = "p"\nsettle = 0\n'
    )
    args = {"backfill": ("a.csv", "z.csv", "--provider", "p"), "run": ("nightly",)}[command]
    with subprocess.Popen(
        [sys.executable, "-m", "loader", "--database", database_url, command, *args, "--json"],
        cwd=tmp_path, env=environment(home), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True,
    ) as process:  # fmt: skip
        wait_for(database_url, "SELECT 1 FROM job_run_files WHERE state = 'loaded'")
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    result = json.loads(out)
    if command == "run":
        assert result["exit_code"] == 130
        [result] = result["jobs"]
    assert (result["run_id"], result["status"], result["rows_inserted"]) == (1, "cancelled", 10)
    assert (result["files"][0]["path"], result["files"][0]["state"]) == ("a.csv", "loaded")
    assert "interrupted" in err

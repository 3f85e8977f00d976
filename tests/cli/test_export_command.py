"""`mdload export` as people run it: into files, into pipes, and interrupted."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import polars as pl
import psycopg
import pytest

from tests.conftest import Ran, environment
from tests.support.sql import WAITING, fetch

Mdload = Callable[..., Ran]


@pytest.fixture
def stored(database_url: str) -> str:
    """URL of a store with ten minutes of SPY and of QQQ, and three days of SPY."""
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "INSERT INTO bars_ohlcv"
            ' (provider, symbol, "interval", ts, open, high, low, close, volume)'
            " SELECT 'p', s, i, '2024-01-02Z'::timestamptz + n * step, 10.5, 11, 10, 10.5, 100 * n"
            "   FROM (VALUES ('SPY', '1m', 10, '1 min'::interval), ('QQQ', '1m', 10, '1 min'),"
            "                ('SPY', '1d', 3, '1 day')) AS v (s, i, many, step)"
            "  CROSS JOIN LATERAL generate_series(0, many - 1) n"
        )
    return database_url


def test_a_file_and_back_again(forked: Mdload, stored: str, tmp_path: Path) -> None:
    for name in ("bars.parquet", "bars.csv"):
        out = forked("--database", stored, "export", "--to", name)
        assert (out.code, out.out) == (0, "")
        assert out.err.startswith(f"{name}: 23 bars of 3 series, 2024-01-02 to 2024-01-04")
        back = forked("--database", stored, "backfill", name, "--json").json()
        assert (back["rows_read"], back["rows_unchanged"]) == (23, 23)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bars.csv", "bars.parquet"]


def test_a_pipe_and_back_again(forked: Mdload, stored: str) -> None:
    out = forked(
        "--database", stored, "export", "--symbol", "spy", "--interval", "1Min", "--to", "-"
    )
    lines = out.out.splitlines()
    assert len(lines) == 11
    assert lines[1] == "p,SPY,1m,2024-01-02T00:00:00Z,10.5,11.0,10.0,10.5,0.0,,"
    assert out.err.startswith("-: 10 bars of 1 series, ")
    back = forked("--database", stored, "backfill", "-", "--json", stdin=out.out).json()
    assert (back["rows_read"], back["rows_unchanged"]) == (10, 10)


def test_json_says_what_was_written(forked: Mdload, stored: str, tmp_path: Path) -> None:
    said = forked(
        "--database", stored, "export", "--interval", "1d", "--since", "2024-01-03",
        "--until", "2024-01-03", "--columns", "ts, close", "--to", "day.csv", "--json",
    ).json()  # fmt: skip
    assert said.pop("elapsed_ms") >= 0
    assert said == {
        "path": "day.csv", "rows": 1, "series": 1, "columns": ["ts", "close"],
        "min_ts": "2024-01-03T00:00:00Z", "max_ts": "2024-01-03T00:00:00Z",
        "bytes": len("ts,close\n2024-01-03T00:00:00Z,10.5\n"),
    }  # fmt: skip
    assert (tmp_path / "day.csv").read_text() == "ts,close\n2024-01-03T00:00:00Z,10.5\n"


def test_a_time_without_bars_is_an_empty_table(forked: Mdload, stored: str, tmp_path: Path) -> None:
    out = forked("--database", stored, "export", "--since", "2030-01-01", "--to", "no.parquet")
    assert (out.code, out.err) == (
        0, "no.parquet: no bars in that time; only the names of the columns were written\n"
    )  # fmt: skip
    assert pl.read_parquet(tmp_path / "no.parquet").shape == (0, 11)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ("--to out.json", "neither .parquet nor .csv"),
        ("--to - --json", "both write to standard output"),
        ("--to out.csv --columns ts,price", "'price' is not one of provider, symbol"),
        ("--to out.csv --columns ts,ts", "name each once"),
        ("--to out.csv --since yesterday", "'yesterday' is neither a date, a time nor an age"),
        ("--to out.csv --symbol NOPE", "no bars of NOPE are stored"),
        ("--to absent/out.csv", "absent/out.csv cannot be written: No such file or directory"),
        ("", "Missing option '--to'"),
    ],
)
def test_what_is_wrong_is_one_sentence_and_no_file(
    forked: Mdload, stored: str, tmp_path: Path, args: str, message: str
) -> None:
    out = forked("--database", stored, "export", *args.split())
    assert (out.code, out.out) == (2, "")
    assert message in out.err
    assert "Traceback" not in out.err
    assert list(tmp_path.iterdir()) == []


def test_into_head(forked: Mdload, stored: str, home: Path) -> None:
    with psycopg.connect(stored) as connection:
        connection.execute(
            'INSERT INTO bars_ohlcv (provider, symbol, "interval", ts, open, high, low, close)'
            " SELECT 'p', 'X', '1s', ts, 1, 1, 1, 1"
            "   FROM generate_series('2024-01-02Z'::timestamptz, '2024-01-03Z', '1 s') ts"
        )
    ran = subprocess.run(
        f"{sys.executable} -m loader --database '{stored}' export --to - | head -n 1",
        shell=True, env=environment(home), capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert ran.stdout.startswith("provider,symbol,interval,ts,")
    assert ran.stderr == ""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_interrupted_it_leaves_what_was_there(
    stored: str, home: Path, tmp_path: Path, suffix: str, number: int
) -> None:
    out = tmp_path / f"out.{suffix}"
    out.write_text("before")
    with psycopg.connect(stored) as gate:
        gate.execute("LOCK TABLE bars_ohlcv IN ACCESS EXCLUSIVE MODE")  # it cannot get on
        process = subprocess.Popen(
            [sys.executable, "-m", "loader", "--database", stored, "export", "--to", str(out)],
            env=environment(home), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            until = time.monotonic() + 60
            while not list(tmp_path.glob(".out.*.part")):
                assert time.monotonic() < until
                time.sleep(0.02)
            while len(fetch(stored, WAITING)) != 1:
                assert time.monotonic() < until
                time.sleep(0.02)
            process.send_signal(number)
            _, said = process.communicate(timeout=60)
        finally:
            process.kill()
    assert (process.returncode, said.lstrip()) == (130, "error: interrupted\n")
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [(out.name, "before")]

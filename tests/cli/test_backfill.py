"""`mdload backfill` as a person types it: the real executable, a real server."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl
import psycopg
import pytest

from tests.conftest import ROOT, Ran, environment
from tests.support.sql import WAITING_FOR_BARS, fetch, wait_for

EXAMPLE = ROOT / "examples" / "bars.parquet"
COUNTS = ("rows_read", "rows_inserted", "rows_updated", "rows_unchanged", "rows_duplicate",
          "rows_skipped", "rows_failed")  # fmt: skip
Mdload = Callable[..., Ran]


def counts(found: dict[str, Any]) -> tuple[int, ...]:
    return tuple(found[name] for name in COUNTS)


def minute_csv(path: Path, rows: int, *, close: float = 10.0, start: int = 0) -> Path:
    """`rows` one-minute bars of AAA from 2024-03-04 00:00Z, O=H=L=C."""
    lines = ["ts,symbol,open,high,low,close,volume"]
    for n in range(start, start + rows):
        day, minute = divmod(n, 1440)
        stamp = f"2024-03-{4 + day:02d}T{minute // 60:02d}:{minute % 60:02d}:00Z"
        lines.append(f"{stamp},AAA,{close},{close},{close},{close},100")
    path.write_text("\n".join(lines) + "\n")
    return path


def test_the_sample_on_the_embedded_server(mdload: Mdload) -> None:
    first = mdload("backfill", EXAMPLE, "--json")
    assert first.code == 0, first.err
    told = first.json()
    # 3,900 bars: five broken, three of the others repeated at the end of the file.
    assert counts(told) == (3903, 3895, 0, 0, 3, 0, 5)
    assert told["status"] == "success"
    assert told["symbols"] == ["ALFA", "BRAV", "CHRL", "DELT", "ECHO"]
    assert (told["min_ts"], told["max_ts"]) == ("2024-03-04T14:30:00Z", "2024-03-05T20:59:00Z")
    (file,) = told["files"]
    assert (file["state"], file["provider"], file["interval"]) == ("loaded", "demo", "1m")
    assert sum(file["rejected"].values()) >= 5
    assert file["conflicting"] == 1

    again = mdload("backfill", EXAMPLE, "--json").json()
    assert again["files"][0]["state"] == "known"
    assert counts(again) == (0, 0, 0, 0, 0, 0, 0)

    forced = mdload("backfill", EXAMPLE, "--force", "--json").json()
    assert counts(forced) == (3903, 0, 0, 3895, 3, 0, 5)


def test_what_a_person_sees(forked: Mdload, database_url: str) -> None:
    ran = forked("--database", database_url, "backfill", EXAMPLE)
    assert ran.code == 0
    for word in ("inserted", "3,895", "unchanged", "duplicate", "rejected", "span", "symbols",
                 "rows/s", "WAL", "run", "mdload job-runs inspect 1"):  # fmt: skip
        assert word in ran.out
    assert "━" not in ran.err  # no progress bar where there is no terminal


def test_books_of_a_load(forked: Mdload, database_url: str) -> None:
    forked("--database", database_url, "backfill", EXAMPLE, "--job-name", "nightly")
    assert fetch(
        database_url,
        "SELECT job_name, mode, status, rows_read, rows_written, rows_inserted, rows_updated, "
        "rows_unchanged, rows_duplicate, rows_skipped, rows_failed, symbols, "
        "config_fingerprint IS NOT NULL, metadata ? 'last_heartbeat' FROM job_runs",
    ) == [
        ("nightly", "backfill", "success", 3903, 3895, 3895, 0, 0, 3, 0, 5,
         ["ALFA", "BRAV", "CHRL", "DELT", "ECHO"], True, True)
    ]  # fmt: skip
    assert fetch(
        database_url,
        "SELECT state, rows_read, rows_inserted, rows_duplicate, rows_failed, provider, "
        "\"interval\", content_hash LIKE 'sha256:%', size_bytes > 0, dialect FROM job_run_files",
    ) == [("loaded", 3903, 3895, 3, 5, "demo", "1m", True, True, "canonical")]
    assert fetch(
        database_url,
        "SELECT row_number, rules, raw ->> 'symbol' FROM bars_rejected ORDER BY row_number",
    ) == [
        (101, ["high_below_low", "open_outside_range", "close_outside_range"], "ALFA"),
        (901, ["volume_negative"], "BRAV"),
        (1501, ["price_missing"], "BRAV"),
        (2201, ["price_not_finite", "open_outside_range"], "CHRL"),
        (3001, ["symbol_missing"], " "),
    ]
    assert fetch(database_url, "SELECT source_symbol, symbol FROM provider_symbols ORDER BY 1") == [
        (" ECHO ", "ECHO"),
        *((s, s) for s in ("ALFA", "BRAV", "CHRL", "DELT", "ECHO")),
    ]


def test_dry_run_counts_and_writes_nothing(
    forked: Mdload, database_url: str, tmp_path: Path
) -> None:
    forked("--database", database_url, "backfill", minute_csv(tmp_path / "a.csv", 20),
           "--provider", "x")  # fmt: skip
    frame = pl.read_csv(tmp_path / "a.csv").with_columns(
        close=pl.when(pl.int_range(pl.len()) < 3).then(10.5).otherwise("close"),
        high=pl.lit(11.0),
    )  # every bar restated
    more = minute_csv(tmp_path / "c.csv", 5, start=20)
    frame.head(8).write_csv(tmp_path / "b.csv")
    before = fetch(database_url, "SELECT count(*) FROM job_runs")
    files = (tmp_path / "b.csv", more, tmp_path / "a.csv")
    dry = forked("--database", database_url, "backfill", *files, "--provider", "x", "--force",
                 "--dry-run", "--json")  # fmt: skip
    assert dry.code == 0, dry.err
    told = dry.json()
    assert counts(told) == (33, 5, 8, 20, 0, 0, 0)
    assert told["run_id"] is None
    assert fetch(database_url, "SELECT count(*), max(high) FROM bars_ohlcv") == [(20, 10.0)]
    assert fetch(database_url, "SELECT count(*) FROM job_runs") == before
    assert fetch(database_url, "SELECT count(*) FROM bars_ohlcv_revisions") == [(0,)]


def test_restated_bars_leave_old_and_new_values(
    forked: Mdload, database_url: str, tmp_path: Path
) -> None:
    db = ("--database", database_url)
    path = minute_csv(tmp_path / "a.csv", 6)
    forked(*db, "backfill", path, "--provider", "x")
    path.write_text(path.read_text().replace("AAA,10.0,10.0,10.0,10.0,100", "AAA,10,12,9,11,7", 1))
    told = forked(*db, "backfill", path, "--provider", "x", "--json").json()
    assert counts(told) == (6, 0, 1, 5, 0, 0, 0)
    assert fetch(
        database_url,
        "SELECT symbol, \"interval\", to_char(ts AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI'), "
        "old_open, old_high, old_low, old_close, old_volume, "
        "new_open, new_high, new_low, new_close, new_volume, run_id FROM bars_ohlcv_revisions",
    ) == [("AAA", "1m", "2024-03-04 00:00", 10, 10, 10, 10, 100, 10, 12, 9, 11, 7, 2)]
    assert fetch(database_url, "SELECT count(*) FROM bars_ohlcv WHERE updated_at > created_at") == [
        (1,)
    ]


def test_a_missing_provider_names_the_option(
    forked: Mdload, database_url: str, tmp_path: Path
) -> None:
    ran = forked("--database", database_url, "backfill", minute_csv(tmp_path / "a.csv", 3))
    assert ran.code == 3
    assert "--provider" in ran.err
    assert "Traceback" not in ran.err
    assert fetch(database_url, "SELECT count(*) FROM bars_ohlcv") == [(0,)]


def test_more_rejects_than_allowed_refuse_the_file(
    forked: Mdload, database_url: str, tmp_path: Path
) -> None:
    path = minute_csv(tmp_path / "a.csv", 50)
    path.write_text(path.read_text().replace("10.0,10.0,10.0,10.0", "10.0,9.0,11.0,10.0", 2))
    db = ("--database", database_url)
    ran = forked(*db, "backfill", path, "--provider", "x", "--json")
    assert ran.code == 4
    told = ran.json()
    assert (told["status"], told["files"][0]["state"]) == ("failure", "refused")
    assert counts(told) == (50, 0, 0, 0, 0, 0, 50)
    assert told["files"][0]["rejected"]["file_refused"] == 48
    assert "2 of 50 rows" in ran.err
    assert fetch(database_url, "SELECT count(*) FROM bars_ohlcv") == [(0,)]
    assert fetch(database_url, "SELECT row_number FROM bars_rejected ORDER BY 1") == [(1,), (2,)]
    assert fetch(database_url, "SELECT status, rows_read, rows_failed FROM job_runs") == [
        ("failure", 50, 50)
    ]

    allowed = forked(*db, "backfill", path, "--provider", "x", "--max-rejects", "2", "--json")
    assert allowed.code == 0
    assert counts(allowed.json()) == (50, 48, 0, 0, 0, 0, 2)


def test_one_bad_file_does_not_stop_the_others(
    forked: Mdload, database_url: str, tmp_path: Path
) -> None:
    minute_csv(tmp_path / "a.csv", 5)
    (tmp_path / "b.parquet").write_bytes(b"PAR1 this is cut short")
    minute_csv(tmp_path / "c.csv", 5, start=5)
    ran = forked("--database", database_url, "backfill", tmp_path, "--provider", "x", "--json")
    assert ran.code == 3
    told = ran.json()
    assert [f["state"] for f in told["files"]] == ["loaded", "failed", "loaded"]
    assert told["rows_inserted"] == 10
    assert "b.parquet" in ran.err
    assert "Traceback" not in ran.err
    assert fetch(database_url, "SELECT status FROM job_runs") == [("failure",)]
    assert fetch(database_url, "SELECT state FROM job_run_files ORDER BY path") == [
        ("loaded",), ("failed",), ("loaded",)
    ]  # fmt: skip


@pytest.mark.parametrize("workers", ["1", "3"])
def test_several_files(forked: Mdload, database_url: str, tmp_path: Path, workers: str) -> None:
    for n in range(6):
        minute_csv(tmp_path / f"{n}.csv", 10, start=10 * n)
    told = forked("--database", database_url, "backfill", tmp_path / "*.csv", "--provider", "x",
                  "--workers", workers, "--json").json()  # fmt: skip
    assert counts(told) == (60, 60, 0, 0, 0, 0, 0)
    assert [Path(f["path"]).name for f in told["files"]] == [f"{n}.csv" for n in range(6)]
    assert fetch(database_url, "SELECT rows_inserted, status FROM job_runs") == [(60, "success")]


def test_standard_input(forked: Mdload, database_url: str, tmp_path: Path) -> None:
    text = minute_csv(tmp_path / "a.csv", 4).read_text()
    told = forked("--database", database_url, "backfill", "-", "--provider", "x", "--json",
                  stdin=text).json()  # fmt: skip
    assert counts(told) == (4, 4, 0, 0, 0, 0, 0)


def test_a_server_without_the_schema_says_what_to_run(forked: Mdload, empty_url: str) -> None:
    ran = forked("--database", empty_url, "backfill", EXAMPLE)
    assert ran.code == 5
    assert "mdload migrate" in ran.err
    assert forked("--database", empty_url, "migrate").code == 0
    assert forked("--database", empty_url, "backfill", EXAMPLE).code == 0


def test_an_unreachable_server(forked: Mdload) -> None:
    url = "postgresql://me:sekret@127.0.0.1:1/x"
    ran = forked("--database", url, "backfill", EXAMPLE)
    assert ran.code == 5
    assert "sekret" not in ran.err + ran.out
    assert "Traceback" not in ran.err


def test_settings_from_the_file(forked: Mdload, database_url: str, tmp_path: Path) -> None:
    minute_csv(tmp_path / "a.csv", 4)
    (tmp_path / "mdload.toml").write_text(
        f'[database]\nurl = "{database_url}"\n[defaults]\nprovider = "filed"\n'
    )
    assert forked("backfill", "a.csv").code == 0
    assert fetch(database_url, "SELECT DISTINCT provider FROM bars_ohlcv") == [("filed",)]
    (tmp_path / "mdload.toml").write_text('[defaults]\nprovidr = "x"\n')
    ran = forked("backfill", "a.csv")
    assert ran.code == 2
    assert "provider" in ran.err


@contextmanager
def started(*args: str | Path, home: Path) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "loader", *map(str, args)],
        env=environment(home), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        # Where the tests run in the background SIGINT is ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("sig", [signal.SIGINT, signal.SIGTERM])
def test_a_load_that_is_asked_to_stop(database_url: str, home: Path, sig: signal.Signals) -> None:
    with psycopg.connect(database_url) as blocker:
        blocker.execute("LOCK TABLE bars_ohlcv IN ACCESS EXCLUSIVE MODE")
        with started("--database", database_url, "backfill", EXAMPLE, home=home) as process:
            wait_for(database_url, WAITING_FOR_BARS)
            process.send_signal(sig)
            _, err = process.communicate(timeout=30)
        assert process.returncode == 130, err
        assert b"Traceback" not in err
        blocker.rollback()
    assert fetch(database_url, "SELECT count(*) FROM bars_ohlcv") == [(0,)]
    assert fetch(database_url, "SELECT status FROM job_runs") == [("cancelled",)]


def test_a_load_that_was_killed_is_stuck(forked: Mdload, database_url: str, home: Path) -> None:
    db = ("--database", database_url)
    with psycopg.connect(database_url) as blocker:
        blocker.execute("LOCK TABLE bars_ohlcv IN ACCESS EXCLUSIVE MODE")
        with started(*db, "backfill", EXAMPLE, home=home) as process:
            wait_for(database_url, WAITING_FOR_BARS)
            process.kill()
            process.wait()
        blocker.rollback()
    assert fetch(database_url, "SELECT status FROM job_runs") == [("running",)]
    assert forked(*db, "job-runs", "stuck").code == 0
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "UPDATE job_runs SET started_at = now() - interval '20 minutes', "
            "metadata = metadata - 'last_heartbeat'"
        )
    assert forked(*db, "job-runs", "stuck").code == 6
    again = forked(*db, "backfill", EXAMPLE, "--json").json()
    assert counts(again) == (3903, 3895, 0, 0, 3, 0, 5)


def test_parts_that_were_committed_are_not_read_in_again(
    forked: Mdload, database_url: str, tmp_path: Path
) -> None:
    db = ("--database", database_url)
    path = minute_csv(tmp_path / "a.csv", 100)
    spoilt = path.read_text().replace("10.0,10.0,10.0,10.0", "x,10.0,10.0,10.0")
    lines = spoilt.splitlines()
    good = path.read_text().splitlines()
    path.write_text("\n".join([*good[:61], *lines[61:]]) + "\n")
    args = ("backfill", path, "--provider", "x", "--commit-every", "20", "--json")
    stopped = forked(*db, *args)
    assert stopped.code == 4
    assert fetch(database_url, "SELECT count(*) FROM bars_ohlcv") == [(60,)]
    assert counts(stopped.json()) == (80, 60, 0, 0, 0, 0, 20)
    resumed = forked(*db, *args, "--max-rejects", "100%")
    assert resumed.code == 0, resumed.err
    assert counts(resumed.json()) == (40, 0, 0, 0, 0, 0, 40)


@pytest.mark.parametrize("source", ["", "  "])
def test_an_empty_source_is_a_usage_error(forked: Mdload, tmp_path: Path, source: str) -> None:
    minute_csv(tmp_path / "a.csv", 3)
    for command in (("backfill", source), ("backfill", "a.csv", source), ("inspect", source)):
        ran = forked(*command, "--provider", "demo", "--interval", "1m")
        assert (ran.code, ran.out) == (2, "")
        assert "a source is empty: it names nothing\nhint: is the variable set?" in ran.err
    (tmp_path / "mdload.toml").write_text(
        f'[jobs.j]\nsource = "{source}"\nprovider = "demo"\ninterval = "1m"\n'
    )
    assert forked("run", "j").code == 2

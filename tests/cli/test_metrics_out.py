"""`backfill --metrics-textfile, --push-gateway`: the executable's metrics against its books."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.conftest import ROOT, Ran, environment
from tests.support.sql import WAITING_FOR_BARS, wait_for

EXAMPLE = ROOT / "examples" / "bars.parquet"
Mdload = Callable[..., Ran]
OUTCOMES = ("inserted", "updated", "unchanged", "duplicate", "skipped", "rejected")


def minutes(path: Path, rows: int, *, close: float = 10.0, start: int = 0) -> Path:
    """`rows` one-minute bars of AAA from 2024-03-04 00:00Z."""
    stamps = (divmod(n, 60) for n in range(start, start + rows))
    lines = [f"2024-03-04T{h:02d}:{m:02d}:00Z,AAA,10,20,5,{close},100" for h, m in stamps]
    path.write_text("\n".join(["ts,symbol,open,high,low,close,volume", *lines]) + "\n")
    return path


class Metrics:
    """The samples of a textfile."""

    def __init__(self, path: Path) -> None:
        families = text_string_to_metric_families(path.read_text())
        self._samples = [sample for family in families for sample in family.samples]

    def sum(self, name: str, **labels: str) -> float:
        return sum(
            s.value for s in self._samples if s.name == name and labels.items() <= s.labels.items()
        )

    def outcomes(self) -> tuple[float, ...]:
        return tuple(self.sum("store_rows_total", outcome=name) for name in OUTCOMES)


def books(url: str) -> tuple[Any, ...]:
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "SELECT sum(rows_inserted), sum(rows_updated), sum(rows_unchanged), "
            "sum(rows_duplicate), sum(rows_skipped), sum(rows_failed) FROM job_runs"
        ).fetchone()
    assert row is not None
    return tuple(int(value or 0) for value in row)


def test_runs_of_every_kind_agree_with_job_runs(
    mdload: Mdload, database_url: str, tmp_path: Path
) -> None:
    prom = tmp_path / "mdload.prom"

    def load(*args: str | Path) -> int:
        return mdload("--database", database_url, "backfill", *args, "--provider", "x",
                      "--interval", "1m", "--job-name", "nightly",
                      "--metrics-textfile", prom).code  # fmt: skip

    whole = minutes(tmp_path / "a.csv", 100)
    assert load(whole, "--commit-every", "30") == 0  # four parts
    assert load(whole, "--commit-every", "30") == 0  # known
    assert load(minutes(tmp_path / "b.csv", 40, close=11.0)) == 0  # restated
    bad = minutes(tmp_path / "c.csv", 20, start=100)
    bad.write_text(bad.read_text().replace("AAA,10,20,5", "AAA,10,5,20", 2))
    assert load(bad) == 4  # refused
    assert load(bad, "--max-rejects", "2", tmp_path / "a.csv") == 0  # a.csv takes b.csv back
    assert load(EXAMPLE, "--dry-run") == 0  # no run
    assert load(tmp_path / "absent.csv") == 3  # no run in the database
    found = Metrics(prom)
    assert found.outcomes() == books(database_url) == (118, 80, 60, 0, 0, 22)
    assert found.sum("store_bars_written_total", status="success") == 198
    assert found.sum("store_bars_written_total", method="UPSERT", status="success") == 80
    # The refused file's good rows were on their way when it was refused.
    assert found.sum("store_bars_written_total", status="failure") == 18
    assert found.sum("store_rows_rejected_total", rule="file_refused") == 18
    assert found.sum("store_rows_rejected_total", rule="high_below_low") == 4
    states = {s: found.sum("store_files_total", state=s) for s in ("loaded", "known", "refused")}
    assert states == {"loaded": 4, "known": 1, "refused": 1}
    runs = {
        status: found.sum("store_job_runs_total", status=status, job_name="nightly", provider="x")
        for status in ("started", "success", "failure", "cancelled")
    }
    assert runs == {"started": 6, "success": 4, "failure": 2, "cancelled": 0}
    assert found.sum("store_job_runs_duration_seconds_count") == 6
    sizes = sum(f.stat().st_size for f in (whole, tmp_path / "b.csv", bad, bad, whole))
    assert found.sum("store_bytes_read_total") == sizes
    assert found.sum("store_wal_bytes_total") > 0


def test_a_server_that_is_away_is_a_failure_to_be_told(forked: Mdload, tmp_path: Path) -> None:
    ran = forked("--database", "postgresql://127.0.0.1:1/x", "backfill", EXAMPLE,
                 "--metrics-textfile", tmp_path / "m.prom")  # fmt: skip
    assert ran.code == 5
    found = Metrics(tmp_path / "m.prom")
    assert found.sum("store_job_runs_total", status="failure") == 1
    assert found.sum("store_job_last_failure_timestamp_seconds") > 1.6e9


def test_a_run_that_is_asked_to_stop(database_url: str, home: Path, tmp_path: Path) -> None:
    prom = tmp_path / "m.prom"
    with psycopg.connect(database_url) as blocker:
        blocker.execute("LOCK TABLE bars_ohlcv IN ACCESS EXCLUSIVE MODE")
        process = subprocess.Popen(
            [sys.executable, "-m", "loader", "--database", database_url, "backfill", EXAMPLE,
             "--metrics-textfile", prom],
            env=environment(home), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        wait_for(database_url, WAITING_FOR_BARS)
        # Whoever scrapes now sees that a run has started and not ended.
        assert Metrics(prom).sum("store_job_runs_total", status="started") == 1
        assert Metrics(prom).sum("store_job_last_end_timestamp_seconds") == 0
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 130
    found = Metrics(prom)
    assert found.sum("store_job_runs_total", status="cancelled") == 1
    assert found.sum("store_job_last_failure_timestamp_seconds") == 0
    assert found.outcomes() == (0, 0, 0, 0, 0, 0)
    assert found.sum("store_bars_written_total") == 0


@pytest.mark.parametrize("where", ["option", "environment", "file"])
def test_a_gateway_that_is_away_changes_nothing_but_stderr(
    forked: Mdload, database_url: str, tmp_path: Path, where: str
) -> None:
    gateway = "http://127.0.0.1:1"
    if where == "file":
        (tmp_path / "mdload.toml").write_text(f'[defaults]\npush_gateway = "{gateway}"\n')
    env = {"MDLOAD_PUSH_GATEWAY": gateway} if where == "environment" else {}
    option = ("--push-gateway", gateway) if where == "option" else ()
    ran = forked("--database", database_url, "backfill", EXAMPLE, "--json", *option, env=env)
    assert ran.code == 0
    assert ran.json()["status"] == "success"
    starts, note, warning = ran.err.splitlines()
    assert "starts of the bars" in starts
    assert "1 symbol trimmed/upper-cased" in note
    assert warning.startswith("warning: the metrics did not reach http://127.0.0.1:1: ")


def test_a_gateway_that_is_not_a_url_is_said_before_anything_happens(
    forked: Mdload, database_url: str
) -> None:
    ran = forked(
        "--database", database_url, "backfill", EXAMPLE, "--push-gateway", "gopher://nowhere"
    )
    assert ran.code == 2
    assert "--push-gateway" in ran.err
    assert books(database_url) == (0, 0, 0, 0, 0, 0)


@pytest.mark.parametrize("place", ["no/such/folder/m.prom", "foreign.prom"])
def test_metrics_that_cannot_be_written_stop_no_load(
    forked: Mdload, database_url: str, tmp_path: Path, place: str
) -> None:
    (tmp_path / "foreign.prom").write_text("node_load1 0.5\n")
    asked = ("--database", database_url, "backfill", EXAMPLE, "--metrics-textfile", place)
    ran = forked(*asked)
    assert ran.code == 0
    assert f"warning: the run goes on without metrics: --metrics-textfile {place}" in ran.err
    assert (tmp_path / "foreign.prom").read_text() == "node_load1 0.5\n"
    (tmp_path / "mdload.toml").write_text(
        f'[jobs.a]\nsource = "{EXAMPLE}"\nmetrics_textfile = "{place}"\n'
    )
    job = forked("--database", database_url, "run", "a")
    assert (job.code, "goes on without metrics" in job.err) == (0, True)


def test_metrics_cost_nothing_where_nobody_asked() -> None:
    probe = (
        "import sys\nsys.argv[1:] = ['backfill', '--help']\nfrom loader.cli import root\n"
        "try:\n    root.main()\nexcept SystemExit:\n"
        "    print('prometheus_client' in sys.modules, 'polars' in sys.modules)"
    )
    out = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, cwd=ROOT, check=True
    ).stdout
    assert out.splitlines()[-1] == "False False"

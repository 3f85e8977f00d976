"""The roles of docs/roles.sql: each command under the role with the fewest privileges for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.conftest import ROOT
from tests.support.granted import granted

Run = Callable[..., Any]

EXAMPLE = ROOT / "examples" / "bars.parquet"
HEADER = "symbol,ts,open,high,low,close,volume\n"


@pytest.fixture
def people(database_url: str) -> Iterator[Callable[[str], str]]:
    with granted(database_url) as url:
        yield url


@pytest.fixture
def bars(tmp_path: Path) -> Callable[..., Path]:
    """A file of five minutes of one symbol, with the given close and broken rows."""

    def made(name: str, close: float = 10.5, broken: int = 0) -> Path:
        path = tmp_path / name
        low = [12 if n < broken else 9 for n in range(5)]
        path.write_text(HEADER + "".join(
            f"AA,2024-03-01T14:3{n}:00Z,10,11,{low[n]},{close},100\n" for n in range(5)
        ))  # fmt: skip
        return path

    return made


def test_backfill_as_the_loader(
    forked: Run, people: Callable[[str], str], bars: Callable[..., Path]
) -> None:
    def backfill(*args: str | Path) -> tuple[int, int, int, int, int]:
        ran = forked("--database", people("nightly"), "backfill", *args, "--provider", "p",
                     "--interval", "1m", "--json")  # fmt: skip
        counts = ("inserted", "updated", "unchanged", "failed")
        return (ran.code, *(ran.json()[f"rows_{name}"] for name in counts))

    first, second, wrong = bars("a.csv"), bars("b.csv", close=10.75), bars("c.csv", broken=2)
    assert backfill(first) == (0, 5, 0, 0, 0)
    assert backfill(first) == (0, 0, 0, 0, 0)  # known
    assert backfill(first, "--force") == (0, 0, 0, 5, 0)
    assert backfill(second, "--dry-run") == (0, 0, 5, 0, 0)
    assert backfill(second) == (0, 0, 5, 0, 0)  # through the stage, with revisions
    assert backfill(wrong, "--max-rejects", "2") == (0, 0, 3, 0, 2)
    assert backfill(wrong, "--force", "--max-rejects", "1") == (4, 0, 0, 0, 5)
    assert backfill(EXAMPLE, "--workers", "2", "--commit-every", "1000")[0] == 0


def test_small_files_where_nobody_may_use_plpgsql(
    forked: Run, people: Callable[[str], str], database_url: str, tmp_path: Path
) -> None:
    """They load one by one then: a block in that language commits several."""
    with psycopg.connect(database_url) as superuser:
        superuser.execute("REVOKE USAGE ON LANGUAGE plpgsql FROM PUBLIC")
    files = []
    for n in range(12):
        files.append(tmp_path / f"{n}.csv")
        files[-1].write_text(
            "symbol,ts,open,high,low,close,volume\n"
            + "".join(f"S{n},2024-03-01T14:3{m}:00Z,10,11,9,10.5,100\n" for m in range(9))
        )
    ran = forked("--database", people("nightly"), "backfill", *map(str, files), "--provider", "p",
                 "--interval", "1m", "--json")  # fmt: skip
    assert ran.code == 0, ran.err
    assert ran.json()["rows_inserted"] == 108
    assert [file["state"] for file in ran.json()["files"]] == ["loaded"] * 12


def test_run_as_the_loader(
    forked: Run, people: Callable[[str], str], bars: Callable[..., Path], tmp_path: Path
) -> None:
    (tmp_path / "mdload.toml").write_text(
        '[jobs.nightly]\nsource = "*.csv"\nprovider = "p"\ninterval = "1m"\nsettle = "0s"\n'
        'missing = "fail"\nmax_rejects = 2\n'
    )

    def run(*args: str, person: str = "nightly") -> Any:
        return forked("--database", people(person), "run", "nightly", *args, "--json")

    def counts(ran: Any) -> tuple[int, int, int]:
        assert ran.code == 0, ran.err
        (job,) = ran.json()["jobs"]
        return job["rows_inserted"], job["rows_updated"], job["rows_failed"]

    assert run().code == 3  # no such file, recorded as a failed run
    bars("a.csv")
    assert counts(run("--dry-run")) == (5, 0, 0)
    assert counts(run()) == (5, 0, 0)
    bars("a.csv", close=10.75, broken=2)
    assert counts(run("--wait")) == (0, 3, 2)
    assert run(person="analyst").code == 5


def test_live_as_the_loader(forked: Run, people: Callable[[str], str]) -> None:
    line = (
        '{"symbol": "AA", "ts": "2024-03-01T14:30:00Z", "open": 10, "high": 11, "low": 9,'
        ' "close": 10.5, "volume": 100}\n'
    )
    for close, counts in (("10.5", (1, 0)), ("10.75", (0, 1))):
        ran = forked("--database", people("nightly"), "live", "--provider", "p", "--interval", "1m",
                     "--json", stdin=line.replace("10.5", close) + "no bar\n")  # fmt: skip
        assert ran.code == 0, ran.err
        found = ran.json()
        assert (found["rows_inserted"], found["rows_updated"], found["rows_failed"]) == (*counts, 1)


def test_runs_as_the_loader_but_cleaning_up_only_as_the_owner(
    forked: Run, people: Callable[[str], str], database_url: str
) -> None:
    def job_runs(person: str, *args: str) -> Any:
        return forked("--database", people(person), "job-runs", *args, "--json")

    with psycopg.connect(database_url) as connection:
        connection.execute("INSERT INTO job_runs (job_name, started_at) VALUES ('j', '2024-03-01')")
    assert job_runs("analyst", "stuck", "--mark-failed").code == 5
    assert job_runs("nightly", "stuck", "--mark-failed").code == 6
    for person in ("nightly", "analyst"):
        assert job_runs(person, "list").json()[0]["status"] == "failure"
        assert job_runs(person, "inspect", "1").code == job_runs(person, "summary").code == 0
    cleanup = ("cleanup", "--older-than-days", "0", "--confirm")
    refused = job_runs("nightly", *cleanup)
    assert (refused.code, refused.err.count("permission denied for table job_runs")) == (5, 1)
    assert job_runs("keeper", *cleanup).json()["deleted"] == 1


def test_migrate_as_the_owner(forked: Run, people: Callable[[str], str], database_url: str) -> None:
    from loader.store import schema

    url = f"{people('keeper')}&options=-crole%3Dmdload_owner"
    schema.downgrade(url, "base")
    assert forked("--database", people("nightly"), "migrate").code == 5
    assert forked("--database", url, "migrate").code == 0


@pytest.mark.parametrize("person", ["analyst", "stranger"])
def test_backfill_as_nobody_who_may(
    forked: Run, people: Callable[[str], str], bars: Callable[..., Path], person: str
) -> None:
    ran = forked("--database", people(person), "backfill", bars("a.csv"), "--provider", "p")
    assert (ran.code, ran.out) == (5, "")
    assert "hint: " in ran.err

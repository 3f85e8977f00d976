"""`mdload run`: the files a job loads, its recorded runs, and missing files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Ran
from tests.support.jobs import bars, config
from tests.support.sql import fetch

Mdload = Callable[..., Ran]
NIGHTLY = '[jobs.nightly]\nsource = "dumps/{date-1d:%Y%m%d}.csv"\ndataset = "minutes"\n'
RUNS = "SELECT job_name, dataset_name, mode, status, error_message FROM job_runs ORDER BY id"


def dumps(folder: Path, *days: str) -> None:
    for n, day in enumerate(days):
        bars(folder / "dumps" / f"{day.replace('-', '')}.csv", 10 + n, day)


def test_a_job_loads_its_day_and_records_it(
    mdload: Mdload, tmp_path: Path, database_url: str
) -> None:
    dumps(tmp_path, "2024-03-04", "2024-03-05")
    config(tmp_path, database_url, NIGHTLY + 'mode = "live"')
    ran = mdload("run", "nightly", "--date", "2024-03-05", "--json")
    assert ran.code == 0
    assert ran.err == (
        "dumps/20240304.csv: times are read as the starts of the bars; if they are ends: "
        "--stamp end\n"
    )
    told = ran.json()
    (job,) = told["jobs"]
    assert told["exit_code"] == job["exit_code"] == 0
    assert (job["job"], job["days"], job["status"]) == ("nightly", ["2024-03-05"], "success")
    assert (job["rows_read"], job["rows_inserted"]) == (10, 10)
    assert [file["path"] for file in job["files"]] == ["dumps/20240304.csv"]
    assert job["runs"] == [job["run_id"]]
    assert fetch(database_url, RUNS) == [("nightly", "minutes", "live", "success", None)]
    shown = mdload("config", "show", "nightly", "--json").json()["jobs"][0]
    ((print_, version, meta),) = fetch(
        database_url, "SELECT config_fingerprint, pipeline_version, metadata FROM job_runs"
    )
    assert (print_, version) == (shown["fingerprint"], "0.1.0")
    assert (meta["days"], meta["attempt"]) == (["2024-03-05", "2024-03-05"], 1)
    assert meta["sources"] == ["dumps/20240304.csv"]


def test_a_window_and_a_span(forked: Mdload, tmp_path: Path, database_url: str) -> None:
    days = [f"2024-03-0{n}" for n in range(1, 7)]
    dumps(tmp_path, *days)
    config(tmp_path, database_url, NIGHTLY + "days = 3\nworkers = 2")
    ran = forked("run", "nightly", "--date", "2024-03-05", "--json").json()["jobs"][0]
    assert [(f["path"], f["state"], f["rows_inserted"]) for f in ran["files"]] == [
        ("dumps/20240302.csv", "loaded", 11),
        ("dumps/20240303.csv", "loaded", 12),
        ("dumps/20240304.csv", "loaded", 13),
    ]
    ran = forked("run", "nightly", "--since", "2024-03-03", "--until", "2024-03-07", "--json")
    (job,) = ran.json()["jobs"]
    assert [(f["path"][-6:-4], f["state"]) for f in job["files"]] == [
        ("02", "known"), ("03", "known"), ("04", "known"), ("05", "loaded"), ("06", "loaded"),
    ]  # fmt: skip
    assert (job["days"][0], job["days"][-1]) == ("2024-03-03", "2024-03-07")


def test_all_jobs_run_whatever_becomes_of_one(
    forked: Mdload, tmp_path: Path, database_url: str
) -> None:
    dumps(tmp_path, "2024-03-04")
    (tmp_path / "bad.csv").write_text("ts,open\n2024-03-04,1\n")
    config(
        tmp_path, database_url,
        '[jobs.first]\nsource = ["bad.csv", "dumps/*.csv"]',
        '[jobs.second]\nsource = "dumps/*.csv"\nsymbol_map = "nowhere.csv"',
        '[jobs.third]\nsource = "dumps/20240304.csv"\nprovider = "q"',
    )  # fmt: skip
    ran = forked("run", "--all", "--json")
    first, second, third = ran.json()["jobs"]
    assert (ran.code, [j["exit_code"] for j in (first, second, third)]) == (3, [3, 2, 0])
    assert [(f["path"], f["state"]) for f in first["files"]] == [
        ("bad.csv", "failed"),
        ("dumps/20240304.csv", "loaded"),
    ]
    assert "nowhere.csv cannot be read" in second["error"]
    assert third["rows_inserted"] == 10
    states = [(job, status) for job, _, _, status, _ in fetch(database_url, RUNS)]
    assert states == [("first", "failure"), ("second", "failure"), ("third", "success")]
    plain = forked("run", "third", "first", "--force")
    assert plain.out.index("job third, for ") < plain.out.index("job first, for ")
    assert "bad.csv" in plain.err


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ("", "name the jobs to run, or --all of them"),
        ("nightly --all", "name the jobs to run, or --all of them"),
        ("nigtly", "there is no job 'nigtly'"),
        ("nightly --until 2024-03-01", "the ends of a span"),
        (
            "nightly --since 2024-03-02 --until 2024-03-01",
            "--since 2024-03-02 is after --until 2024-03-01",
        ),
        ("nightly --since 2024-03-02 --date 2024-03-02", "the ends of a span"),
        ("nightly --date 5.3.2024", "is not a date such as 2024-03-05"),
        ("nightly --wait=never", "'never' is not a time such as 30s"),
        ("--wait nightly2", "there is no job 'nightly2'"),
        ("nightly --set workers", "'workers' is not KEY=VALUE"),
    ],
)
def test_what_cannot_be_asked(forked: Mdload, tmp_path: Path, args: str, said: str) -> None:
    config(tmp_path, "postgresql://nobody@127.0.0.1:1/x", NIGHTLY)
    ran = forked("run", *args.split())
    assert (ran.code, said in ran.err) == (2, True), ran.err


@pytest.mark.parametrize("asked", ["nightly", "--all"])
def test_without_a_file_there_is_no_job(forked: Mdload, asked: str) -> None:
    ran = forked("run", asked)
    assert (ran.code, "mdload.toml does not exist here" in ran.err) == (2, True)


@pytest.mark.parametrize(
    ("missing", "code", "status"),
    [("fail", 3, "failure"), ("warn", 0, "success"), ("ignore", 0, "success")],
)
def test_a_source_that_is_not_there(
    forked: Mdload, tmp_path: Path, database_url: str, missing: str, code: int, status: str
) -> None:
    dumps(tmp_path, "2024-03-04")
    config(tmp_path, database_url, NIGHTLY + f'days = 2\nmissing = "{missing}"')
    ran = forked("run", "nightly", "--date", "2024-03-06", "--json")
    (job,) = ran.json()["jobs"]
    assert (ran.code, job["status"], job["rows_inserted"]) == (code, status, 10)
    assert job["missing"] == ([] if missing == "ignore" else ["dumps/20240305.csv"])
    assert ("warning: dumps/20240305.csv is missing" in ran.err) == (missing == "warn")
    assert ("dumps/20240305.csv does not exist" in ran.err) == (missing == "fail")
    assert [row[3] for row in fetch(database_url, RUNS)] == [status]


def test_nothing_is_expected_when_the_exchange_is_closed(
    forked: Mdload, tmp_path: Path, database_url: str
) -> None:
    """2024-03-29 was Good Friday, 30 and 31 a weekend."""
    dumps(tmp_path, "2024-03-30")
    config(tmp_path, database_url, NIGHTLY + 'days = 5\ncalendar = "XNYS"')
    ran = forked("run", "nightly", "--date", "2024-04-02", "--json")
    (job,) = ran.json()["jobs"]
    assert job["missing"] == ["dumps/20240328.csv", "dumps/20240401.csv"]
    assert job["rows_inserted"] == 10
    ran = forked("run", "nightly", "--date", "2024-04-01", "--json", "--set", "days=3")
    assert (ran.code, ran.json()["jobs"][0]["missing"]) == (0, [])
    ran = forked("run", "nightly", "--set", "calendar=XNYSE")
    assert (ran.code, "there is no exchange calendar 'XNYSE'" in ran.err) == (2, True)


def test_a_file_that_changed_under_its_name_is_loaded_and_said_so(
    forked: Mdload, tmp_path: Path, database_url: str
) -> None:
    config(tmp_path, database_url, '[jobs.a]\nsource = "dumps/*.csv"')
    dumps(tmp_path, "2024-03-04", "2024-03-05")
    assert forked("run", "a").code == 0
    assert forked("run", "a").code == 0
    bars(tmp_path / "dumps/20240304.csv", 10, "2024-03-04", close=11.0)
    ran = forked("run", "a", "--json")
    assert "dumps/20240304.csv: changed since run 2 loaded it: loading it again" in ran.err
    assert "20240305.csv: changed" not in ran.err
    (job,) = ran.json()["jobs"]
    assert [(f["state"], f["rows_updated"]) for f in job["files"]] == [("loaded", 10), ("known", 0)]


def test_a_dry_run_writes_nothing(forked: Mdload, tmp_path: Path, database_url: str) -> None:
    dumps(tmp_path, "2024-03-04")
    config(tmp_path, database_url, NIGHTLY)
    ran = forked("run", "nightly", "--date", "2024-03-05", "--dry-run", "--json")
    (job,) = ran.json()["jobs"]
    assert (ran.code, job["rows_inserted"], job["run_id"], job["runs"]) == (0, 10, None, [])
    assert fetch(database_url, "SELECT count(*) FROM bars_ohlcv") == [(0,)]
    assert fetch(database_url, RUNS) == []


def test_set_and_environment_precede_the_file(
    forked: Mdload, tmp_path: Path, database_url: str
) -> None:
    dumps(tmp_path, "2024-03-04")
    config(tmp_path, database_url, NIGHTLY)
    prom = tmp_path / "mdload.prom"
    ran = forked(
        "run", "nightly", "--date", "2024-03-05", "--set", "provider=q",
        env={"MDLOAD_METRICS_TEXTFILE": str(prom)},
    )  # fmt: skip
    assert ran.code == 0, ran.err
    assert fetch(database_url, "SELECT DISTINCT provider FROM bars_ohlcv") == [("q",)]
    assert 'store_rows_total{job_name="nightly",mode="backfill",outcome="inserted"' in (
        prom.read_text()
    )


def test_paths_start_where_the_file_lies(forked: Mdload, tmp_path: Path, database_url: str) -> None:
    (tmp_path / "etc").mkdir()
    dumps(tmp_path / "etc", "2024-03-04")
    path = config(tmp_path / "etc", database_url, NIGHTLY)
    ran = forked(
        "--config", path, "run", "nightly", "--date", "2024-03-05", "--json", cwd=Path("/")
    )
    assert ran.code == 0, ran.err
    assert ran.json()["jobs"][0]["files"][0]["path"] == f"{path.parent}/dumps/20240304.csv"


def test_the_embedded_server_is_made_ready(forked: Mdload, tmp_path: Path, warm: Path) -> None:
    dumps(tmp_path, "2024-03-04")
    config(tmp_path, "postgresql://unused", NIGHTLY)
    text = (tmp_path / "mdload.toml").read_text()
    (tmp_path / "mdload.toml").write_text(text.replace('url = "postgresql://unused"\n', ""))
    ran = forked("--log-format", "json", "run", "nightly", "--date", "2024-03-05", "--json")
    assert (ran.code, ran.json()["jobs"][0]["rows_inserted"]) == (0, 10), ran.err
    assert "run_done" in {json.loads(line)["event"] for line in ran.err.splitlines()}


def test_a_setting_that_fits_none_is_told_with_its_place(
    forked: Mdload, tmp_path: Path, database_url: str
) -> None:
    config(tmp_path, database_url, '[jobs.a]\nsource = "x.csv"\nmax_rejects = "150%"')
    ran = forked("run", "a")
    assert ran.code == 2
    assert ran.err == (
        "error: mdload.toml:10: jobs.a.max_rejects '150%' is neither a number of rows nor a "
        "percentage\nhint: for example 100 or 0.5%\n"
    )
    ran = forked("run", "a", "--set", "max_rejects=1", "--set", "timezone=Mars")
    assert "error: --set: jobs.a.timezone 'Mars' is not a time zone" in ran.err

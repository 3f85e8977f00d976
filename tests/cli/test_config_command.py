"""`mdload config`, and the settings of mdload.toml in other commands."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import psycopg

from tests.conftest import Ran

Mdload = Callable[..., Ran]
GOOD = """\
[database]
url = "postgresql://loader:${PW}@db.test/market"
[defaults]
provider = "polygon"
[jobs.nightly]
source = "dumps/{date-1d:%Y%m%d}.csv"
interval = "1m"
workers = "${N}"
[jobs.weekly]
source = "weekly/*.csv"
"""
WRONG = """\
[database]
url = 3
[jobs.nightly]
source = "x.csv"
intervall = "1m"
[jobs.daily]
source = "{today}.csv"
[dialects.acme]
headers = ["a"]
[dialects."the.dump of ours"]
columns = {ts = "T"}
positions = "a"
"""
#: Contradictory only as a whole: each key alone is right.
MEANINGLESS = """\
[jobs.a]
source = "x.csv"
interval = "7m"
[jobs.b]
source = "x.csv"
symbol_map = "nowhere.csv"
[jobs.c]
source = "${NOWHERE}/x.csv"
workers = "${NUMBER:-two}"
[jobs.d]
source = "x.csv"
calendar = "xnys"
on_failure = "sh -c 'unbalanced"
on_success = "http://"
healthcheck = "http://[s3cret"
"""
VARIABLES = {"PW": "sekret", "N": "3"}


def test_check_finds_nothing_wrong(forked: Mdload, tmp_path: Path) -> None:
    (tmp_path / "mdload.toml").write_text(GOOD)
    for folder in ("dumps", "weekly"):
        (tmp_path / folder).mkdir()
    ran = forked("config", "check", env=VARIABLES)
    assert (ran.code, ran.out, ran.err) == (0, "mdload.toml: 2 jobs, nothing wrong\n", "")
    told = forked("config", "check", "--json", env=VARIABLES).json()
    assert told == {"file": "mdload.toml", "jobs": ["nightly", "weekly"], "problems": []}


def test_check_finds_everything_that_is_wrong(forked: Mdload, tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(WRONG)
    ran = forked("--config", "own.toml", "config", "check")
    assert ran.code == 2
    assert [line for line in ran.err.splitlines() if line.startswith("error")] == [
        "error: own.toml:2: database.url must be text",
        "error: own.toml:5: jobs.nightly.intervall is not a setting of mdload",
        "error: own.toml:7: jobs.daily.source: '{today}' in '{today}.csv' is not a date such as "
        "{date}, {date-1d} or {date:%Y%m%d}; write a literal brace twice",
        "error: own.toml:9: dialects.acme.headers is not a setting of a dialect",
        "error: own.toml:12: dialects.the.dump of ours.positions must be a list of text, not 'a'",
    ]
    assert "did you mean jobs.nightly.interval?" in ran.err
    told = forked("config", "check", "--json", env={"MDLOAD_CONFIG": "own.toml"})
    assert [problem["line"] for problem in told.json()["problems"]] == [2, 5, 7, 9, 12]


def test_check_looks_at_what_the_values_mean(forked: Mdload, tmp_path: Path) -> None:
    (tmp_path / "mdload.toml").write_text(MEANINGLESS)
    ran = forked("config", "check")
    assert ran.code == 2
    assert [line for line in ran.err.splitlines() if line.startswith("error")] == [
        "error: mdload.toml:3: jobs.a.interval '7m' is not an interval",
        "error: mdload.toml:6: jobs.b.symbol_map nowhere.csv cannot be read: "
        "No such file or directory",
        "error: mdload.toml:8: jobs.c.source: the environment variable NOWHERE is not set",
        "error: mdload.toml:9: jobs.c.workers must be a whole number from 1 to 64",
        "error: mdload.toml:12: jobs.d.calendar: there is no exchange calendar 'xnys'",
        "error: mdload.toml:13: jobs.d.on_failure is not a command: No closing quotation",
        "error: mdload.toml:14: jobs.d.on_success is not a URL that begins with http:// or https://",
        "error: mdload.toml:15: jobs.d.healthcheck is not a URL that begins with http:// or https://",
    ]
    assert "hint: did you mean XNYS?" in ran.err


#: What the machine lacks: each value alone is right.
LACKING = """\
[defaults]
metrics_textfile = "no/m.prom"
on_failure = "absent-program --now"
[jobs.a]
source = "dumps/{date-1d:%Y/%m}/*.csv"
on_success = ["./notify.sh", "x"]
on_rejects = "https://hooks.test/x"
[jobs.b]
source = ["s3://bucket/x.csv", "there/{date}.csv", "there/x*/y.csv", "there/"]
on_failure = "sh -c true"
metrics_textfile = "there/m.prom"
[jobs.c]
source = "elsewhere/x.csv"
missing = "ignore"
on_failure = "there/run.sh"
metrics_textfile = "there/m.prom"
"""
LACKED = [
    "mdload.toml:2: defaults.metrics_textfile no/m.prom cannot be written: its folder does not "
    "exist",
    "mdload.toml:3: defaults.on_failure cannot run: there is no program 'absent-program' in PATH",
    "mdload.toml:5: jobs.a.source dumps does not exist",
    "mdload.toml:6: jobs.a.on_success cannot run: ./notify.sh cannot be executed",
    "mdload.toml:15: jobs.c.on_failure cannot run: there/run.sh does not exist",
]


def test_check_and_doctor_find_what_the_machine_lacks(
    forked: Mdload, database_url: str, tmp_path: Path
) -> None:
    (tmp_path / "mdload.toml").write_text(LACKING)
    (tmp_path / "notify.sh").write_text("#!/bin/sh\n")
    (tmp_path / "there").mkdir()
    ran = forked("config", "check")
    assert ran.code == 2
    assert [line.removeprefix("error: ") for line in ran.err.splitlines()
            if line.startswith("error")] == LACKED  # fmt: skip
    assert "hint: install it, or write its whole path" in ran.err
    alone = forked("config", "check", "--file-only")
    assert (alone.code, alone.out) == (0, "mdload.toml: 3 jobs, nothing wrong\n")
    doctor = forked("--database", database_url, "doctor", "--json")
    found = [c for c in doctor.json()["checks"] if c["name"] == "jobs"]
    assert doctor.code == 6
    assert sorted(c["what"] for c in found) == sorted(LACKED)
    assert {c["state"] for c in found} == {"fail"}
    (tmp_path / "no").mkdir()
    (tmp_path / "mdload.toml").write_text(
        '[jobs.a]\nsource = "there/x.csv"\nmetrics_textfile = "no/m.prom"\n'
    )
    (check,) = (
        c for c in forked("--database", database_url, "doctor", "--json").json()["checks"]
        if c["name"] == "jobs"
    )  # fmt: skip
    assert (check["state"], check["what"]) == (
        "ok", "1 job: hooks, folders and metrics are in place"
    )  # fmt: skip


def test_a_table_that_is_none_is_told_once(forked: Mdload, tmp_path: Path) -> None:
    (tmp_path / "mdload.toml").write_text("[jobs]\na = 3\n")
    ran = forked("config", "check")
    assert (ran.code, ran.err) == (2, "error: mdload.toml:2: jobs.a must be a table, not 3\n")


def test_a_variable_of_the_environment_is_told_with_what_it_says(
    forked: Mdload, tmp_path: Path
) -> None:
    (tmp_path / "mdload.toml").write_text(GOOD)
    ran = forked("config", "show", env={**VARIABLES, "MDLOAD_WORKERS": "many"})
    assert ran.code == 2
    assert "MDLOAD_WORKERS: must be a whole number from 1 to 64, not 'many'" in ran.err


def test_a_webhook_that_is_no_url_is_not_shown(forked: Mdload, tmp_path: Path) -> None:
    (tmp_path / "mdload.toml").write_text(
        '[jobs.a]\nsource = "x"\nhealthcheck = "http://[s3cret"\n'
    )
    ran = forked("config", "show")
    assert (ran.code, "s3cret" in ran.out + ran.err) == (0, False)


def test_check_without_a_file(forked: Mdload) -> None:
    ran = forked("config", "check")
    assert (ran.code, ran.out) == (2, "")
    assert "there is no mdload.toml here" in ran.err


def test_show_says_who_says_what(forked: Mdload, tmp_path: Path) -> None:
    (tmp_path / "mdload.toml").write_text(GOOD)
    ran = forked(
        "config", "show", "nightly", "--date", "2024-03-01", "--set", "retries=0", env=VARIABLES
    )
    assert ran.code == 0, ran.err
    lines = [line.split() for line in ran.out.splitlines()]
    assert lines[:2] == [
        ["file", "mdload.toml"],
        ["database", "postgresql://loader:***@db.test/market", "(mdload.toml:2)"],
    ]  # fmt: skip
    for row in (
        ["provider", "polygon", "mdload.toml:4"],
        ["interval", "1m", "mdload.toml:7"],
        ["workers", "3", "mdload.toml:8"],
        ["retries", "0", "--set"],
        ["max_rejects", "1%", "default"],
        ["dumps/20240229.csv"],
    ):
        assert row in lines
    assert "sekret" not in ran.out
    assert "weekly" not in ran.out
    ran = forked(
        "--database", "postgresql://other", "config", "show", "--json",
        env={**VARIABLES, "MDLOAD_WORKERS": "5"},
    )  # fmt: skip
    told = ran.json()
    assert told["database"] == {"url": "postgresql://other", "origin": "--database"}
    assert [job["job"] for job in told["jobs"]] == ["nightly", "weekly"]
    assert told["jobs"][0]["values"]["workers"] == {
        "value": "5",
        "origin": "environment MDLOAD_WORKERS",
    }
    assert told["jobs"][1]["values"]["symbol"] == {"value": None, "origin": "default"}


def test_the_fingerprint_is_that_of_what_the_values_mean(forked: Mdload, tmp_path: Path) -> None:
    def fingerprint(*args: str) -> str:
        shown = forked("config", "show", "nightly", "--json", *args, env=VARIABLES).json()
        return str(shown["jobs"][0]["fingerprint"])

    (tmp_path / "mdload.toml").write_text(GOOD)
    plain = fingerprint()
    assert len(plain) == 64
    assert fingerprint("--set", "workers=4", "--set", "retries=9") == plain
    assert fingerprint("--set", "interval=5m") != plain


def test_schema_is_json(forked: Mdload) -> None:
    schema = forked("config", "schema").json()
    assert schema["properties"]["jobs"]["additionalProperties"]["required"] == ["source"]


def test_a_broken_file_stops_every_command_that_needs_it(forked: Mdload, tmp_path: Path) -> None:
    (tmp_path / "mdload.toml").write_text(WRONG)
    for command in ("job-runs list", "providers list", "inspect x.csv", "db url", "config show"):
        ran = forked(*command.split())
        assert (ran.code, "mdload.toml:2: database.url" in ran.err) == (2, True), command
    assert forked("migrate", "--sql").code == 0


def test_the_database_s_variable_is_needed_only_where_nothing_precedes_it(
    forked: Mdload, tmp_path: Path, database_url: str
) -> None:
    (tmp_path / "mdload.toml").write_text(GOOD)
    assert forked("db", "url", env={"DATABASE_URL": database_url}).out.strip() == database_url
    assert forked("--database", database_url, "job-runs", "list").code == 0
    ran = forked("job-runs", "list")
    assert (ran.code, "mdload.toml:2: database.url: the environment" in ran.err) == (2, True)


def test_defaults_fill_options_and_paths_lie_beside_the_file(
    forked: Mdload, tmp_path: Path, database_url: str
) -> None:
    folder = tmp_path / "etc"
    folder.mkdir()
    (tmp_path / "bars.csv").write_text("ts,symbol,open,high,low,last\n2024-03-04,FB,1,2,1,2\n")
    (folder / "map.csv").write_text("from,to\nFB,META\n")
    (folder / "own.toml").write_text(
        '[defaults]\nprovider = "${WHO}"\ninterval = "1d"\nsymbol_map = "map.csv"\n'
        'columns = {close = "last"}\njob_name = "mine"\nretries = 5\nprice_divisor = 1\n'
    )
    ran = forked("--config", folder / "own.toml", "--database", database_url, "backfill",
                 "bars.csv", env={"WHO": "acme"})  # fmt: skip
    assert ran.code == 0, ran.err
    with psycopg.connect(database_url) as connection:
        (bar,) = connection.execute("SELECT provider, symbol, close FROM bars_ohlcv").fetchall()
        (run,) = connection.execute("SELECT job_name, mode FROM job_runs").fetchall()
    assert bar == ("acme", "META", 2.0)
    assert run == ("mine", "backfill")

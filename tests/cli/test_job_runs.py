"""`mdload job-runs`, by the real executable on a real server."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

Run = Callable[..., Any]

TABLE_ORDER = [
    "id", "job_name", "dataset_name", "provider", "mode", "status", "config_fingerprint",
    "pipeline_version", "rows_read", "rows_written", "rows_inserted", "rows_updated",
    "rows_unchanged", "rows_duplicate", "rows_skipped", "rows_failed", "symbols", "min_ts",
    "max_ts", "error_message", "metadata", "started_at", "completed_at", "created_at",
    "updated_at", "elapsed_ms", "providers",
]  # fmt: skip


@pytest.fixture
def job_runs(forked: Run, database_url: str) -> Run:
    """`mdload job-runs …` on a database with five runs."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            """
            INSERT INTO job_runs (job_name, provider, mode, status, rows_read, rows_written,
                rows_inserted, rows_unchanged, rows_failed, symbols, min_ts, max_ts, started_at,
                completed_at, error_message, metadata)
            VALUES
            ('nightly', 'polygon', 'backfill', 'failure', 2000010, 2000000, 2000000, 0, 10,
             '{AAPL,MSFT}', '2024-01-02 14:30Z', '2024-12-31 21:00Z', '2024-03-01 01:00Z',
             '2024-03-01 01:04:05Z', 'b.csv: [red]5 of 10 rows were rejected', '{"files": 2}'),
            ('nightly', 'polygon', 'backfill', 'success', 30, 0, 0, 30, 0, '{AAPL}',
             '2024-01-02', '2024-12-31', now() - interval '26 hours',
             now() - interval '25 hours', NULL, '{}'),
            ('nightly', 'polygon', 'backfill', 'cancelled', 0, 0, 0, 0, 0, NULL, NULL, NULL,
             now() - interval '100 days', now() - interval '100 days', NULL, '{}'),
            ('feed', NULL, 'live', 'running', 7, 7, 7, 0, 0, NULL, NULL, NULL,
             now() - interval '40 minutes', NULL, NULL, '{}'),
            ('feed', 'kraken', 'live', 'running', 8, 8, 8, 0, 0, NULL, NULL, NULL,
             now() - interval '20 hours', NULL, NULL, jsonb_build_object('last_heartbeat',
                 to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')))
            """
        )
        connection.execute(
            """
            INSERT INTO job_run_files (run_id, path, size_bytes, content_hash, dialect, provider,
                interval, state, rows_read, rows_written, rows_inserted, rows_failed, rejected,
                notes, min_ts, max_ts, error_message, started_at, completed_at)
            VALUES
            (1, 'a.parquet', 23400000, 'c0ffee', 'canonical', 'polygon', '1m', 'loaded', 2000000,
             2000000, 2000000, 0, '{}', '{"interval 1m was inferred"}', '2024-01-02 14:30Z',
             '2024-12-31 21:00Z', NULL, '2024-03-01 01:00:01Z', '2024-03-01 01:04:00Z'),
            (1, 'b.csv', 200, 'beef', 'canonical', 'polygon', '1m', 'refused', 10, 0, 0, 10,
             '{"high_below_low": 5, "file_refused": 5}', '{}', NULL, NULL,
             '5 of 10 rows were rejected', '2024-03-01 01:04:00Z', '2024-03-01 01:04:04Z')
            """
        )
        connection.execute(
            "INSERT INTO bars_rejected (run_id, rules, raw) VALUES (3, '{null_ts}', '{}')"
        )

    def run(*args: str, **more: Any) -> Any:
        return forked("--database", database_url, "job-runs", *args, **more)

    return run


def ids(ran: Any) -> list[int]:
    assert ran.code == 0, ran.err
    return [row["id"] for row in ran.json()]


def words(ran: Any) -> list[list[str]]:
    return [line.split() for line in ran.out.splitlines()]


def test_list(job_runs: Run) -> None:
    ran = job_runs("list")
    assert ran.code == 0, ran.err
    lines = words(ran)
    assert lines[0] == ["run", "job", "provider", "status", "started", "took", "read", "written",
                        "unchanged", "rejected", "bars"]  # fmt: skip
    assert [line[0] for line in lines[2:]] == ["4", "5", "2", "3", "1"]
    assert lines[-1] == ["1", "nightly", "polygon", "failure", "2024-03-01", "01:00Z", "4m", "05s",
                         "2,000,010", "2,000,000", "0", "10",
                         "2024-01-02", "14:30", "to", "2024-12-31", "21:00"]  # fmt: skip
    assert "\x1b" not in ran.out


def test_list_in_json_has_the_columns_of_the_table(job_runs: Run) -> None:
    rows = job_runs("list", "--json").json()
    assert [list(row) for row in rows] == [TABLE_ORDER] * 5
    oldest = rows[-1]
    assert oldest["id"] == 1
    assert (oldest["started_at"], oldest["completed_at"], oldest["elapsed_ms"]) == (
        "2024-03-01T01:00:00Z", "2024-03-01T01:04:05Z", 245_000,
    )  # fmt: skip
    assert (oldest["symbols"], oldest["metadata"]) == (["AAPL", "MSFT"], {"files": 2})
    assert (rows[0]["completed_at"], rows[0]["elapsed_ms"]) == (None, None)


def test_list_can_be_narrowed(job_runs: Run) -> None:
    assert ids(job_runs("list", "--json", "--limit", "2")) == [4, 5]
    assert ids(job_runs("list", "--json", "--job-name", "nightly")) == [2, 3, 1]
    assert ids(job_runs("list", "--json", "--status", "running", "--limit", "1")) == [4]
    assert ids(job_runs("list", "--json", "--since", "2h")) == [4]
    assert ids(job_runs("list", "--json", "--since", "2d")) == [4, 5, 2]
    assert ids(job_runs("list", "--json", "--since", "2024-03-01T02:00:00+01:00")) == [
        4,
        5,
        2,
        3,
        1,
    ]
    assert ids(job_runs("list", "--json", "--since", "2024-03-01T01:00:01")) == [4, 5, 2, 3]
    nobody = job_runs("list", "--job-name", "nobody")
    assert (nobody.code, nobody.out, nobody.err) == (0, "", "no runs\n")
    assert job_runs("list", "--json", "--job-name", "nobody").json() == []


def test_a_since_that_is_no_moment_is_a_usage_error(job_runs: Run) -> None:
    ran = job_runs("list", "--since", "yesterday")
    assert ran.code == 2
    assert "'yesterday' is neither a date, a time nor an age such as 24h or 7d" in ran.err


def test_inspect(job_runs: Run) -> None:
    ran = job_runs("inspect", "1")
    assert ran.code == 0, ran.err
    assert ran.out.startswith(
        "Run 1: nightly, failure in 4m 05s\n  error     b.csv: [red]5 of 10 rows were rejected\n"
    )
    lines = words(ran)
    assert ["2,000,010", "2,000,000", "0", "0", "0", "0", "10"] in lines
    assert ["high_below_low", "5"] in lines
    assert ["a.parquet", "loaded", "23.4", "MB", "3m", "59s", "2,000,000", "2,000,000", "0", "0",
            "0", "0", "0", "2024-01-02", "14:30", "to", "2024-12-31", "21:00"] in lines  # fmt: skip
    assert "a.parquet: interval 1m was inferred\nb.csv: 5 of 10 rows were rejected\n" in ran.out
    course = lines[lines.index(["Timeline"]) + 3 :]
    assert [" ".join(line) for line in course] == [
        "2024-03-01 01:00:00Z 0 ms started",
        "2024-03-01 01:00:01Z 1.0 s first file: a.parquet",
        "2024-03-01 01:04:04Z 4m 04s last file refused: b.csv",
        "2024-03-01 01:04:05Z 4m 05s ended: failure",
    ]


def test_inspect_in_json(job_runs: Run) -> None:
    run = job_runs("inspect", "1", "--json").json()
    assert list(run) == [*TABLE_ORDER, "files", "rejected", "loads", "rolled_back_by"]
    assert run["rejected"] == {"high_below_low": 5, "file_refused": 5}
    assert [file["path"] for file in run["files"]] == ["a.parquet", "b.csv"]
    first = run["files"][0]
    assert (first["run_id"], first["content_hash"], first["state"]) == (1, "c0ffee", "loaded")
    assert first["completed_at"] == "2024-03-01T01:04:00Z"


def test_inspect_of_a_run_at_work(job_runs: Run) -> None:
    ran = job_runs("inspect", "5")
    assert "last heartbeat" in ran.out
    assert "still running, last heartbeat " in ran.out


def test_an_unknown_run(job_runs: Run) -> None:
    ran = job_runs("inspect", "99")
    assert (ran.code, ran.out) == (2, "")
    assert "there is no job run 99" in ran.err
    assert job_runs("inspect", "9" * 30).code == 2
    assert "mdload job-runs list" in ran.err


def test_stuck_ends_with_6_and_marks_when_asked(job_runs: Run) -> None:
    found = job_runs("stuck")
    assert found.code == 6
    assert words(found)[2][:2] == ["4", "feed"]
    assert "never" in words(found)[2]
    assert "found 1 stuck run" in found.err
    assert "--mark-failed" in found.err
    in_json = job_runs("stuck", "--json", "--timeout-minutes", "39")
    assert (in_json.code, [row["id"] for row in in_json.json()]) == (6, [4])

    later = job_runs("stuck", "--timeout-minutes", "41")
    assert (later.code, later.out) == (0, "")
    assert later.err == "no stuck runs (heartbeat within 41 minutes)\n"

    marked = job_runs("stuck", "--mark-failed")
    assert marked.code == 6
    assert "found 1 stuck run; marked as failed: 4" in marked.err
    assert job_runs("stuck", "--json").json() == []
    run = job_runs("inspect", "4", "--json").json()
    assert run["status"] == "failure"
    assert run["error_message"].startswith("no sign of life for 15 minutes")


def test_summary(job_runs: Run) -> None:
    lines = words(job_runs("summary"))
    assert lines[0] == ["Runs", "of", "the", "last", "24", "hours"]
    assert [line[:4] for line in lines[3:]] == [
        ["feed", "-", "running", "1"],
        ["feed", "kraken", "running", "1"],
    ]
    (feed, _, nightly) = job_runs("summary", "--hours", "27", "--json").json()
    assert list(feed) == ["job_name", "provider", "status", "run_count", "avg_duration_ms",
                          "total_rows", "last_run_at", "failure_count"]  # fmt: skip
    assert (nightly["job_name"], nightly["run_count"], nightly["avg_duration_ms"]) == (
        "nightly", 1, 3_600_000.0,
    )  # fmt: skip
    assert datetime.fromisoformat(nightly["last_run_at"]).utcoffset() is not None
    nothing = job_runs("summary", "--hours", "0.5")
    assert (nothing.code, nothing.err) == (0, "no run was started in the last 0.5 hours\n")


def test_cleanup_says_before_it_does(job_runs: Run) -> None:
    assert job_runs("cleanup").code == 2
    told = job_runs("cleanup", "--older-than-days", "99")
    assert told.code == 0
    assert [line[:2] for line in words(told)[2:]] == [["nightly", "2"]]
    assert "2 runs would be deleted" in told.err
    assert "--confirm" in told.err
    assert len(ids(job_runs("list", "--json"))) == 5

    done = job_runs("cleanup", "--older-than-days", "99", "--confirm")
    assert done.err == "deleted 2 runs\n"
    assert ids(job_runs("list", "--json")) == [4, 5, 2]
    again = job_runs("cleanup", "--older-than-days", "99", "--confirm", "--json")
    assert again.json() == {"older_than_days": 99, "deleted": 0, "jobs": []}
    assert ids(job_runs("list", "--json")) == [4, 5, 2]
    everything = job_runs("cleanup", "--older-than-days", "0", "--json").json()
    assert (everything["deleted"], [jobs["run_count"] for jobs in everything["jobs"]]) == (0, [1])
    nothing = job_runs("cleanup", "--older-than-days", "5000")
    assert (nothing.code, nothing.out) == (0, "")
    assert nothing.err == "no run ended more than 5,000 days ago\n"


def test_a_schema_that_is_behind_is_one_sentence(forked: Run, empty_url: str) -> None:
    ran = forked("--database", empty_url, "job-runs", "list")
    assert (ran.code, ran.out) == (5, "")
    assert "Traceback" not in ran.err
    assert "mdload migrate" in ran.err


def test_a_server_that_is_away_is_one_sentence(forked: Run) -> None:
    ran = forked("--database", "postgresql://me:hunter2@127.0.0.1:1/x", "job-runs", "list")
    assert (ran.code, ran.out) == (5, "")
    assert "Traceback" not in ran.err
    assert "hunter2" not in ran.err


def test_a_provider_that_only_the_files_name_is_shown(
    forked: Run, job_runs: Run, database_url: str, tmp_path: Path
) -> None:
    def load(*providers: str) -> int:
        for path in (tmp_path / "in").glob("*"):
            path.unlink()
        for provider in providers:
            row = f"{provider},A,1m,2024-03-05T00:00:00Z,10,20,5,10,100"
            header = "provider,symbol,interval,ts,open,high,low,close,volume"
            (tmp_path / "in" / f"{provider}.csv").write_text(f"{header}\n{row}\n")
        ran = forked("--database", database_url, "backfill", "in", "--json")
        assert ran.code == 0, ran.err
        return int(ran.json()["run_id"])

    (tmp_path / "in").mkdir()
    one, several = load("acme"), load("zeta", "acme2")
    rows = {row["id"]: row for row in job_runs("list", "--json").json()}
    assert (rows[one]["provider"], rows[one]["providers"]) == ("acme", ["acme"])
    assert (rows[several]["provider"], rows[several]["providers"]) == (None, ["acme2", "zeta"])
    assert (rows[4]["providers"], rows[5]["providers"]) == ([], ["kraken"])
    listed = {line[0]: line for line in words(job_runs("list"))[2:]}
    assert listed[str(one)][2] == "acme"
    assert listed[str(several)][2:4] == ["acme2,", "zeta"]
    assert listed["4"][2] == "-"
    inspected = job_runs("inspect", str(several)).out
    assert re.search(r"provider +acme2, zeta", inspected)
    assert "acme " in job_runs("summary").out

"""Messages of the real executable on stderr: JSON lines with `--log-format json`, and no password
in either format."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.conftest import ROOT, Ran

EXAMPLE = ROOT / "examples" / "bars.parquet"
SECRET = "h0t-sekret"
Mdload = Callable[..., Ran]
KEYS = ("at", "level", "event", "run_id", "file", "message")


def objects(ran: Ran) -> list[dict[str, Any]]:
    """The objects on stderr, each checked for the required keys."""
    found = [json.loads(line) for line in ran.err.splitlines()]
    for each in found:
        assert tuple(each)[: len(KEYS)] == KEYS
        assert each["level"] in ("debug", "info", "warning", "error")
        at = datetime.fromisoformat(each["at"])
        assert at.utcoffset() is not None
        assert each["at"].endswith("Z")
    return found


def bars(path: Path, rows: str = "2024-03-04T00:00:00Z,AAA,10,12,9,11,100\n") -> Path:
    path.write_text("ts,symbol,open,high,low,close,volume\n" + rows)
    return path


def with_password(url: str) -> str:
    """The same server, which trusts everybody and asks for no password."""
    return url.replace("postgres@", f"postgres:{SECRET}@")


def test_a_load_as_objects(mdload: Mdload, database_url: str) -> None:
    ran = mdload("--log-format", "json", "--database", database_url, "backfill", EXAMPLE, "--json")
    assert ran.code == 0
    told = objects(ran)
    assert [each["event"] for each in told] == [
        "run_started", "file_started", "file_note", "file_note", "file_done", "run_done",
    ]  # fmt: skip
    assert {each["run_id"] for each in told} == {1}
    assert {each["level"] for each in told} == {"info"}
    started, _, _, note, file, run = told
    assert (started["job_name"], started["mode"], started["files"]) == ("backfill", "backfill", 1)
    assert "' ECHO ' -> ECHO" in note["message"]
    assert file["file"] == str(EXAMPLE)
    assert file["state"] == "loaded"
    assert (file["rows_read"], file["rows_inserted"], file["rows_failed"]) == (3903, 3895, 5)
    assert file["rejected"]["volume_negative"] == 1
    assert (file["min_ts"], file["max_ts"]) == ("2024-03-04T14:30:00Z", "2024-03-05T20:59:00Z")
    assert file["symbols"] == 5
    assert (run["status"], run["rows_written"], run["files"]) == ("success", 3895, 1)
    assert run["elapsed_ms"] == ran.json()["elapsed_ms"]


def test_more_and_less(forked: Mdload, database_url: str) -> None:
    base = ("--log-format", "json", "--database", database_url)
    told = objects(forked(*base, "-v", "backfill", EXAMPLE))
    assert [each["event"] for each in told] == [
        "run_started", "file_started", "file_note", "rows_done", "bars_written", "file_note",
        "committed", "file_done", "run_done",
    ]  # fmt: skip
    written = told[4]
    assert (written["method"], written["bars"], written["committed"]) == ("COPY", 3895, True)
    assert told[6]["rejected"]["open_outside_range"] == 2
    assert forked(*base, "-q", "backfill", EXAMPLE).err == ""


def test_errors_of_files_are_objects(forked: Mdload, database_url: str, tmp_path: Path) -> None:
    bars(tmp_path / "a.csv")
    (tmp_path / "b.parquet").write_bytes(b"PAR1 this is cut short")
    ran = forked("--log-format", "json", "--database", database_url, "backfill", tmp_path,
                 "--provider", "x", "--interval", "1m", "--json")  # fmt: skip
    assert ran.code == 3
    errors = [each for each in objects(ran) if each["level"] == "error"]
    assert [each["event"] for each in errors] == ["file_done", "run_done"]
    assert errors[0]["file"].endswith("b.parquet")
    assert errors[0]["message"] == errors[0]["error"] == ran.json()["files"][1]["error"]
    assert errors[1]["status"] == "failure"


@pytest.mark.parametrize(
    ("args", "code", "word"),
    [
        (("backfill", "absent.csv"), 3, "absent.csv"),
        (("backfill", "--workers", "many", "x.csv"), 2, "many"),
        (("backfill",), 2, "SOURCE"),
        (("job-runs", "inspect", "77"), 2, "77"),
    ],
)
def test_errors_of_commands_are_objects(
    forked: Mdload, database_url: str, args: tuple[str, ...], code: int, word: str
) -> None:
    ran = forked("--log-format", "json", "--database", database_url, *args)
    assert ran.code == code
    (error,) = objects(ran)
    assert (error["level"], error["event"]) == ("error", "error")
    assert word in error["message"]
    assert "hint" in error


def test_notes_of_commands(forked: Mdload, database_url: str) -> None:
    (note,) = objects(
        forked("--log-format", "json", "--database", database_url, "job-runs", "list")
    )
    assert (note["level"], note["event"], note["message"]) == ("info", "note", "no runs")
    assert forked("--database", database_url, "job-runs", "list").err == "no runs\n"
    assert forked("--database", database_url, "-q", "job-runs", "list").err == ""


def test_what_modules_log_speaks_the_same_format(
    forked: Mdload, database_url: str, tmp_path: Path
) -> None:
    load = ("backfill", EXAMPLE, "--metrics-textfile", tmp_path / "x.txt")
    ran = forked("--log-format", "json", "--database", database_url, *load)
    (warning,) = (each for each in objects(ran) if each["level"] == "warning")
    assert (warning["event"], warning["logger"]) == ("log", "loader.listen.metrics.export")
    assert ".prom" in warning["message"]
    text = forked("--database", database_url, *load, "--force").err
    assert text.startswith("warning: node_exporter passes ")
    assert forked("--database", database_url, "-q", *load, "--force").err == ""


@pytest.fixture
def secret_url(database_url: str) -> Iterator[str]:
    """A URL with a password, which must not appear anywhere in the database."""
    yield with_password(database_url)
    with psycopg.connect(database_url) as connection:
        for table in ("job_runs", "job_run_files", "bars_rejected"):
            kept = connection.execute(
                f"SELECT to_jsonb(t)::text FROM {table} t".encode()
            ).fetchall()
            assert SECRET not in str(kept)


@pytest.mark.parametrize("log_format", ["json", "text"])
@pytest.mark.parametrize("verbosity", [(), ("-v", "-v")])
def test_no_password_of_a_load_that_goes_well(
    forked: Mdload, secret_url: str, tmp_path: Path, log_format: str, verbosity: tuple[str, ...]
) -> None:
    ran = forked("--log-format", log_format, *verbosity, "--database", secret_url,
                 "backfill", EXAMPLE, "--metrics-textfile", tmp_path / "m.prom",
                 "--push-gateway", f"http://me:{SECRET}@127.0.0.1:1/")  # fmt: skip
    assert ran.code == 0
    assert "did not reach" in ran.err  # nobody listens there
    assert SECRET not in ran.out + ran.err + (tmp_path / "m.prom").read_text()


@pytest.mark.parametrize("log_format", ["json", "text"])
@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://me:{SECRET}@127.0.0.1:1/x",
        f"postgresql+psycopg://me:{SECRET}@127.0.0.1:1/x",
        f"host=127.0.0.1 port=1 user=me password={SECRET}",
        f"host=127.0.0.1 port=1 user=me password='{SECRET} {SECRET}'",
        f"postgresql://me@127.0.0.1:1/x?password={SECRET}",
        f"postgresql://me:{SECRET}@127.0.0.1:no-port/x",
        f"postgresql://me:a@{SECRET}@127.0.0.1:1/x",
        f"postgresql://me:a/{SECRET}@127.0.0.1:1/x",
        f"postgresql://me:a#{SECRET}@127.0.0.1:1/x",
        f"postgresql://me:a?{SECRET}@127.0.0.1:1/x",
        f"mysql://me:{SECRET}@127.0.0.1/x",
        f"no-such-option={SECRET}",
    ],
)
def test_no_password_of_a_server_that_is_not_to_be_had(
    forked: Mdload, url: str, log_format: str
) -> None:
    ran = forked("--log-format", log_format, "-v", "--database", url, "backfill", EXAMPLE)
    assert ran.code in (2, 5)
    assert SECRET not in ran.out + ran.err
    assert "Traceback" not in ran.err
    if log_format == "json":
        assert objects(ran)[-1]["level"] == "error"


@pytest.mark.parametrize("log_format", ["json", "text"])
@pytest.mark.parametrize(
    "args",
    [
        ("backfill", f"https://me:{SECRET}@example.test/bars.csv"),
        ("backfill", f"s3://key:{SECRET}@bucket/bars.csv"),
        ("backfill", f"https://example.test/bars.csv?token={SECRET}"),
        ("backfill", "bars.csv", "--provider", f"postgresql://me:{SECRET}@h/x", "--dry-run"),
        ("backfill", "bars.csv", "--provider", "x", "--interval", f"http://me:{SECRET}@h"),
        ("backfill", "bars.csv", "--provider", "x", "--timezone", f"password={SECRET}"),
        ("backfill", "bars.csv", "--provider", "x", "--max-rejects", f"api_key={SECRET}"),
        ("backfill", "bars.csv", "--provider", "x", "--column", f"close=http://me:{SECRET}@h"),
        ("backfill", "bars.csv", "--push-gateway", f"gopher://me:{SECRET}@host"),
    ],
)
def test_no_password_in_sources_and_settings(
    forked: Mdload, secret_url: str, tmp_path: Path, args: tuple[str, ...], log_format: str
) -> None:
    bars(tmp_path / "bars.csv")
    ran = forked("--log-format", log_format, "-v", "--database", secret_url, *args)
    assert SECRET not in ran.out + ran.err
    if log_format == "json":
        objects(ran)


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_a_file_whose_name_holds_one(
    forked: Mdload, database_url: str, tmp_path: Path, log_format: str
) -> None:
    path = bars(tmp_path / f"password={SECRET}.csv", "x,AAA,1,1,1,1,1\n")
    ran = forked("--log-format", log_format, "-v", "--database", database_url, "backfill", path,
                 "--provider", "x", "--interval", "1m", "--dry-run")  # fmt: skip
    assert SECRET not in ran.err
    assert "password=***" in ran.err


def test_odd_names_stay_one_object_per_line(
    mdload: Mdload, database_url: str, tmp_path: Path
) -> None:
    name = 'two\nlines \u2028 \udce9 "quoted" ☃.csv'
    path = bars(tmp_path / name)
    ran = mdload("--log-format", "json", "--database", database_url, "backfill", path,
                 "--provider", "x", "--interval", "1m", "--dry-run",
                 env={"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"})  # fmt: skip
    told = objects(ran)
    assert told[0]["event"] == "run_started"
    assert told[0]["run_id"] is None
    assert any("quoted" in (each["file"] or "") for each in told)

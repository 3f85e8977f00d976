"""Whatever is wrong around the process, the real executable ends with a sentence and an exit code
that is true: never with a traceback, never with 1 and silence; and the result of a load that has
committed is never lost."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import pytest

from tests.conftest import Ran, environment
from tests.support.jobs import bars, config
from tests.support.sql import fetch

FULL = "> /dev/full"
LOAD = "backfill a.csv --provider p --interval 1m"
Mdload = Callable[..., Ran]
Shell = Callable[..., tuple[int, str, str]]


@pytest.fixture
def shell(home: Path, tmp_path: Path, database_url: str) -> Shell:
    """Runs a line of bash in which `mdload` is the real executable. Returns the exit code of its
    first program, its stdout and its stderr."""
    bars(tmp_path / "a.csv", 5)

    def run(
        line: str, env: Mapping[str, str] = {}, encoding: str = "utf-8"
    ) -> tuple[int, str, str]:
        function = f'mdload() {{ "{sys.executable}" -m loader "$@"; }}'
        script = f"{function}\n{line}\nexit ${{PIPESTATUS[0]}}"
        ended = subprocess.run(
            ["bash", "-c", script], cwd=tmp_path, capture_output=True, timeout=120, check=False,
            env=environment(home) | {"MDLOAD_DATABASE_URL": database_url} | dict(env),
        )  # fmt: skip
        assert b"Traceback" not in ended.stderr
        assert b"a fault of mdload" not in ended.stderr
        return ended.returncode, ended.stdout.decode(encoding), ended.stderr.decode()

    return run


RECORDED = "SELECT status, rows_inserted FROM job_runs"


@pytest.mark.parametrize("json", ["", "--json"])
@pytest.mark.parametrize(
    ("where", "why"),
    [(FULL, "No space left on device"), (">&-", "it is closed")],
)
def test_a_load_whose_result_cannot_be_printed(
    shell: Shell, database_url: str, json: str, where: str, why: str
) -> None:
    code, out, err = shell(f"mdload {LOAD} {json} {where}")
    assert (code, out) == (0, "")
    assert "is recorded as success: 5 rows read, 5 inserted, 0 updated, 0 rejected" in err
    assert f"standard output cannot be written: {why}" in err
    assert fetch(database_url, RECORDED) == [("success", 5)]


def test_a_refused_load_keeps_its_exit_code(shell: Shell, tmp_path: Path) -> None:
    with (tmp_path / "a.csv").open("a") as file:
        file.write("2024-03-05T09:00:00Z,AAA,10,5,20,10,100\n" * 3)
    code, _, err = shell(f"mdload {LOAD} {FULL}")
    assert (code, "is recorded as failure" in err) == (4, True)


@pytest.mark.parametrize("where", [FULL, ">&-", "| true"])
def test_a_job(shell: Shell, tmp_path: Path, database_url: str, where: str) -> None:
    config(tmp_path, database_url, '[jobs.a]\nsource = "a.csv"')
    code, _, err = shell(f"mdload run a {where}")
    assert code == 0
    if where != "| true":  # which may have read the result, or not
        assert "job a: run 1 is recorded as success: 5 rows read, 5 inserted" in err
    assert fetch(database_url, RECORDED) == [("success", 5)]


def test_a_feed(shell: Shell, database_url: str) -> None:
    line = '{"ts":"2024-03-05T00:00Z","symbol":"A","open":1,"high":1,"low":1,"close":1,"volume":1}'
    code, _, err = shell(f"echo '{line}' > f.json; mdload live f.json --provider p "
                         f"--interval 1m {FULL}")  # fmt: skip
    assert (code, "is recorded as success: 1 row read, 1 inserted" in err) == (0, True)
    assert fetch(database_url, RECORDED) == [("success", 1)]


def test_a_deletion(shell: Shell, database_url: str) -> None:
    shell(f"mdload {LOAD}")
    code, _, err = shell(f"mdload delete --symbol AAA --yes {FULL}")
    assert (code, "delete: run 2 is committed and recorded as success" in err) == (0, True)
    assert fetch(database_url, "SELECT count(*) FROM bars_ohlcv") == [(0,)]


@pytest.mark.parametrize(
    "command",
    ["--help", "job-runs list", "job-runs list --json", "coverage", "inspect a.csv", "db url",
     "export --to -", "providers list", "config schema"],
)  # fmt: skip
@pytest.mark.parametrize(("where", "why"), [(FULL, "No space left"), (">&-", "it is closed")])
def test_output_that_cannot_be_written(
    shell: Shell, forked: Mdload, database_url: str, command: str, where: str, why: str
) -> None:
    assert forked("--database", database_url, *LOAD.split()).code == 0
    code, out, err = shell(f"mdload {command} {where}")
    assert (code, out) == (2, "")
    assert f"error: standard output cannot be written: {why}" in err


@pytest.mark.parametrize("where", ["2>&-", "2> /dev/full", "2> >(true)"])
def test_a_load_without_stderr(shell: Shell, database_url: str, where: str) -> None:
    code, out, err = shell(f"sleep 0.1; mdload -v {LOAD} {where}")
    assert (code, "next: mdload job-runs inspect 1" in out, err) == (0, True, "")
    assert fetch(database_url, RECORDED) == [("success", 5)]


@pytest.mark.parametrize("where", ["2>&-", "2> /dev/full"])
def test_an_error_without_stderr_keeps_its_exit_code(shell: Shell, where: str) -> None:
    assert shell(f"mdload backfill no.csv {where}") == (3, "", "")
    assert shell(f"mdload nothing {where}") == (2, "", "")


def test_all_streams_closed(shell: Shell, database_url: str) -> None:
    """None of the files and sockets that it opens gets the number of a stream."""
    assert shell(f"mdload {LOAD} <&- >&- 2>&-") == (0, "", "")
    assert fetch(database_url, RECORDED) == [("success", 5)]


def test_stdin_is_closed(shell: Shell) -> None:
    code, _, err = shell("mdload backfill - --provider p --interval 1m <&-")
    assert (code, "standard input is closed" in err) == (3, True)
    code, _, err = shell("mdload delete --symbol AAA <&-")
    assert (code, "there is nobody to ask: add --yes" in err) == (2, True)


def test_a_reader_that_has_enough(shell: Shell, tmp_path: Path, database_url: str) -> None:
    code, out, err = shell(f"mdload {LOAD} | head -0")
    assert (code, out) == (0, "")
    assert fetch(database_url, RECORDED) == [("success", 5)]
    rows = [f"2024-03-05T00:00:00Z,SYMBOL{n},10,20,5,10,100" for n in range(20_000)]
    head = "ts,symbol,open,high,low,close,volume"
    (tmp_path / "more.csv").write_text("\n".join([head, *rows]))  # more than a pipe holds
    assert shell("mdload backfill more.csv --provider p --interval 1m")[0] == 0
    code, out, err = shell("mdload export --to - | head -1; exit ${PIPESTATUS[0]}")
    assert (code, out.split(",")[0], err) == (141, "provider", "")


def test_a_directory_that_is_gone(shell: Shell, database_url: str, tmp_path: Path) -> None:
    gone = "mkdir gone; cd gone; rmdir ../gone;"
    code, _, err = shell(f"{gone} mdload {LOAD}")
    assert code == 3
    assert "relative paths start in the current directory, which has been deleted" in err
    code, _, _ = shell(f"{gone} mdload job-runs list")
    assert code == 0
    path = tmp_path / "a.csv"
    code, _, _ = shell(f"{gone} mdload backfill {path} --provider p --interval 1m")
    assert code == 0
    assert fetch(database_url, RECORDED) == [("success", 5)]
    code, _, err = shell(f"{gone} mdload export --symbol AAA --to x.csv")
    assert code in (2, 3), err


def test_arguments_that_are_no_text(shell: Shell, database_url: str) -> None:
    code, _, err = shell("mdload backfill $'\\xff.csv' --provider p --interval 1m")
    assert (code, "\\udcff.csv does not exist" in err) == (3, True)
    code, _, err = shell("cp a.csv $'\\xff.csv'; mdload backfill $'\\xff.csv' --provider p "
                         "--interval 1m --json")  # fmt: skip
    assert code == 0
    for option in ("--provider", "--symbol", "--job-name"):
        code, _, err = shell(f"mdload {LOAD} --force {option} $'\\xe9x'")
        assert code in (0, 2, 3), err
        assert code or option == "--job-name"
    assert shell("mdload $'\\xff'")[0] == 2
    assert shell("mdload job-runs list --job-name $'\\xff'")[0] == 2


@pytest.mark.parametrize(
    "env", [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C"}, {"LC_ALL": "C", "PYTHONUTF8": "0"}]
)
def test_terminals_that_know_ascii_only(
    shell: Shell, database_url: str, env: dict[str, str]
) -> None:
    # Characters of JSON's escapes of one and of two units.
    job = "n\N{LATIN SMALL LETTER E WITH ACUTE}\N{CHART WITH UPWARDS TREND}"
    ascii_only = "PYTHONIOENCODING" in env
    code, _, _ = shell(f"mdload {LOAD} --job-name {job}", {"PYTHONUTF8": "1"})
    assert code == 0
    for command in ("job-runs list", "job-runs inspect 1", "coverage"):
        code, out, err = shell(f"mdload {command}", env, "ascii" if ascii_only else "utf-8")
        assert code == 0, err
    code, out, _ = shell("mdload job-runs list --json", env, "ascii" if ascii_only else "utf-8")
    import json

    assert (code, json.loads(out)[0]["job_name"]) == (0, job)


def limited(address_bytes: int) -> Callable[[], None]:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (address_bytes, address_bytes))

    return limit


@pytest.mark.parametrize("megabytes", [300, 700, 1200])
def test_too_little_memory(home: Path, tmp_path: Path, database_url: str, megabytes: int) -> None:
    bars(tmp_path / "a.csv", 5)
    ended = subprocess.run(
        [sys.executable, "-m", "loader", "--database", database_url, *LOAD.split()],
        cwd=tmp_path, env=environment(home), capture_output=True, text=True, check=False,
        preexec_fn=limited(megabytes * 1_000_000),
    )  # fmt: skip
    assert (ended.returncode, ended.stdout) == (2, "")
    said = f"error: the limit of virtual memory is {megabytes:,} MB, and mdload reserves 1,400 MB"
    assert ended.stderr.startswith(said)
    assert fetch(database_url, RECORDED) == []


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_at_any_moment(
    home: Path, tmp_path: Path, database_url: str, sig: signal.Signals
) -> None:
    """From the first import to the last breath: no traceback, and an exit code that is true."""
    bars(tmp_path / "a.csv", 5)
    args = [sys.executable, "-m", "loader", "--database", database_url, *LOAD.split(), "--force"]
    began = time.monotonic()
    subprocess.run(args, cwd=tmp_path, env=environment(home), capture_output=True, check=True)
    lasts = time.monotonic() - began
    for step in range(16):
        process = subprocess.Popen(
            args, cwd=tmp_path, env=environment(home), text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
        )  # fmt: skip
        tasks = Path(f"/proc/{process.pid}/task")
        while process.poll() is None and len(list(tasks.iterdir())) < 2:
            time.sleep(0.005)  # Python's own start, of which mdload knows nothing
        time.sleep(lasts * step / 14)
        process.send_signal(sig)
        out, err = process.communicate(timeout=30)
        assert "Traceback" not in err, err
        assert "Exception ignored" not in err, err
        assert process.returncode in (0, 130, -sig), (process.returncode, err)
        if process.returncode == 0:
            assert "next: mdload job-runs inspect" in out or "is recorded as success" in err
        elif process.returncode == 130:
            assert "interrupted" in err
    assert {status for (status,) in fetch(database_url, "SELECT status FROM job_runs")} <= {
        "success", "cancelled", "running"
    }  # fmt: skip


def test_the_signal_of_an_interrupted_print_does_not_undo_the_load(
    home: Path, tmp_path: Path, database_url: str
) -> None:
    """Its reader does not read: the load is committed, and its result waits in the pipe."""
    bars(tmp_path / "a.csv", 5)
    ends, pipe = os.pipe()
    os.set_blocking(pipe, False)
    with suppress(BlockingIOError):
        while True:
            os.write(pipe, bytes(4096))
    os.set_blocking(pipe, True)
    process = subprocess.Popen(
        [sys.executable, "-m", "loader", "--database", database_url, *LOAD.split()],
        cwd=tmp_path, env=environment(home), stdout=pipe, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        for _ in range(1500):
            if fetch(database_url, RECORDED) == [("success", 5)]:
                break
            time.sleep(0.02)
        time.sleep(0.5)
        assert process.poll() is None
        process.terminate()
        _, err = process.communicate(timeout=30)
        assert process.returncode == 0, err
        assert "is recorded as success: 5 rows read, 5 inserted" in err
    finally:
        process.kill()
        os.close(ends)
        os.close(pipe)

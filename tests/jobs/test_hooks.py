"""Commands, webhooks and pings about a job's run: real processes, a real server that listens."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from loader.jobs.config import JobConfig, job, read
from loader.jobs.hooks import announce, notify
from tests.support.listening import Server

GOOD = {"job": "nightly", "exit_code": 0, "rows_written": 1200, "rows_failed": 0, "error": None,
        "files": [{"path": "a.csv", "error": None}], "days": ["2024-03-01"]}  # fmt: skip
REJECTS = GOOD | {"rows_failed": 3}
REFUSED = {"path": "a.csv", "error": "a.csv: 3 of 4 rows were rejected"}
BAD = GOOD | {"exit_code": 4, "rows_failed": 3, "rows_written": 0, "files": [REFUSED]}
HELD = GOOD | {"exit_code": 7, "error": "the job nightly is held by run 41", "files": []}


@pytest.fixture
def server() -> Iterator[Server]:
    with Server.running() as running:
        yield running


Made = Callable[..., JobConfig]


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """The job `nightly` with some keys, out of a real file."""

    def make(**keys: object) -> JobConfig:
        lines = ["[jobs.nightly]", 'source = "a.csv"']
        lines += [f"{name} = {json.dumps(value)}" for name, value in keys.items()]
        path = tmp_path / "mdload.toml"
        path.write_text("\n".join(lines))
        return job(read(str(path)), "nightly")

    return make


@pytest.fixture
def kept(tmp_path: Path) -> Callable[[str], tuple[list[str], Callable[[], Any]]]:
    """A command that keeps what it gets, and how to look at that."""

    def make(name: str) -> tuple[list[str], Callable[[], Any]]:
        path = tmp_path / f"{name}.json"
        program = (
            "import pathlib, sys; pathlib.Path(sys.argv[1]).write_bytes(sys.stdin.buffer.read())"
        )
        words = [sys.executable, "-c", program, str(path)]
        return words, lambda: json.loads(path.read_bytes()) if path.exists() else None

    return make


def python(program: str) -> list[str]:
    return [sys.executable, "-c", program]


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]


@pytest.mark.parametrize(
    ("result", "told", "text"),
    [
        (GOOD, ["on_success"], "mdload job nightly succeeded: 1,200 rows written, 0 rejected"),
        (REJECTS, ["on_success", "on_rejects"],
         "mdload job nightly succeeded: 1,200 rows written, 3 rejected"),
        (BAD, ["on_failure", "on_rejects"],
         "mdload job nightly failed with exit code 4: a.csv: 3 of 4 rows were rejected"),
        (HELD, ["on_failure"],
         "mdload job nightly failed with exit code 7: the job nightly is held by run 41"),
    ],
)  # fmt: skip
def test_who_is_told_and_what(
    made: Made, kept: Any, result: dict[str, Any], told: list[str], text: str
) -> None:
    commands = {name: kept(name) for name in ("on_success", "on_failure", "on_rejects")}
    notify(made(**{name: words for name, (words, _) in commands.items()}), result)
    for name, (_, got) in commands.items():
        wanted = {"event": name, "text": text, **result} if name in told else None
        assert got() == wanted


def test_a_text_is_split_into_words_and_no_shell_sees_it(made: Made, kept: Any) -> None:
    words, got = kept("a b; $HOME")
    quoted = " ".join(f"'{word}'" for word in words)
    notify(made(on_success=quoted), GOOD)
    assert got()["event"] == "on_success"


def test_a_webhook_gets_the_same_as_json(made: Made, server: Server) -> None:
    url = server.url.replace("//", "//me:p%40ss@")
    notify(made(on_rejects=f"{url}/hook?channel=ops", on_success=f"{server.url}/ok"), REJECTS)
    (first, second) = server.asked
    assert first[:4] == ("POST", "/hook?channel=ops", "application/json", "Basic bWU6cEBzcw==")
    assert second[:4] == ("POST", "/ok", "application/json", None)
    text = "mdload job nightly succeeded: 1,200 rows written, 3 rejected"
    assert json.loads(first[4]) == {"event": "on_rejects", "text": text, **REJECTS}


def test_the_healthcheck(made: Made, server: Server) -> None:
    nightly = made(healthcheck=f"{server.url}/uuid?create=1")
    for result in (GOOD, BAD, HELD):
        announce(nightly)
        notify(nightly, result)
    assert [(method, path) for method, path, *_ in server.asked] == [
        ("GET", "/uuid/start?create=1"), ("GET", "/uuid?create=1"),
        ("GET", "/uuid/start?create=1"), ("GET", "/uuid/fail?create=1"),
        ("GET", "/uuid/start?create=1"),
    ]  # fmt: skip


def test_without_hooks_nothing_happens(made: Made, caplog: pytest.LogCaptureFixture) -> None:
    announce(made())
    notify(made(), BAD)
    assert said(caplog) == []


@pytest.mark.parametrize(
    ("command", "complaint"),
    [
        (["/no/such/program", "s3cret"], "cannot run 'program': No such file or directory"),
        ("'unbalanced s3cret", "is not a command: No closing quotation"),
        ("   ", "is not a command: it is empty"),
        (python("raise SystemExit(3)"), "failed: python3 ended with 3"),
        (python("print('one'); print('two'); print(); raise SystemExit(1)"),
         "failed: python3 ended with 1: two"),
        (python("import os; os.kill(os.getpid(), 9)"), "failed: python3 was ended by SIGKILL"),
        (python("raise SystemExit('no route to postgresql://me:s3cret@db/x')"),
         "failed: python3 ended with 1: no route to postgresql://me:***@db/x"),
        (python("import os; raise SystemExit('bad token ' + os.environ['CHAT_TOKEN'])"),
         "failed: python3 ended with 1: bad token ***"),
    ],
)  # fmt: skip
def test_a_command_that_fails_is_told_without_its_secrets(
    made: Made, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch,
    command: Any, complaint: str,
) -> None:  # fmt: skip
    monkeypatch.setenv("CHAT_TOKEN", "xoxb-s3cret")
    notify(made(on_success=command), GOOD)
    name = Path(sys.executable).name
    assert said(caplog) == [f"on_success of the job nightly {complaint.replace('python3', name)}"]
    assert "s3cret" not in caplog.text


def test_a_command_that_takes_too_long_is_ended_with_all_that_it_started(
    made: Made, caplog: pytest.LogCaptureFixture, tmp_path: Path, ended: Callable[..., bool]
) -> None:
    pids = tmp_path / "pids"
    program = (
        "import os, subprocess, sys, time;"
        "child = subprocess.Popen(['sleep', '60']);"
        f"open({str(pids)!r}, 'w').write(f'{{os.getpid()}} {{child.pid}}');"
        "time.sleep(60)"
    )
    notify(made(on_failure=python(program), hook_timeout="2s"), BAD)
    assert said(caplog) == [
        f"on_failure of the job nightly was stopped: {Path(sys.executable).name} took longer than "
        "2.0 s"
    ]
    assert ended(*map(int, pids.read_text().split()))


def test_a_command_may_say_a_lot_and_hear_nothing(
    made: Made, caplog: pytest.LogCaptureFixture
) -> None:
    long = GOOD | {"files": [{"path": f"{n}.csv", "error": None} for n in range(50_000)]}
    program = (
        "import sys\nfor _ in range(2000): sys.stdout.write('x' * 9999 + '\\n')\n"
        "sys.exit('that was 20 MB')"
    )
    notify(made(on_success=python(program)), long)
    (line,) = said(caplog)
    assert line.endswith("ended with 1: that was 20 MB")


def test_what_a_command_leaves_running_is_not_waited_for(
    made: Made, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    program = (
        "import subprocess, pathlib;"
        f"pathlib.Path({str(tmp_path / 'pid')!r}).write_text("
        "str(subprocess.Popen(['sleep', '60']).pid))"
    )
    notify(made(on_success=python(program), hook_timeout="30s"), GOOD)
    assert said(caplog) == []
    pid = int((tmp_path / "pid").read_text())
    import os

    os.kill(pid, 9)  # still there: it held the output open, and nobody waited for its end


def test_a_webhook_that_fails_is_told_by_its_host_alone(
    made: Made, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    server.status = 404
    notify(made(on_success=f"{server.url}/services/s3cret"), GOOD)
    notify(made(on_success="http://127.0.0.1:1/s3cret"), GOOD)
    notify(made(on_success="http:///s3cret"), GOOD)
    server.delay = 5
    notify(made(on_success=f"{server.url}/s3cret", hook_timeout="200ms"), GOOD)
    start = "on_success of the job nightly"
    assert said(caplog) == [
        f"{start} failed: 127.0.0.1: HTTP 404 Not Found",
        f"{start} failed: 127.0.0.1: Connection refused",
        f"{start} is not a URL that begins with http:// or https://",
        f"{start} failed: 127.0.0.1: no answer in 200 ms",
    ]
    assert "s3cret" not in caplog.text

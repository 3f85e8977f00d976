"""Hooks of `mdload run`: a command, a webhook and a healthcheck learn of each run's end."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Ran
from tests.support.jobs import STALLED, bars, config, running, stalled
from tests.support.listening import Server
from tests.support.sql import wait_for

Mdload = Callable[..., Ran]
KEEP = "import sys; open(sys.argv[1], 'ab').write(sys.stdin.buffer.read())"


@pytest.fixture
def server() -> Iterator[Server]:
    with Server.running() as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path, database_url: str, server: Server) -> Path:
    bars(tmp_path / "bars.csv", 20)
    hooks = {
        event: [sys.executable, "-c", KEEP, str(tmp_path / "told")]
        for event in ("on_success", "on_failure", "on_rejects")
    }
    config(
        tmp_path, database_url,
        '[jobs.a]\nsource = "bars.csv"\nmax_rejects = 5', f'healthcheck = "{server.url}/ping"',
        *(f"{event} = {json.dumps(words)}" for event, words in hooks.items()),
    )  # fmt: skip
    return tmp_path


def told(folder: Path) -> list[dict[str, Any]]:
    path = folder / "told"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_each_end_is_told(mdload: Mdload, folder: Path, server: Server) -> None:
    assert mdload("run", "a", "--dry-run").code == 0
    assert (told(folder), server.asked) == ([], [])
    ran = mdload("run", "a", "--json")
    assert ran.code == 0, ran.err
    (good,) = told(folder)
    assert (good["event"], good["rows_inserted"]) == ("on_success", 20)
    assert {name: good[name] for name in ran.json()["jobs"][0]} == ran.json()["jobs"][0]
    text = (folder / "bars.csv").read_text()
    (folder / "bars.csv").write_text(text + "2024-03-05T01:00:00Z,AAA,10,1,5,10,100\n")
    assert mdload("run", "a").code == 0
    assert mdload("run", "a", "--set", "max_rejects=0", "--force").code == 4
    assert [(each["event"], each["rows_failed"]) for each in told(folder)[1:]] == [
        ("on_rejects", 1), ("on_success", 1), ("on_rejects", 21), ("on_failure", 21),
    ]  # fmt: skip
    assert [path for _, path, *_ in server.asked] == [
        "/ping/start", "/ping", "/ping/start", "/ping", "/ping/start", "/ping/fail",
    ]  # fmt: skip


def test_a_job_that_is_held_and_one_that_is_interrupted(
    forked: Mdload, home: Path, folder: Path, server: Server, database_url: str
) -> None:
    with stalled(database_url), running(home, folder, "a") as holder:
        wait_for(database_url, STALLED)
        assert forked("run", "a").code == 7
        (held,) = told(folder)
        assert (held["event"], held["exit_code"]) == ("on_failure", 7)
        holder.send_signal(signal.SIGTERM)
        assert holder.wait(60) == 130
    interrupted = told(folder)[1]
    assert (interrupted["event"], interrupted["status"]) == ("on_failure", "cancelled")
    assert "was interrupted" in interrupted["error"]
    assert [path for _, path, *_ in server.asked] == ["/ping/start", "/ping/fail"]


def test_hooks_that_fail_change_nothing(forked: Mdload, folder: Path) -> None:
    ran = forked(
        "run", "a", "--json", "--set", "on_success=/nowhere/at all", "--set",
        "healthcheck=http://127.0.0.1:1/s3cret",
    )  # fmt: skip
    assert (ran.code, ran.json()["exit_code"]) == (0, 0)
    assert ran.err.count("warning: ") == 3
    assert "s3cret" not in ran.err


def test_a_healthcheck_that_is_no_url_changes_nothing(forked: Mdload, folder: Path) -> None:
    ran = forked("run", "a", "--json", "--set", "healthcheck=http://[s3cret")
    assert (ran.code, ran.json()["exit_code"]) == (0, 0)
    assert ran.err.count("healthcheck of the job a is not a URL that begins with http://") == 2
    assert "s3cret" not in ran.err


def test_hooks_are_tested_without_a_run(forked: Mdload, folder: Path, server: Server) -> None:
    ran = forked("run", "a", "--test-hooks", "--json")
    assert (ran.code, ran.json()) == (0, {
        "exit_code": 0,
        "hooks": [
            {"job": "a", "hook": hook, "error": None}
            for hook in ("healthcheck", "on_success", "on_failure", "on_rejects")
        ],
    })  # fmt: skip
    assert [path for _, path, *_ in server.asked] == ["/ping/start", "/ping"]
    events = told(folder)
    assert [each["event"] for each in events] == ["on_success", "on_failure", "on_rejects"]
    assert {(each["test"], each["job"], each["rows_read"]) for each in events} == {(True, "a", 0)}
    assert "a test of on_failure; nothing was run" in events[1]["text"]
    runs = forked("job-runs", "list", "--json")
    assert runs.json() == []


def test_a_hook_that_fails_its_test(forked: Mdload, folder: Path) -> None:
    ran = forked(
        "run", "a", "--test-hooks", "--set", "on_failure=sh -c 'echo no mail here; exit 3'"
    )
    assert ran.code == 6
    assert "failed: sh ended with 3: no mail here" in ran.out
    assert [each["event"] for each in told(folder)] == ["on_success", "on_rejects"]
    (folder / "mdload.toml").write_text('[jobs.b]\nsource = "bars.csv"\n')
    none = forked("run", "b", "--test-hooks")
    assert (none.code, none.out) == (0, "no hooks\n")

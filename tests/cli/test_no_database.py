"""Without a database, commands that read make none: an empty one would look like good news."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Ran


@pytest.mark.parametrize(
    "command",
    [
        "coverage", "gaps --calendar XNYS", "export --to a.csv", "query TABLE\tbars_ohlcv",
        "job-runs list", "job-runs stuck", "job-runs summary", "job-runs inspect 1",
        "job-runs cleanup --older-than-days 1", "pins list", "pin a", "diff a now",
        "revisions list", "rollback 1 --yes", "delete --symbol A --yes", "rename A B --yes",
        "prune --runs-days 1 --yes", "db psql -c TABLE\tbars_ohlcv",
    ],
)  # fmt: skip
def test_none_is_made(mdload: Callable[..., Ran], home: Path, command: str) -> None:
    ran = mdload(*(word.replace("\t", " ") for word in command.split(" ")))
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("error: no database is named, and the embedded one does not exist")
    assert "mdload backfill FILE makes the embedded one" in ran.err
    assert list(home.iterdir()) == []


def test_the_doctor_fails(mdload: Callable[..., Ran], home: Path) -> None:
    ran = mdload("doctor")
    assert ran.code == 6
    assert "the embedded one does not exist yet" in " ".join(ran.out.split())
    assert list(home.iterdir()) == []

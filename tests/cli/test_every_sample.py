"""Every sample file through the command line into PostgreSQL: loaded as counted, or refused.

`samples.csv` has a line for each file: the options it needs, its dialect, and the numbers of rows
read, inserted, duplicate, skipped and rejected by rule; or the sentence that refuses it.
`tests/dialects/test_real_files.py` and `test_samples.py` compare the bars with independent
readings.
"""

from __future__ import annotations

import csv
import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import Result

from tests.cli import test_samples as tables
from tests.cli.test_samples import cli, store
from tests.dialects.by_hand import crypto, engines, equities, fx

__all__ = ["cli", "store"]  # fixtures

with (Path(__file__).parent / "samples.csv").open(newline="") as file:
    LISTED = list(csv.DictReader(file))
NO_SAMPLES = {"SOURCES.md", "GOLDEN.json"}
READ_BY_HAND = {
    sample.path for by_hand in (tables, crypto, engines, equities, fx) for sample in by_hand.SAMPLES
}
COUNTS = ("read", "inserted", "duplicate", "skipped")


def test_every_file_is_listed_once(samples: Path) -> None:
    files = {path.relative_to(samples).as_posix() for path in samples.rglob("*") if path.is_file()}
    assert sorted(line["file"] for line in LISTED) == sorted(files - NO_SAMPLES)


def test_every_file_that_loads_is_also_read_by_hand() -> None:
    loaded = {line["file"] for line in LISTED if line["inserted"] not in ("", "0")}
    assert loaded - READ_BY_HAND == set()


@pytest.mark.parametrize("line", LISTED, ids=lambda line: line["file"])
def test_a_file_is_loaded_as_counted_or_refused(
    line: dict[str, str], samples: Path, store: str, cli: Callable[..., Result],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(samples)
    with psycopg.connect(store) as connection:
        connection.execute("TRUNCATE bars_ohlcv")  # some files share bars with others
    ran = cli("--database", store, "-q", "backfill", line["file"], *shlex.split(line["options"]),
              "--force", "--json")  # fmt: skip
    assert told(line["file"], line["options"], json.loads(ran.stdout)) == line
    assert (ran.return_value == 0) == (not line["refused"])


def told(path: str, options: str, result: dict[str, Any]) -> dict[str, str]:
    """The result of a file, in the form of `samples.csv`."""
    (of,) = result["files"]
    rejected = "; ".join(f"{rule} {rows}" for rule, rows in sorted(of["rejected"].items()))
    refused = (of["error"] or "").removeprefix(f"{path}: ").removeprefix(path).strip()
    counts = {name: "" if refused else str(of[f"rows_{name}"]) for name in COUNTS}
    return {"file": path, "options": options, "dialect": of["dialect"] or "", **counts,
            "rejected": rejected, "refused": refused}  # fmt: skip

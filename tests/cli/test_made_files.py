"""Files that were made for the tests, through the command line into PostgreSQL.

They are the golden folders of `tests/dialects`, with bars as worked out by hand, and need nothing
that is not in the repository: where the real files are missing, every container and every
provider's format is still read, made unique, stored and found unchanged.
"""

from __future__ import annotations

import json
import tomllib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import Result

from tests.cli.test_samples import cli, store
from tests.dialects.test_golden import CASES, GOLDEN, expected
from tests.support.golden import OWN

__all__ = ["cli", "store"]  # fixtures

#: What a case may say that the command line says as well.
OPTIONS = {
    "interval", "symbol", "provider", "timezone", "stamp", "dialect", "allow_nonpositive_prices",
}  # fmt: skip
#: Endings of files in containers other than text.
BINARY = {".bi5", ".day", ".dbn", ".feather", ".h5", ".hst", ".parquet", ".scid"}


def said(case: str) -> dict[str, Any]:
    path = GOLDEN / case / "case.toml"
    return tomllib.loads(path.read_text()) if path.exists() else {}


def files(case: str) -> list[Path]:
    return [p for p in sorted((GOLDEN / case).rglob("*")) if p.is_file() and p.name not in OWN]


def chosen() -> list[str]:
    """All cases in a binary container, and one of each dialect: tests/dialects/test_golden.py reads
    them all, and nothing after the reader knows the dialect."""
    taken: list[str] = []
    for case in CASES:
        if "error" in said(case) or not said(case).get("options", {}).keys() <= OPTIONS:
            continue
        dialect = case.split("/", maxsplit=1)[0]
        first = not any(each.startswith(f"{dialect}/") for each in taken)
        if first or any(path.suffix in BINARY for path in files(case)):
            taken.append(case)
    return taken


def test_they_are_of_every_dialect_container_and_option() -> None:
    assert {case.split("/")[0] for case in chosen()} == {case.split("/")[0] for case in CASES}
    endings = {path.suffix for case in chosen() for path in files(case)}
    assert endings >= BINARY | {".csv", ".json", ".ndjson", ".txt"}
    assert {name for case in chosen() for name in said(case).get("options", {})} == OPTIONS


@pytest.mark.parametrize("case", chosen())
def test_the_bars_stored_are_those_worked_out_by_hand(
    case: str, store: str, cli: Callable[..., Result]
) -> None:
    with psycopg.connect(store) as connection:
        connection.execute("TRUNCATE bars_ohlcv")  # some cases have bars of others
    options = [
        word
        for name, value in said(case).get("options", {}).items()
        for word in (f"--{name.replace('_', '-')}", *([] if value is True else [str(value)]))
    ]
    args = ("--database", store, "-q", "backfill", *files(case), *options,
            "--max-rejects", "100%", "--force", "--json")  # fmt: skip
    ran = cli(*args)
    assert ran.return_value == 0, (ran.exception, ran.stdout, ran.stderr)
    bars = {row[:4]: row[4:] for row in expected(GOLDEN / case)}
    told = json.loads(ran.stdout)
    assert told["rows_inserted"] == len(bars)
    rejected: Counter[str] = Counter()
    for file in told["files"]:
        rejected.update(file["rejected"])
    assert rejected == said(case).get("rejected", {})
    assert sum(file["rows_skipped"] for file in told["files"]) == said(case).get("skipped", 0)
    with psycopg.connect(store) as connection:
        stored = connection.execute(
            'SELECT provider, symbol, "interval", ts, open, high, low, close, volume, vwap, '
            "trade_count FROM bars_ohlcv"
        ).fetchall()
    assert {row[:4]: row[4:] for row in stored} == bars

    again = cli(*args)
    assert json.loads(again.stdout)["rows_unchanged"] == len(bars)

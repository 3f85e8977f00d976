"""A part of a file, through the command: what is stored, and what the ledger makes of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from tests.conftest import Ran, pieces_of
from tests.support.sql import fetch

Mdload = Callable[..., Ran]
FIRST = datetime(2024, 3, 4, 14, 30, tzinfo=UTC)


def parquet(path: Path, *, days: int = 20, without: tuple[int, ...] = ()) -> Path:
    """A bar a minute, ten a day, of ALFA and BRAV; a row group is ten days of a symbol."""
    made = [
        (symbol, FIRST + timedelta(days=day, minutes=minute), 100.0 + day)
        for symbol in ("ALFA", "BRAV")
        for day in range(days)
        for minute in range(10)
        if day not in without
    ]
    frame = pl.DataFrame(made, {"symbol": pl.String, "ts": pl.Datetime("us", "UTC"), "open": float},
                         orient="row")  # fmt: skip
    frame = frame.with_columns(pl.col("open").alias(name) for name in ("high", "low", "close"))
    frame.write_parquet(path, row_group_size=100)
    return path


def test_a_part_is_not_taken_for_the_whole(
    forked: Mdload, database_url: str, tmp_path: Path
) -> None:
    path = parquet(tmp_path / "bars.parquet")
    asked = ("--database", database_url, "backfill", path, "--provider", "p", "--json")
    part = (*asked, "--batch-rows", str(pieces_of(100)), "--symbols", "brav",
            "--since", "2024-03-18", "--until", "2024-03-19")  # fmt: skip
    dry = forked(*part, "--dry-run").json()
    assert (dry["rows_read"], dry["rows_inserted"]) == (20, 20)
    one = forked(*part)
    found = one.json()
    assert (one.code, found["rows_read"], found["rows_inserted"]) == (0, 20, 20)
    assert found["symbols"] == ["BRAV"]
    assert (found["min_ts"][:10], found["max_ts"][:10]) == ("2024-03-18", "2024-03-19")
    # By the statistics: the second ten days of ALFA, the first of BRAV.
    assert "380 rows are outside of it; 200 of them were not read" in one.err
    assert [f["state"] for f in forked(*part).json()["files"]] == ["known"]
    (meta,) = fetch(database_url, "SELECT metadata->'part' FROM job_runs WHERE id = %s",
                   found["run_id"])  # fmt: skip
    assert meta[0] == {
        "since": "2024-03-18T00:00:00+00:00", "until": "2024-03-19T23:59:59.999999+00:00",
        "symbols": ["BRAV"],
    }  # fmt: skip
    whole = forked(*asked).json()
    assert [f["state"] for f in whole["files"]] == ["loaded"]
    assert (whole["rows_read"], whole["rows_inserted"], whole["rows_unchanged"]) == (400, 380, 20)
    assert [f["state"] for f in forked(*asked).json()["files"]] == ["known"]
    other = forked(*asked, "--symbols", "ALFA").json()
    assert (other["rows_read"], other["rows_unchanged"]) == (200, 200)


def test_bars_that_are_gone_are_those_of_the_part(
    forked: Mdload, database_url: str, tmp_path: Path
) -> None:
    command = ("--database", database_url, "backfill", "--provider", "p", "--json")
    assert forked(*command, parquet(tmp_path / "bars.parquet")).code == 0
    fewer = parquet(tmp_path / "fewer.parquet", without=(2, 12))
    part = ("--since", "2024-03-14", "--symbols", "ALFA,BRAV", "--delete-gone")
    done = forked(*command, fewer, *part).json()
    assert (done["bars_gone"], done["bars_deleted"], done["rows_unchanged"]) == (20, 20, 180)
    left = fetch(database_url, "SELECT ts::date, count(*) FROM bars_ohlcv GROUP BY 1 ORDER BY 1")
    assert [n for _, n in left] == [20] * 12 + [20] * 7
    assert {str(day) for day, _ in left} >= {"2024-03-06"}  # day 2, before the part
    assert "2024-03-16" not in {str(day) for day, _ in left}  # day 12


def test_what_is_typed(forked: Mdload, database_url: str, tmp_path: Path) -> None:
    path = parquet(tmp_path / "bars.parquet")
    command = ("--database", database_url, "backfill", path, "--provider", "p")
    late = forked(*command, "--since", "2025-01-01")
    assert late.code == 0
    assert "400 rows are outside of it" in late.err
    mixed = forked(*command, "--symbols", "ALFA,ALPHA", "--symbols", "BRAVO")
    assert mixed.code == 0
    assert "no bar is of ALPHA, BRAVO" in mixed.err
    wrong = forked(*command, "--symbols", "ALPHA", "--json")
    assert wrong.code == 3
    assert "has no row of ALPHA" in json.loads(wrong.out)["files"][0]["error"]
    assert forked(*command, "--since", "2024-03-02", "--until", "2024-03-01").code == 2
    assert forked(*command, "--symbols", ",").code == 2


def test_a_part_in_parts(forked: Mdload, database_url: str, tmp_path: Path) -> None:
    path = parquet(tmp_path / "bars.parquet")
    asked = ("--database", database_url, "backfill", path, "--provider", "p", "--json")
    part = ("--commit-every", "30", "--batch-rows", "20", "--since", "2024-03-18")
    done = forked(*asked, *part)
    found = done.json()
    assert (done.code, found["rows_read"], found["rows_inserted"]) == (0, 120, 120)
    assert [f["state"] for f in forked(*asked, *part).json()["files"]] == ["known"]
    none = forked(*asked, "--commit-every", "30", "--since", "2025-01-01").json()
    assert [(f["state"], f["rows_read"]) for f in none["files"]] == [("loaded", 0)]
    whole = forked(*asked).json()
    assert (whole["rows_inserted"], whole["rows_unchanged"]) == (280, 120)

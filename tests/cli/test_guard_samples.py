"""No sign over real files: loaded twice, with bars restated here and there, and appended to."""

from __future__ import annotations

import csv
import shlex
from collections.abc import Callable
from pathlib import Path

import polars as pl
import psycopg
import pytest

from loader.bars import SCHEMA
from loader.ingest.pipeline import load
from loader.read.sources import find
from loader.results import LoadResult
from loader.settings import RejectLimit, Settings
from tests.conftest import Ran

Mdload = Callable[..., Ran]
ROWS = list(csv.DictReader((Path(__file__).parent / "samples.csv").read_text().splitlines()))
LOADED = [row for row in ROWS if row["inserted"] not in ("", "0")]
LOOSE = RejectLimit(share=1.0)


def bars(url: str) -> pl.DataFrame:
    names = ", ".join(f'"{name}"' for name in SCHEMA)
    with psycopg.connect(url) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        rows = connection.execute(f"SELECT {names} FROM bars_ohlcv ORDER BY 1, 2, 3, 4").fetchall()
    return pl.DataFrame(rows, schema={**SCHEMA}, orient="row")


def again(url: str, frame: pl.DataFrame, path: Path) -> LoadResult:
    frame.write_parquet(path)
    with find([str(path)]) as sources:
        return load(Settings(force=True, max_rejects=LOOSE, check_grid=False,
                             allow_nonpositive_prices=True), url, sources)  # fmt: skip


def restated(frame: pl.DataFrame, every: int) -> pl.DataFrame:
    """Each so-manieth bar closes at its high, and has more volume."""
    chosen = pl.int_range(pl.len()) % every == every // 2
    return frame.with_columns(
        close=pl.when(chosen).then("high").otherwise("close"),
        volume=pl.when(chosen).then(pl.col("volume") + 3).otherwise("volume"),
    )


def signs(result: LoadResult) -> list[str]:
    return [each.text for file in result.files for each in file.findings]


@pytest.mark.parametrize("row", LOADED, ids=[row["file"] for row in LOADED])
def test_no_sign_over_a_sample(
    mdload: Mdload, database_url: str, samples: Path, tmp_path: Path, row: dict[str, str]
) -> None:
    ran = mdload(
        "--database", database_url, "backfill", samples / row["file"],
        *shlex.split(row["options"]), "--json",
    )  # fmt: skip
    assert (ran.code, ran.json()["findings"]) == (0, [])
    frame = bars(database_url)
    twice = again(database_url, frame, tmp_path / "twice.parquet")
    assert (twice.exit_code, signs(twice), twice.counts.updated) == (0, [], 0)
    for every in (100, 10):
        result = again(database_url, restated(frame, every), tmp_path / f"{every}.parquet")
        assert (result.exit_code, signs(result)) == (0, [])
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("TRUNCATE bars_ohlcv, bars_ohlcv_revisions, bars_loads")
    start = frame.filter(pl.int_range(pl.len()) < pl.len() * 0.8)
    assert again(database_url, start, tmp_path / "start.parquet").exit_code == 0
    result = again(database_url, frame, tmp_path / "whole.parquet")
    assert (result.exit_code, signs(result)) == (0, [])

"""Memory does not grow with a file, though each of its rows changes a bar or is rejected."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from tests.conftest import environment
from tests.support.sql import fetch

#: Half of the rows of the smaller file; the larger one has four times as many.
ROWS = 50_000
#: The further rows that wait take 34 MB as rejects in memory, without any copy of them.
MOST_MB = 20
START = datetime(2024, 1, 1, tzinfo=UTC)
#: The command, with a smaller sample for the guard: both files have more bars than that.
COMMAND = """
import loader.store.guard.sample as sample
from loader.__main__ import main
from loader.store.quarantine import waiting
assert 2_500 < waiting._FEWEST <= 5_000
assert sample._ROWS > 2_000
sample._ROWS = 2_000
main()
"""
#: Runs it, and says on stderr how much memory it took, in kB.
MEASURED = (
    "import resource, subprocess, sys\n"
    "ran = subprocess.run([sys.executable, '-c', *sys.argv[1:]])\n"
    "print('peak', resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)\n"
    "sys.exit(ran.returncode)"
)


def written(path: Path, rows: int, **changed: pl.Expr) -> None:
    number = pl.int_range(2 * rows, dtype=pl.Int64)
    price = 100 + number % 97
    frame = pl.select(
        ts=pl.lit(START) + timedelta(minutes=1) * number, symbol=pl.lit("AAA"),
        open=price.cast(pl.Float64), high=price + 1.0, low=price - 1.0, close=price + 0.5,
        volume=(1_000 + number * 7_919 % 9_973).cast(pl.Float64),
    )  # fmt: skip
    frame.with_columns(**changed).write_parquet(path, row_group_size=10_000)


@pytest.mark.skipif(sys.platform != "linux", reason="kilobytes are meant")
def test_memory_does_not_grow_with_changed_and_rejected_rows(
    database_url: str, home: Path, tmp_path: Path
) -> None:
    def taken(rows: int, *options: str, **changed: pl.Expr) -> int:
        written(tmp_path / "bars.parquet", rows, **changed)
        ran = subprocess.run(
            [sys.executable, "-c", MEASURED, COMMAND, "backfill", tmp_path / "bars.parquet",
             "--provider=p", "--interval=1m", "--batch-rows=5000", "--workers=1", "-q", *options],
            env=environment(home, {"MDLOAD_DATABASE_URL": database_url, "POLARS_MAX_THREADS": "2"}),
            cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        assert ran.returncode == 0, ran.stderr
        return int(ran.stderr.splitlines()[-1].removeprefix("peak "))

    number = pl.int_range(pl.len())
    # The rows of the first half break a rule, and are sent at once; in the second half the odd ones
    # do and wait, and the even ones have another volume, each time another.
    wrong = {
        "high": pl.when((number < pl.len() // 2) | (number % 2 == 1))
        .then(pl.col("low") - 1)
        .otherwise("high"),
        "volume": pl.col("volume") + 1 + number % 5,
    }
    taken(4 * ROWS)
    small = taken(ROWS, "--max-rejects=100%", **wrong)
    wrong["volume"] = pl.col("volume") + 11 + number % 3
    large = taken(4 * ROWS, "--max-rejects=100%", **wrong)
    assert fetch(
        database_url,
        "SELECT rows_updated, rows_failed, bars_changed FROM job_run_files ORDER BY id",
    ) == [(0, 0, 0), *((rows // 2, rows * 3 // 2, rows // 2) for rows in (ROWS, 4 * ROWS))]
    assert large - small < MOST_MB << 10, (small, large)

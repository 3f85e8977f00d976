"""Modules that a load must not import: each takes as long as the rest of a small load."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from loader.bars import SCHEMA

HEAVY = ("pandas", "pyarrow.dataset", "pyarrow.compute", "sqlalchemy", "alembic")
SCRIPT = f"""
import sys
from loader.cli import root
root.main(sys.argv[1:], standalone_mode=False)
sys.exit(", ".join(name for name in {HEAVY} if name in sys.modules) or 0)
"""


@pytest.mark.parametrize("format", ["parquet", "csv"])
def test_a_load_imports_nothing_heavy(database_url: str, tmp_path: Path, format: str) -> None:
    path = tmp_path / f"bars.{format}"
    for close in (1.0, 1.5):  # inserts, then reads back and updates
        row = ("p", "A", "1m", datetime(2024, 3, 4, 9, 30, tzinfo=UTC), 1.0, 2.0, 1.0, close)
        frame = pl.DataFrame([(*row, 5.0, None, 3)], schema={**SCHEMA}, orient="row")
        getattr(frame, f"write_{format}")(path)
        command = ["-q", "--database", database_url, "backfill", str(path), "--json"]
        ran = subprocess.run(
            [sys.executable, "-c", SCRIPT, *command], capture_output=True, text=True, check=False
        )
        assert (ran.returncode, ran.stderr) == (0, "")


THREADS = """
import os, sys
if sys.argv[1] == "plain":
    import pyarrow
else:
    from loader.cli.memory import import_arrow
    import_arrow()
print(len(os.listdir("/proc/self/task")), os.environ.get("OPENBLAS_NUM_THREADS"))
"""


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="threads are counted in /proc")
def test_numpy_starts_no_threads_for_a_load() -> None:
    environment = {k: v for k, v in os.environ.items() if k != "OPENBLAS_NUM_THREADS"}

    def printed(how: str, **more: str) -> list[str]:
        command = [sys.executable, "-c", THREADS, how]
        return subprocess.check_output(command, text=True, env=environment | more).split()

    fewest, _ = printed("plain", OPENBLAS_NUM_THREADS="1")
    assert printed("ours") == [fewest, "None"]  # the programs that mdload starts have their threads
    assert printed("ours", OPENBLAS_NUM_THREADS="2")[1] == "2"

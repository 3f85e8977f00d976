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
    from loader.cli import memory
    memory.arrange()
    import pyarrow
    assert os.environ["_RJEM_MALLOC_CONF"] == sys.argv[2]
    memory.settle()
names = ("OPENBLAS_NUM_THREADS", "_RJEM_MALLOC_CONF")
print(len(os.listdir("/proc/self/task")), *map(os.environ.get, names))
"""


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="threads are counted in /proc")
def test_the_libraries_of_a_load_have_its_settings() -> None:
    ours = ("OPENBLAS_NUM_THREADS", "_RJEM_MALLOC_CONF")
    environment = {k: v for k, v in os.environ.items() if k not in ours}

    def printed(how: str, **more: str) -> list[str]:
        memory = more.get("_RJEM_MALLOC_CONF", "dirty_decay_ms:500,muzzy_decay_ms:0")
        command = [sys.executable, "-c", THREADS, how, memory]
        return subprocess.check_output(command, text=True, env=environment | more).split()

    fewest, *_ = printed("plain", OPENBLAS_NUM_THREADS="1")
    assert printed("ours") == [fewest, "None", "None"]  # as it was, for programs that mdload starts
    own = {"OPENBLAS_NUM_THREADS": "2", "_RJEM_MALLOC_CONF": "narenas:1"}
    assert printed("ours", **own)[1:] == list(own.values())

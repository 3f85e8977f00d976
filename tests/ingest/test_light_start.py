"""Modules that a load must not import: some take as long as the rest of a small load."""

from __future__ import annotations

import os
import platform
import resource
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from loader.bars import SCHEMA

HEAVY = (
    "pandas", "pyarrow.dataset", "pyarrow.compute", "sqlalchemy", "alembic", "rich",
    "prometheus_client", "loader.jobs", "tomllib",
)  # fmt: skip
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
            [sys.executable, "-c", SCRIPT, *command], capture_output=True, text=True, check=False,
            cwd=tmp_path, env={**os.environ, "XDG_CONFIG_HOME": str(tmp_path)},
        )  # fmt: skip
        assert (ran.returncode, ran.stderr) == (0, "")


def test_processes_start_before_anything_heavy() -> None:
    script = (
        "import sys; import loader.cli.backfill; import loader.ingest.ways.processes.ahead; "
        "print({'polars', 'pyarrow', 'numpy', 'psycopg'} & set(sys.modules))"
    )
    assert subprocess.check_output([sys.executable, "-c", script], text=True) == "set()\n"


SETTINGS = (
    "OPENBLAS_NUM_THREADS", "_RJEM_MALLOC_CONF", "ARROW_DEFAULT_MEMORY_POOL", "POLARS_MAX_THREADS",
)  # fmt: skip
THREADS = f"""
import os, sys
os.cpu_count = lambda: int(sys.argv[2])
if sys.argv[1] == "ours":
    from loader.read import memory
    memory.arrange()
import pyarrow
print(len(os.listdir("/proc/self/task")), os.environ.get("_RJEM_MALLOC_CONF"))
import polars
if sys.argv[1] == "ours":
    memory.settle()
print(polars.thread_pool_size(), pyarrow.default_memory_pool().backend_name)
# Polars puts its own choice before what it finds.
print(*(str(os.environ.get(name)).rpartition(",")[2] for name in {SETTINGS}))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere Arrow may have no jemalloc")
def test_the_libraries_of_a_load_have_its_settings() -> None:
    environment = {k: v for k, v in os.environ.items() if k not in SETTINGS}

    def printed(how: str, processors: int, **more: str) -> list[str]:
        command = [sys.executable, "-c", THREADS, how, str(processors)]
        return subprocess.check_output(command, text=True, env=environment | more).split()

    fewest, _, pool, *_ = printed("plain", 8, OPENBLAS_NUM_THREADS="1")
    decay = "dirty_decay_ms:500,muzzy_decay_ms:0"
    left = ["None"] * 4  # as it was, for programs that mdload starts
    assert printed("ours", 8) == [fewest, decay, pool, "jemalloc", *left]
    assert printed("ours", 2) == [fewest, decay, "1", "jemalloc", *left]
    own = ("2", "narenas:1", "system", "3")
    given = dict(zip(SETTINGS, own, strict=True))
    assert printed("ours", 2, **given)[1:] == ["narenas:1", "3", "jemalloc", *own]


BLOCKS = """
import resource
from loader.read import memory
memory.arrange()
memory.settle()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    blocks = [bytearray(1 << 20) for _ in range(8)]
    del blocks
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other libraries keep blocks")
def test_large_blocks_are_not_cleared_again_and_again() -> None:
    faults = int(subprocess.check_output([sys.executable, "-c", BLOCKS], text=True))
    assert faults < 2 * (8 << 20) // resource.getpagesize()

"""sling, mode `incremental` with a primary key and no update key ("full data upsert").

Sources: sling's manual, "Replication modes" and "File to database, incremental". The executable is
the one of the PyPI package `sling-linux-amd64`, or the one that SLING_BINARY names. sling stages
the file into a table of its own first.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping
from pathlib import Path

from benchmarks.contenders.contender import Contender, Job


def _binary() -> str:
    if chosen := os.environ.get("SLING_BINARY"):
        return chosen
    spec = importlib.util.find_spec("sling_linux_amd64")
    if spec and spec.origin:
        return str(Path(spec.origin).parent / "bin" / "sling-linux-amd64")
    return "sling"


def _command(job: Job) -> list[str]:
    return [
        _binary(), "run", "--src-stream", f"file://{job.file}", "--tgt-conn", "BENCH",
        "--tgt-object", "public.bars_ohlcv", "--mode", "incremental",
        "--primary-key", "provider,symbol,interval,ts",
    ]  # fmt: skip


def _environment(job: Job) -> Mapping[str, str]:
    return {
        "BENCH": job.url,
        "SLING_HOME_DIR": str(job.directory),
        "SLING_DISABLE_TELEMETRY": "true",
        "SLING_ALLOW_EMPTY": "true",
    }


CONTENDER = Contender(
    name="sling",
    title="sling incremental",
    command=_command,
    environment=_environment,
    program=_binary(),
    formats=("csv",),
)

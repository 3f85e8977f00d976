"""One measured process, in an environment without settings of ours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.processors import Spent
from benchmarks.results import Run

_ROOT = Path(__file__).parent.parent
_TIMED = Path(__file__).parent / "timed.py"


def measured(
    command: Sequence[str], environment: Mapping[str, str], directory: Path, patience: float
) -> tuple[dict[str, Any], str]:
    """The resources that the process used (see timed.py), and the end of its output. It is ended
    after `patience` seconds."""
    out, log = directory / "timed.json", directory / "output.log"
    with log.open("wb") as output:
        subprocess.run(
            [sys.executable, "-I", "-S", _TIMED, out, str(patience), *command],
            check=True, cwd=directory, env={**_environment(), **environment},
            stdin=subprocess.DEVNULL, stdout=output, stderr=output,
        )  # fmt: skip
    lines = log.read_text(errors="replace").strip().splitlines()
    return json.loads(out.read_text()), " / ".join(lines[-2:])[-300:]


def run_of(case: str, contender: str, round: int, used: Mapping[str, Any]) -> Run:
    """The run of a process that used this much."""
    ended = "timeout" if used["timed_out"] else "failed" if used["code"] else "right"
    return Run(
        case, contender, round, used["seconds"], used["cpu_seconds"], used["peak_bytes"],
        outcome=ended,
    )  # fmt: skip


def with_others(run: Run, before: Spent | None, after: Spent | None) -> Run:
    """Adds the processor time of the server and of everything else on the machine."""
    if not before or not after:
        return run
    server = after.server - before.server
    other = after.machine - before.machine - server - run.cpu_seconds
    return replace(run, server_cpu_seconds=server, other_cpu_seconds=max(other, 0.0))


def _environment() -> dict[str, str]:
    """Our environment without variables of databases, of mdload, or against bytecode caching."""
    foreign = ("PG", "MDLOAD_", "DATABASE_URL", "PYTHON")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(foreign)}
    return kept | {"PYTHONPATH": str(_ROOT)}

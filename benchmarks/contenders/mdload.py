"""mdload itself: its own command, from start to exit.

`mdload` passes --force, so that it reads and compares a known file again. `mdload-known` does not:
it recognises the content of a file that it loaded before.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from benchmarks.contenders.contender import Contender, Job

_MDLOAD = str(Path(sys.executable).parent / "mdload")


def _load(url: str, file: Path, *options: str) -> list[str]:
    return [_MDLOAD, "--database", url, "backfill", str(file), "--json", *options]


def _forced(job: Job) -> list[str]:
    return _load(job.url, job.file, "--force")


def _known(job: Job) -> list[str]:
    return _load(job.url, job.file)


def _loaded_by_itself(url: str, file: Path | None, directory: Path) -> None:
    if file:
        command = _load(url, file)
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


CONTENDERS = (
    Contender(
        name="mdload",
        title="mdload backfill",
        command=_forced,
        program=_MDLOAD,
        help=(_MDLOAD, "--help"),
    ),
    Contender(
        name="mdload-known",
        title="mdload backfill, file recognised",
        command=_known,
        program=_MDLOAD,
        cases=frozenset({"replay"}),
        prepare=_loaded_by_itself,
    ),
)

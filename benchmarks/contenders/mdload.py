"""mdload itself: its own command, from start to exit.

`mdload` passes --force, so that it reads and compares a known file again. `mdload-known` does not:
it recognises the content of a file that it loaded before. `mdload-2` has two workers, for many
files.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from benchmarks.contenders.contender import Contender, Job

_MDLOAD = str(Path(sys.executable).parent / "mdload")


def _load(url: str, files: Iterable[Path], *options: str) -> list[str]:
    return [_MDLOAD, "--database", url, "backfill", *map(str, files), "--json", *options]


def _forced(job: Job) -> list[str]:
    return _load(job.url, job.files, "--force")


def _known(job: Job) -> list[str]:
    return _load(job.url, job.files)


def _two_workers(job: Job) -> list[str]:
    return [*_forced(job), "--workers", "2"]


def _loaded_by_itself(url: str, file: Path | None, directory: Path) -> None:
    if file:
        command = _load(url, [file])
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


CONTENDERS = (
    Contender(
        name="mdload",
        title="mdload backfill",
        command=_forced,
        program=_MDLOAD,
        help=(_MDLOAD, "--help"),
        many=_forced,
        many_title="mdload backfill; per file",
    ),
    Contender(
        name="mdload-2",
        title="mdload backfill --workers 2",
        command=_two_workers,
        program=_MDLOAD,
        cases=frozenset({"files", "large"}),
        many=_two_workers,
        many_title="mdload backfill --workers 2; per file",
    ),
    Contender(
        name="mdload-known",
        title="mdload backfill, file recognised",
        command=_known,
        program=_MDLOAD,
        cases=frozenset({"replay", "files-known"}),
        prepare=_loaded_by_itself,
        many=_known,
        many_title="mdload backfill, files recognised",
    ),
)

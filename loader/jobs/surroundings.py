"""What a job needs on this machine: programs of hooks, folders of sources, a place for metrics."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from loader.errors import SettingsError
from loader.jobs.config import Config, JobConfig, job
from loader.jobs.hooks import programs
from loader.lazy import regex
from loader.listen.metrics import check_ways
from loader.read.objects import is_url
from loader.text import account_name

#: Begins what differs from day to day, or stands for several names.
_VARIES: Final = regex(r"[*?\[{!]")


def lacks(found: JobConfig) -> Iterator[tuple[str, SettingsError]]:
    """What is missing here for `found`: the key, and what is wrong with its value."""
    for key, program in programs(found):
        if shutil.which(program) is None:
            yield key, _no_program(key, program)
    if found["metrics_textfile"] is not None:
        try:
            check_ways(found["metrics_textfile"], None)
        except SettingsError as error:
            yield "metrics_textfile", error
    if found["missing"] == "ignore":
        return
    for folder in dict.fromkeys(filter(None, map(_folder, found["source"] or ()))):
        if (why := _unreadable(folder)) is not None:
            hint = "make the folder, or name another one; see: mdload config show"
            yield "source", SettingsError(f"{folder} {why}", option="source", hint=hint)


def all_lacks(config: Config) -> Iterator[SettingsError]:
    """What is missing here for the jobs of `config`, with its place in the file; each once."""
    seen = set()
    for name in config.jobs:
        try:
            found = job(config, name)
        except SettingsError as error:
            yield error
            continue
        for key, lack in lacks(found):
            placed = found.wrong(key, lack)
            if str(placed) not in seen:
                seen.add(str(placed))
                yield placed


def _no_program(key: str, program: str) -> SettingsError:
    if os.sep in program:
        why = "cannot be executed" if Path(program).exists() else "does not exist"
        return SettingsError(f"cannot run: {program} {why}", option=key)
    return SettingsError(
        f"cannot run: there is no program {program!r} in PATH", option=key,
        hint="install it, or write its whole path: cron has a short PATH",
    )  # fmt: skip


def _folder(source: str) -> Path | None:
    """The folder in which a source is looked for on every day; None if it is not on this disk."""
    if is_url(source) or source == "-":
        return None
    folder = Path(source if source.endswith(os.sep) else os.path.dirname(source))
    parts = []
    for part in folder.parts:
        if _VARIES.search(part):
            break
        parts.append(part)
    return Path(*parts)


def _unreadable(folder: Path) -> str | None:
    if not folder.exists():
        return "does not exist"
    if folder.is_dir() and not os.access(folder, os.R_OK | os.X_OK):
        return f"cannot be read by {account_name()}"
    return None

"""What happens during a load, told to whoever listens: progress bars, logs, metrics."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from loader.results import FileResult, LoadResult


@dataclass(frozen=True, slots=True)
class RunStarted:
    run_id: int | None
    files: int


@dataclass(frozen=True, slots=True)
class FileStarted:
    """`size_bytes` is what is on disk; `rows` is known only where the format says it up front."""

    path: str
    size_bytes: int
    rows: int | None


@dataclass(frozen=True, slots=True)
class FileNote:
    """Something a person should know about a file: an inference, a column left out, a retry."""

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class RowsDone:
    """`rows` more rows went through; a file that starts over sends a negative number."""

    path: str
    rows: int


@dataclass(frozen=True, slots=True)
class FileDone:
    result: FileResult


@dataclass(frozen=True, slots=True)
class RunDone:
    result: LoadResult


Event = RunStarted | FileStarted | FileNote | RowsDone | FileDone | RunDone
Listener = Callable[[Event], None]

"""The events of a load, for its listeners: progress bars, logs, metrics."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

from loader.lazy import dataclass
from loader.results import Counts, FileResult, LoadResult, Note

#: How bars reach the table: straight, or through the diff-aware upsert.
Method = Literal["COPY", "UPSERT"]


@dataclass(frozen=True, slots=True)
class RunStarted:
    """`run_id` is None for a dry run; `files` is 0 for a live feed; `size_bytes` is the size of all
    files, as in `FileStarted`."""

    run_id: int | None
    files: int
    job_name: str
    provider: str | None
    mode: Literal["live", "backfill"]
    size_bytes: int = 0


@dataclass(frozen=True, slots=True)
class MoreFiles:
    """Files are loaded again in the same run, with this size in all."""

    files: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class FileStarted:
    """`size_bytes` is the size on disk."""

    path: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class FileOpened:
    """`rows` is the number of rows in the file's metadata; None for text, which has none."""

    path: str
    rows: int | None


@dataclass(frozen=True, slots=True)
class FileNote:
    path: str
    note: Note

    @property
    def text(self) -> str:
        return self.note.text


@dataclass(frozen=True, slots=True)
class RowsDone:
    """`rows` more rows were processed, which take about `size_bytes` of the file's; both are
    negative when a file starts over."""

    path: str
    rows: int
    size_bytes: int = 0


@dataclass(frozen=True, slots=True)
class BarsWritten:
    """The bars that an ended transaction sent by one method.

    `bars` were inserted or updated, or if not `committed`, sent and rolled back.
    """

    path: str
    method: Method
    bars: int
    seconds: float
    committed: bool


@dataclass(frozen=True, slots=True)
class Committed:
    """A transaction is committed: the counts of its rows, and of its rejects by rule."""

    path: str
    counts: Counts
    rejected: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class FileDone:
    result: FileResult


@dataclass(frozen=True, slots=True)
class RunDone:
    result: LoadResult


Event = (
    RunStarted
    | MoreFiles
    | FileStarted
    | FileOpened
    | FileNote
    | RowsDone
    | BarsWritten
    | Committed
    | FileDone
    | RunDone
)
Listener = Callable[[Event], None]

"""The result of a load in counts: every row that was read is in exactly one of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, field, fields
from datetime import datetime
from types import MappingProxyType
from typing import Final, Literal, get_args

from loader.errors import MergeFailed
from loader.lazy import dataclass
from loader.results.history import Finding, History, SeriesHistory

FileState = Literal["loaded", "known", "partial", "refused", "failed", "cancelled", "unfinished"]
RunStatus = Literal["running", "success", "failure", "cancelled"]
STATUSES: Final[tuple[RunStatus, ...]] = get_args(RunStatus)
Mode = Literal["live", "backfill"]

#: The subject of a note: how the source was read; the dialect that was recognised, and what it says
#: of this file; columns; provider and symbol; times; interval; scale of the numbers; rows left out;
#: symbols renamed; the course of a load or feed itself; and the changes to bars stored before.
NoteKind = Literal[
    "reading", "recognition", "dialect", "columns", "key", "times", "interval", "numbers", "rows",
    "symbols", "run", "history",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Note:
    """Something a person should know about a file: an inference, a column left out, a retry."""

    kind: NoteKind
    text: str


def noted(kind: NoteKind, texts: Iterable[str]) -> tuple[Note, ...]:
    """A note of one kind for each text."""
    return tuple(Note(kind, text) for text in texts)


@dataclass(frozen=True, slots=True)
class Counts:
    """Rows of one file or one run, as bars (a wide table is counted after it was made long).

    read = inserted + updated + unchanged + duplicate + skipped + rejected, always.
    """

    read: int = 0
    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    duplicate: int = 0
    skipped: int = 0
    rejected: int = 0

    @property
    def written(self) -> int:
        return self.inserted + self.updated

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    def __sub__(self, other: Counts) -> Counts:
        return Counts(*(getattr(self, f.name) - getattr(other, f.name) for f in fields(self)))

    @staticmethod
    def total(parts: Iterable[Counts]) -> Counts:
        return sum(parts, Counts())

    def check(self, what: str) -> Counts:
        """Itself, if the books balance.

        Raises:
            MergeFailed: a row is missing from the counts or is counted twice.
        """
        accounted = (
            self.inserted + self.updated + self.unchanged
            + self.duplicate + self.skipped + self.rejected
        )  # fmt: skip
        if accounted != self.read:
            raise MergeFailed(
                f"{what}: {self.read} rows were read but {accounted} are accounted for; "
                "nothing was committed",
                hint="this is a fault of mdload: please report it with the file's first rows",
            )
        return self

    def as_columns(self) -> dict[str, int]:
        """The counts under the names that `job_runs`, `job_run_files` and `--json` use."""
        return {
            "rows_read": self.read,
            "rows_written": self.written,
            "rows_inserted": self.inserted,
            "rows_updated": self.updated,
            "rows_unchanged": self.unchanged,
            "rows_duplicate": self.duplicate,
            "rows_skipped": self.skipped,
            "rows_failed": self.rejected,
        }


@dataclass(frozen=True, slots=True)
class FileResult:
    """One source file of a run.

    `state` is `loaded`; `known` (its content is loaded already under this configuration);
    `partial` (`commit_every` committed some parts before it ended); `refused` (more rejects than
    allowed); `failed`; `cancelled`; or `unfinished` (still being written: a job leaves it for its
    next run, and it is not in the ledger). `retryable` means that another attempt may succeed.
    `min_ts` and `max_ts` span the good bars (UTC). `history` is what it does to stored bars, or
    would have done if it is refused; `series` has the same for its series that do anything.
    `rejected` maps each broken rule to its number of rows (a row can break several).
    `conflicts` lists the first keys that the file holds twice with different values.
    `error` is a sentence; `fault` is the same without the place, so that files with one fault can
    be told together.
    """

    path: str
    state: FileState
    counts: Counts = Counts()
    dialect: str | None = None
    provider: str | None = None
    interval: str | None = None
    content_hash: str | None = None
    size_bytes: int | None = None
    symbols: tuple[str, ...] = ()
    min_ts: datetime | None = None
    max_ts: datetime | None = None
    rejected: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    conflicting: int = 0
    conflicts: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()
    history: History = field(default_factory=History)
    series: tuple[SeriesHistory, ...] = ()
    findings: tuple[Finding, ...] = ()
    error: str | None = None
    fault: str | None = None
    hint: str | None = None
    exit_code: int = 0
    retryable: bool = False
    file_id: int | None = None


@dataclass(frozen=True, slots=True)
class ChunkWrites:
    """A compressed chunk of TimescaleDB that a load wrote `rows` into, which holds times from
    `first` up to before `before` (UTC). Unless `recompressed`, these lie beside the others."""

    chunk: str
    first: datetime
    before: datetime
    rows: int
    recompressed: bool = False
    error: str | None = None


@dataclass(frozen=True, slots=True)
class LoadResult:
    """One invocation. `run_id` is None for a dry run, which leaves no record. `chunks` are the
    compressed chunks that it wrote into, in order of time. `tenant` is the one whose `dataset` the
    files are rows of; None for bars. `shard` is the share of the files that it was for (`3/16`)."""

    run_id: int | None
    status: RunStatus
    files: tuple[FileResult, ...]
    elapsed_ms: int
    wal_bytes: int | None
    dry_run: bool = False
    chunks: tuple[ChunkWrites, ...] = ()
    dataset: str | None = None
    tenant: str | None = None
    shard: str | None = None

    @property
    def counts(self) -> Counts:
        return Counts.total(f.counts for f in self.files)

    @property
    def history(self) -> History:
        return sum((f.history for f in self.files), History())

    @property
    def symbols(self) -> list[str]:
        return sorted({s for f in self.files for s in f.symbols})

    @property
    def min_ts(self) -> datetime | None:
        return min((f.min_ts for f in self.files if f.min_ts), default=None)

    @property
    def max_ts(self) -> datetime | None:
        return max((f.max_ts for f in self.files if f.max_ts), default=None)

    @property
    def exit_code(self) -> int:
        """0, or the largest of the files' codes."""
        return max((f.exit_code for f in self.files), default=0)


def as_object(result: LoadResult) -> dict[str, object]:
    """The contract's object for `backfill --json`."""
    return {
        "run_id": result.run_id,
        "status": result.status,
        "dry_run": result.dry_run,
        **({"dataset": result.dataset, "tenant": result.tenant} if result.tenant else {}),
        **({"shard": result.shard} if result.shard else {}),
        **result.counts.as_columns(),
        **result.history.as_columns(),
        "symbols": result.symbols,
        "min_ts": result.min_ts,
        "max_ts": result.max_ts,
        "elapsed_ms": result.elapsed_ms,
        "wal_bytes": result.wal_bytes,
        "chunks": [asdict(chunk) for chunk in result.chunks],
        "findings": [
            {"path": file.path, **finding.as_object()}
            for file in result.files
            for finding in file.findings
        ],
        "files": [as_file(file) for file in result.files],
    }


def as_file(file: FileResult) -> dict[str, object]:
    """The object of one file in it."""
    return {
        "path": file.path,
        "dialect": file.dialect,
        "provider": file.provider,
        "interval": file.interval,
        "state": file.state,
        "content_hash": file.content_hash,
        **file.counts.as_columns(),
        "rejected": dict(file.rejected),
        "conflicting": file.conflicting,
        "conflicts": list(file.conflicts),
        "min_ts": file.min_ts,
        "max_ts": file.max_ts,
        "notes": [note.text for note in file.notes],
        **file.history.as_columns(),
        "series": [asdict(each) for each in file.series],
        "findings": [finding.as_object() for finding in file.findings],
        "error": file.error,
        "hint": file.hint,
    }

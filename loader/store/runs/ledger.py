"""The ledger: one row per source file of a run, written in the file's own transaction."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, astuple
from datetime import datetime
from typing import Any, Final

from loader.db.arrow import Connection
from loader.db.executor import Executor
from loader.errors import TooManyRejects
from loader.lazy import dataclass
from loader.read.sources import Source
from loader.results import Counts, FileResult, noted
from loader.results.history import Finding, History, SeriesHistory

#: Symbols that a file's row lists; null in a row with more, which then may have any.
LISTED: Final = 1_000


@dataclass(frozen=True, slots=True)
class Known:
    """What the ledger says of a content: loaded whole, or in part up to a raw row.

    Attributes:
        provider, interval, symbols, min_ts, max_ts: of its bars, where there is one provider and
            one interval; the symbols as a JSON array; None if it has very many, or no bars.
        lacks: whether the store kept bars that are absent from the content.
        replaced_by: the run that found another content under the same path since, or None.
        changed_by: a later load that changed a bar of the content, or may have, or None.
    """

    whole: bool
    rows_resumable: int
    run_id: int
    provider: str | None = None
    interval: str | None = None
    symbols: str | None = None
    min_ts: datetime | None = None
    max_ts: datetime | None = None
    lacks: bool = False
    replaced_by: int | None = None
    changed_by: int | None = None

    @property
    def stands(self) -> bool:
        """Whether the store still has what the content says, so that there is nothing to load."""
        return self.whole and self.replaced_by is None and self.changed_by is None


@dataclass(frozen=True, slots=True)
class Asked:
    """A content, the fingerprint of its settings, and the path that it stands under now."""

    content_hash: str
    fingerprint: str
    path: str


@dataclass(frozen=True, slots=True)
class LastLoaded:
    """The run that loaded a file whole, its rows, and the first time of its bars."""

    run_id: int
    rows: int
    min_ts: datetime | None


def known(reader: Connection, asked: Sequence[Asked]) -> list[Known | None]:
    """What the ledger says of each content that is `asked` for, all at one moment."""
    wanted = json.dumps([asdict(each) for each in asked], ensure_ascii=False)
    found: list[Known | None] = [None] * len(asked)
    for number, state, *more in reader.rows("files_known", wanted):
        found[number - 1] = Known(state == "loaded", *more)
    return found


def whole(reader: Connection, known: Sequence[Known]) -> int:
    """How many of the first contents, which are loaded whole, have their first and last bar in the
    store; those without bars lack none. One with bars of several providers or intervals ends the
    count: nobody can say."""
    ends = [
        {
            "provider": each.provider,
            "interval": each.interval,
            "symbols": None if each.symbols is None else json.loads(each.symbols),
            "min_ts": each.min_ts.isoformat() if each.min_ts else None,
            "max_ts": each.max_ts.isoformat() if each.max_ts else None,
        }
        for each in known
    ]
    (count,) = reader.one("files_whole", json.dumps(ends, ensure_ascii=False))
    return int(count)


def loaded(
    reader: Connection, run_id: int, files: Sequence[tuple[Source, str]]
) -> list[FileResult | None]:
    """Of each source with its content hash, the result if the run has loaded or refused it already,
    or None. Conflicts of its rows, kinds of notes and the hint of an error are not in the ledger.
    """
    wanted = [{"path": source.name, "content_hash": digest} for source, digest in files]
    found: list[FileResult | None] = [None] * len(files)
    for number, *row in reader.rows("files_made", run_id, json.dumps(wanted, ensure_ascii=False)):
        found[number - 1] = _made(run_id, files[number - 1], row)
    return found


def _made(run_id: int, file: tuple[Source, str], row: Sequence[Any]) -> FileResult:
    source, content_hash = file
    (
        file_id, state, dialect, provider, interval, read, inserted, updated, unchanged, duplicate,
        skipped, rejected, min_ts, max_ts, symbols, notes, rules, changed, between, gone, deleted,
        series, findings, error,
    ) = row  # fmt: skip
    return FileResult(
        source.name,
        state,
        Counts(read, inserted, updated, unchanged, duplicate, skipped, rejected),
        dialect=dialect, provider=provider, interval=interval, content_hash=content_hash,
        size_bytes=source.size_bytes, symbols=tuple(symbols or ()), min_ts=min_ts, max_ts=max_ts,
        rejected=json.loads(rules or "{}"), notes=noted("run", notes or ()),
        history=History(changed, between, gone, deleted),
        series=tuple(SeriesHistory(**each) for each in json.loads(series or "[]")),
        findings=tuple(Finding(**each) for each in json.loads(findings or "[]")),
        file_id=file_id,
        error=error,
        fault=error.removeprefix(source.name).lstrip(": ") if error else None,
        hint=f"see why: mdload job-runs inspect {run_id}" if error else None,
        exit_code=TooManyRejects.exit_code if state == "refused" else 0,
    )  # fmt: skip


def last_loaded(
    reader: Connection, files: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], LastLoaded]:
    """The newest load of the whole file at each path with the fingerprint beside it, if there is
    one."""
    wanted = [{"path": path, "fingerprint": fingerprint} for path, fingerprint in files]
    found = reader.rows("files_last_loaded", json.dumps(wanted, ensure_ascii=False))
    return {files[number - 1]: LastLoaded(*row) for number, *row in found}


def before(reader: Connection, job_name: str, paths: Iterable[str]) -> dict[str, tuple[str, int]]:
    """Maps each of `paths` that a recent run of the job had to its content hash and that run."""
    found = reader.frame("files_before", job_name, json.dumps(list(paths), ensure_ascii=False))
    return {path: (content_hash, run_id) for path, content_hash, run_id in found.iter_rows()}


def begin(
    writer: Connection,
    run_id: int,
    source: Source,
    content_hash: str | None,
    fingerprint: str,
    seconds: float,
) -> int:
    """Opens the file's row and returns its id. The load of the file began `seconds` ago."""
    (file_id,) = writer.one(
        "file_begin", run_id, source.name, source.size_bytes, content_hash, fingerprint, seconds
    )
    return int(file_id)


def add_known(
    writer: Connection,
    run_id: int,
    sources: Sequence[Source],
    results: Sequence[FileResult],
    fingerprints: Sequence[str],
) -> list[int]:
    """As `begin` and `end` for files of which nothing is loaded, in one statement. There may be
    more sources and fingerprints than results. Returns the ids of their rows."""
    rows = [
        {
            "path": source.name,
            "size_bytes": source.size_bytes,
            "content_hash": result.content_hash,
            "config_fingerprint": fingerprint,
            "notes": [note.text for note in result.notes],
        }
        for source, result, fingerprint in zip(sources, results, fingerprints, strict=False)
    ]
    added = writer.rows("files_known_add", run_id, json.dumps(rows, ensure_ascii=False))
    return sorted(int(file_id) for (file_id,) in added)


def end(
    writer: Executor, file_id: int, whole: FileResult, part: Counts, rows_resumable: int = 0
) -> None:
    """Adds a part's counts to the file's row; everything else describes the whole file so far."""
    writer.one(
        "file_end", file_id, whole.state, whole.dialect, whole.provider, whole.interval,
        part.read, part.inserted, part.updated, part.unchanged, part.duplicate, part.skipped,
        part.rejected, rows_resumable, json.dumps(dict(whole.rejected)),
        json.dumps([note.text for note in whole.notes], ensure_ascii=False),
        whole.min_ts, whole.max_ts, whole.error,
        json.dumps(whole.symbols, ensure_ascii=False) if len(whole.symbols) <= LISTED else None,
        *astuple(whole.history),
        json.dumps([asdict(each) for each in whole.series], ensure_ascii=False),
        json.dumps([each.as_object() for each in whole.findings], ensure_ascii=False),
    )  # fmt: skip


def add_notes(writer: Executor, texts: Mapping[int, str]) -> None:
    """Adds a note to the rows of files, by their ids."""
    rows = [{"id": file_id, "text": text} for file_id, text in texts.items()]
    writer.run("files_note", json.dumps(rows, ensure_ascii=False))


def committed(reader: Connection, run_id: int, booked: FileResult) -> bool:
    """Whether the transaction that booked this is committed. Waits for one that is under way."""
    assert booked.file_id is not None
    reader.row("job_run_wait", run_id)
    row = reader.row("file_committed", booked.file_id, booked.state, booked.counts.read)
    return row is not None and bool(row[0])

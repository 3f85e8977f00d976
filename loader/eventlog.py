"""What a load tells, as log records: one per event, with its figures as fields."""

from __future__ import annotations

import logging
from typing import Final

from loader.events import (
    BarsWritten,
    Committed,
    Event,
    FileDone,
    FileNote,
    FileStarted,
    RowsDone,
    RunDone,
    RunStarted,
)
from loader.results import FileResult, LoadResult

_log: Final = logging.getLogger(__name__)


def log_event(event: Event) -> None:
    """A listener: a record per event, for `logs.JsonLines` to format."""
    match event:
        case RunStarted(run_id, files, job_name, provider, mode):
            _tell(
                logging.INFO, "run_started", f"run of {job_name} started",
                run_id=run_id, job_name=job_name, provider=provider, mode=mode, files=files,
            )  # fmt: skip
        case FileStarted(path, size):
            _tell(
                logging.INFO, "file_started", f"reading {size:,} bytes" if size else "reading",
                file=path, size_bytes=size,
            )  # fmt: skip
        case FileNote(path, text):
            _tell(logging.INFO, "file_note", text, file=path)
        case RowsDone(path, rows):
            _tell(logging.DEBUG, "rows_done", f"{rows:,} more rows", file=path, rows=rows)
        case BarsWritten(path, method, bars, seconds, committed):
            what = "written" if committed else "sent, and rolled back,"
            _tell(
                logging.DEBUG if committed else logging.WARNING, "bars_written",
                f"{bars:,} bars {what} by {method}",
                file=path, method=method, bars=bars, seconds=round(seconds, 6), committed=committed,
            )  # fmt: skip
        case Committed(path, counts, rejected):
            _tell(
                logging.DEBUG, "committed", f"committed {counts.read:,} rows",
                file=path, **counts.as_columns(), rejected=rejected,
            )  # fmt: skip
        case FileDone(result):
            _file_done(result)
        case RunDone(load):
            _run_done(load)


def _file_done(result: FileResult) -> None:
    _tell(
        logging.ERROR if result.error else logging.INFO, "file_done",
        result.error or f"{result.state}, {result.counts.read:,} rows",
        file=result.path, state=result.state, dialect=result.dialect, provider=result.provider,
        interval=result.interval, size_bytes=result.size_bytes, content_hash=result.content_hash,
        **result.counts.as_columns(), rejected=result.rejected, conflicting=result.conflicting,
        symbols=len(result.symbols), min_ts=result.min_ts, max_ts=result.max_ts,
        error=result.error, hint=result.hint,
    )  # fmt: skip


def _run_done(load: LoadResult) -> None:
    counts = load.counts
    _tell(
        logging.ERROR if load.status == "failure" else logging.INFO, "run_done",
        f"run ended: {load.status}, {counts.read:,} rows read, {counts.written:,} written, "
        f"{counts.rejected:,} rejected",
        status=load.status, dry_run=load.dry_run, files=len(load.files), **counts.as_columns(),
        symbols=len(load.symbols), min_ts=load.min_ts, max_ts=load.max_ts,
        elapsed_ms=load.elapsed_ms, wal_bytes=load.wal_bytes, exit_code=load.exit_code,
    )  # fmt: skip


def _tell(level: int, event: str, message: str, **fields: object) -> None:
    _log.log(level, "%s", message, extra={"event": event, "fields": fields})

"""How stderr speaks: lines for people, or one JSON object per event. Configured in one place.

What a load tells (`loader.listen.log`), what modules log and what commands say all come through
`logging`, and leave it without passwords.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import PurePath
from typing import Final, Literal

import click

from loader.results import FileResult, LoadResult
from loader.results.events import (
    BarsWritten,
    Committed,
    Event,
    FileDone,
    FileNote,
    FileStarted,
    MoreFiles,
    RowsDone,
    RunDone,
    RunStarted,
)
from loader.text import counted, redact, visible

_said: Final = logging.getLogger("loader.said")

#: By verbosity (-1 to 2), what modules log, and in JSON what a load tells.
_TEXT_LEVELS: Final = (logging.ERROR, logging.WARNING, logging.INFO, logging.DEBUG)
_JSON_LEVELS: Final = (logging.ERROR, logging.INFO, logging.DEBUG, logging.DEBUG)


def configure(log_format: Literal["text", "json"], verbosity: int) -> None:
    """Sends all that is logged to stderr in `log_format`; `verbosity` is -1 for errors only, 0, or
    the number of `-v`. Python's own warnings go the same way."""
    levels = _JSON_LEVELS if log_format == "json" else _TEXT_LEVELS
    level = levels[min(verbosity, 2) + 1]
    root = logging.getLogger()
    for handler in [h for h in root.handlers if isinstance(h, _Stderr)]:
        root.removeHandler(handler)
    root.addHandler(_Stderr(JsonLines() if log_format == "json" else Lines()))
    logging.getLogger("loader").setLevel(level)
    _said.setLevel(logging.INFO if verbosity >= 0 else logging.ERROR)
    logging.captureWarnings(True)


def speaks_json() -> bool:
    """Whether stderr was configured for JSON."""
    return any(isinstance(h.formatter, JsonLines) for h in logging.getLogger().handlers)


def note(text: str) -> None:
    """Something for the person at the terminal."""
    _said.info(text, extra={"event": "note"})


def error(message: str, hint: str | None = None, *, cause: BaseException | None = None) -> None:
    """What went wrong and the next step; with `cause`, where in the code it was."""
    if not any(isinstance(handler, _Stderr) for handler in logging.getLogger().handlers):
        configure("text", 0)  # it went wrong before anybody could
    _said.error(message, extra={"event": "error", "fields": {"hint": hint}}, exc_info=cause)


def error_line(message: str) -> str:
    """What `error` would write, for those who cannot wait for logging's lock."""
    handlers = [h for h in logging.getLogger().handlers if isinstance(h, _Stderr)]
    record = logging.LogRecord(_said.name, logging.ERROR, "", 0, message, None, None)
    record.event = "error"
    formatter = handlers[0].formatter if handlers else None
    return (formatter or Lines()).format(record)


class _Stderr(logging.Handler):
    """Looks stderr up at each record: a progress bar stands in for it while it is drawn."""

    def __init__(self, formatter: logging.Formatter) -> None:
        super().__init__()
        self.setFormatter(formatter)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            click.echo(self.format(record), file=sys.stderr)
        except Exception:  # logging's contract: what cannot be said never ends the work it tells of
            self.handleError(record)


class Lines(logging.Formatter):
    """One line for people, and one for the hint."""

    def format(self, record: logging.LogRecord) -> str:
        text = visible(redact(record.getMessage()))
        if record.levelno >= logging.ERROR:
            text = _coloured(f"error: {text}", "red")
        elif record.levelno >= logging.WARNING:
            text = _coloured(f"warning: {text}", "yellow")
        hint = getattr(record, "fields", {}).get("hint")
        lines = [text, f"hint: {visible(redact(hint))}"] if hint else [text]
        if record.exc_info:
            lines.insert(0, visible(redact(self.formatException(record.exc_info))))
        return "\n".join(lines)


def _coloured(text: str, colour: str) -> str:
    """For a terminal; click leaves the colour out in a pipe, but does not heed NO_COLOR."""
    return text if os.environ.get("NO_COLOR") else click.style(text, fg=colour)


class JsonLines(logging.Formatter):
    """One JSON object: at, level, event, run_id, file, message, and what the event has besides.

    Any other record is an event named `log`, with its logger. `run_id` is that of the run
    which was started last; null before the first and in a dry run.
    """

    def __init__(self) -> None:
        super().__init__()
        self._run_id: int | None = None

    def format(self, record: logging.LogRecord) -> str:
        fields = dict(getattr(record, "fields", {}))
        self._run_id = fields.pop("run_id", self._run_id)
        said = {
            "at": datetime.fromtimestamp(record.created, UTC),
            "level": record.levelname.lower(),
            "event": getattr(record, "event", "log"),
            "run_id": self._run_id,
            "file": fields.pop("file", None),
            "message": record.getMessage(),
            **fields,
        }
        if not hasattr(record, "event"):
            said["logger"] = record.name
        if record.exc_info:
            said["traceback"] = self.formatException(record.exc_info)
        return json.dumps(_clean(said))


def _clean(value: object) -> object:
    """`value` as JSON can say it, times in UTC, every text without passwords."""
    match value:
        case None | bool() | int() | float():
            return value
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case Mapping():
            return {str(name): _clean(item) for name, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_clean(item) for item in value]
        case PurePath():
            return redact(str(value))
    return redact(str(value))


_log: Final = logging.getLogger(__name__)


def log_event(event: Event) -> None:
    """A listener: a record per event, for `logs.JsonLines` to format."""
    match event:
        case RunStarted(run_id, files, job_name, provider, mode):
            _tell(
                logging.INFO, "run_started", f"run of {job_name} started",
                run_id=run_id, job_name=job_name, provider=provider, mode=mode, files=files,
            )  # fmt: skip
        case MoreFiles(files, size):
            _tell(
                logging.INFO, "more_files", f"loading {counted(files, 'file')} again",
                files=files, size_bytes=size,
            )  # fmt: skip
        case FileStarted(path, size):
            _tell(
                logging.INFO, "file_started", f"reading {size:,} bytes" if size else "reading",
                file=path, size_bytes=size,
            )  # fmt: skip
        case FileNote(path, note):
            _tell(logging.INFO, "file_note", note.text, file=path, kind=note.kind)
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

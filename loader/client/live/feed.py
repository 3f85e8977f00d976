"""One live feed, from its first line to the recorded run."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Final

from loader.check.file import check_settings
from loader.client.live.lines import Lines
from loader.client.live.source import Source
from loader.client.live.spill import Spill
from loader.client.live.writer import FeedWriter, Flush
from loader.errors import Cancelled, MdloadError, SettingsError
from loader.results import FileResult, FileState, LoadResult, Note, RunStatus
from loader.results.events import (
    Event,
    FileDone,
    FileNote,
    FileStarted,
    Listener,
    RunDone,
    RunStarted,
)
from loader.settings import Settings
from loader.store.runs import ActiveRun, JobRunTracker
from loader.store.runs.fingerprint import compute_config_fingerprint

#: Seconds to try to record the end of the run while the server is away.
_PATIENCE: Final = 5.0
_STATES: Final[dict[RunStatus, FileState]] = {
    "success": "loaded", "failure": "failed", "cancelled": "cancelled"
}  # fmt: skip


class LiveFeed:
    """Stores bars, which come as lines of JSON, in one job run of mode `live`.

    At most `settings.batch_rows` lines are held in memory; then their writer has to wait. If the
    server goes away, the feed waits for it and puts lines into a file in `spill_directory`. Lines
    that cannot be stored at all stay there; the next feed with the same job, database and meaning
    stores them first. No line ends the feed, whatever it holds.

    Args:
        path: a fifo or file, or `-` for standard input.

    Raises:
        SettingsError, UnknownDialect: a setting is wrong, whatever the lines are.
        UnreadableFile: `path` cannot be read.
    """

    def __init__(
        self,
        settings: Settings,
        url: str,
        path: str,
        flush: Flush,
        spill_directory: Path,
        listeners: Iterable[Listener] = (),
    ) -> None:
        check_settings(settings)
        self._settings = settings
        self._url = url
        self._flush = flush
        self._listeners = tuple(listeners)
        self._source = Source(path)
        self._spill = Spill(spill_directory, settings.job_name, _identity(settings, url))
        self._writer: FeedWriter | None = None
        self._stopped = self._interrupted = False

    def stop(self, *, interrupted: bool) -> None:
        """Asks the feed to store the lines read so far and end. Called again, it ends at once and
        leaves the rest in a file. For a signal handler or another thread to call.

        If `interrupted`, the run is recorded as cancelled.
        """
        if self._writer is not None:
            if self._stopped:
                self._writer.end_within(0)
            else:
                self._writer.end_within()
        self._stopped = True
        self._interrupted |= interrupted
        self._source.stop()

    def run(self) -> LoadResult:
        """Stores lines until they end or the feed is stopped. Errors are part of the result.

        Raises:
            DatabaseError: the run could not be recorded at all; no line was read.
        """
        started = time.monotonic()
        settings = self._settings
        error: MdloadError | None = None
        run_id: int | None = None
        try:
            with (
                JobRunTracker(self._url, metrics=None) as tracker,
                tracker.run(
                    settings.job_name,
                    provider=settings.provider,
                    mode="live",
                    config_fingerprint=compute_config_fingerprint(settings.meaning.as_config()),
                    metadata={"source": self._source.name},
                    patience_seconds=_PATIENCE,
                ) as run,
            ):
                run_id = run.id
                self._follow(run)
        except MdloadError as raised:
            if self._writer is None:
                raise
            error = raised
        finally:
            self._spill.close()
            self._source.close()
        file = self._file_result(error)
        self._emit(FileDone(file))
        elapsed_ms = int((time.monotonic() - started) * 1000)
        result = LoadResult(run_id, self._status(error), (file,), elapsed_ms, None)
        self._emit(RunDone(result))
        return result

    def _follow(self, run: ActiveRun) -> None:
        settings, name = self._settings, self._source.name
        self._emit(RunStarted(run.id, 0, settings.job_name, settings.provider, "live"))
        self._emit(FileStarted(name, 0))
        self._adopt_leftovers()
        lines = Lines(settings, name, self._tell)
        self._writer = FeedWriter(
            self._source, self._spill, lines, settings.batch_rows, self._flush, self._url, run.id,
            self._emit,
        )  # fmt: skip
        if self._stopped:
            self._writer.end_within()
        try:
            self._writer.run()
        except BaseException as error:
            self._leave(self._writer, error)
            raise
        if self._source.error is not None:
            raise self._source.error
        if self._interrupted:
            run.end(self._status(None), "interrupted; all lines that were read are stored")

    def _adopt_leftovers(self) -> None:
        try:
            self._spill.adopt()
        except OSError as error:
            raise SettingsError(
                f"lines of an earlier feed in {self._spill.path} cannot be taken up: "
                f"{error.strerror}",
                hint="mend its rights, or move it away to go on without them",
            ) from error
        if self._spill.in_use:
            self._note(
                f"{self._spill.lines:,} lines that an earlier feed could not store, in "
                f"{self._spill.path}, are stored first"
            )
        for path in self._spill.others():
            self._note(
                f"lines of a feed with other options wait in {path}: mdload live {path} stores "
                "them, with its options"
            )

    def _leave(self, writer: FeedWriter, error: BaseException) -> None:
        """Leaves the lines that are not stored in a file, and notes it."""
        try:
            lines = writer.leave()
        except OSError as failure:
            left = f"lines that were read are lost: {self._spill.path} cannot be written: {failure}"
        else:
            left = (
                f"{lines:,} lines that were read wait in {self._spill.path}; "
                "the next feed with the same options stores them first"
            )
            if not lines:
                return
        if isinstance(error, MdloadError):
            error.hint = f"{error.hint}; {left}" if error.hint else left
        else:
            self._note(left)

    def _file_result(self, error: MdloadError | None) -> FileResult:
        assert self._writer is not None
        return replace(
            self._writer.result(),
            state=_STATES[self._status(error)],
            error=str(error) if error else None,
            fault=error.fault if error else None,
            hint=error.hint if error else None,
            exit_code=error.exit_code if error else Cancelled.exit_code if self._interrupted else 0,
        )

    def _status(self, error: MdloadError | None) -> RunStatus:
        if isinstance(error, Cancelled) or (error is None and self._interrupted):
            return "cancelled"
        return "failure" if error else "success"

    def _tell(self, note: Note) -> None:
        self._emit(FileNote(self._source.name, note))

    def _note(self, text: str) -> None:
        self._tell(Note("run", text))

    def _emit(self, event: Event) -> None:
        for listener in self._listeners:
            listener(event)


def _identity(settings: Settings, url: str) -> str:
    """Equal for feeds with the same meaning of lines and the same database."""
    return compute_config_fingerprint(
        {"job": settings.job_name, "database": url, "meaning": settings.meaning.as_config()}
    )

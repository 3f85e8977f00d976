"""One live feed, from its first line to the recorded run."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from loader.checking import check_settings
from loader.errors import Cancelled, MdloadError
from loader.events import Event, FileDone, FileNote, FileStarted, Listener, RunDone, RunStarted
from loader.fingerprint import compute_config_fingerprint
from loader.live.backlog import Backlog
from loader.live.lines import Lines
from loader.live.source import Source
from loader.live.spill import Spill, left_behind
from loader.live.storing import Flush, Storing
from loader.results import FileResult, FileState, LoadResult, RunStatus
from loader.runs import ActiveRun, JobRunTracker
from loader.settings import Settings

#: Seconds for which the record of the end is tried, where the server is away.
_PATIENCE = 10.0


_STATES: dict[RunStatus, FileState] = {
    "success": "loaded", "failure": "failed", "cancelled": "cancelled"
}  # fmt: skip


class LiveFeed:
    """Bars as lines of JSON, stored as they come, in one job run of mode `live`.

    `settings.batch_rows` lines are held in memory at most; then whoever writes them waits. A
    server that goes away is waited for: while it does, lines go to a file in `spill_directory`, and
    from there to the store in their order. Nothing that a line holds ends the feed.

    Args:
        path: of a fifo or file, or `-` for standard input.

    Raises:
        SettingsError, UnknownDialect: a setting is wrong whatever the lines are.
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
        self._name = "stdin" if path == "-" else path
        self._flush = flush
        self._spill_directory = spill_directory
        self._listeners = tuple(listeners)
        spill = Spill(spill_directory, settings.job_name)
        self._backlog = Backlog(settings.batch_rows, spill, self._note)
        self._source = Source(path, self._backlog)
        self._storing: Storing | None = None
        self._stopped = self._interrupted = False

    def stop(self, *, interrupted: bool) -> None:
        """Asks the feed to store what has been read, and end; when asked again, to end at once and
        leave in a file what is not stored. For a signal handler or another thread to call.

        An `interrupted` one is recorded as cancelled.
        """
        if self._stopped and self._storing is not None:
            self._storing.give_up()
        self._stopped = True
        self._interrupted |= interrupted
        self._source.stop()
        self._backlog.hurry()

    def run(self) -> LoadResult:
        """Stores lines until they end or the feed is stopped; what went wrong is in the result.

        Raises:
            UnreadableFile: there is nothing to read from.
            DatabaseError: the run could not be recorded at all; no line was read.
        """
        started = time.monotonic()
        settings = self._settings
        error: MdloadError | None = None
        run_id: int | None = None
        try:
            with (
                JobRunTracker(self._url) as tracker,
                tracker.run(
                    settings.job_name,
                    provider=settings.provider,
                    mode="live",
                    config_fingerprint=compute_config_fingerprint(settings.meaning()),
                    metadata={"source": self._name},
                    patience_seconds=_PATIENCE,
                ) as run,
            ):
                run_id = run.id
                self._follow(run)
        except MdloadError as raised:
            if self._storing is None:
                raise
            error = raised
        file = self._file_result(error)
        self._emit(FileDone(file))
        elapsed_ms = int((time.monotonic() - started) * 1000)
        result = LoadResult(run_id, self._status(error), (file,), elapsed_ms, None)
        self._emit(RunDone(result))
        return result

    def _follow(self, run: ActiveRun) -> None:
        settings = self._settings
        self._emit(RunStarted(run.id, 0, settings.job_name, settings.provider, "live"))
        self._emit(FileStarted(self._name, 0))
        for path in left_behind(self._spill_directory):
            self._note(f"lines that an earlier feed could not store wait in {path}")
        lines = Lines(settings, self._name, self._note)
        self._source.start()
        self._storing = storing = Storing(
            self._backlog, lines, self._flush, self._url, run.id, self._emit, self._name
        )
        storing.start()
        storing.join()
        error = storing.error or self._source.error
        if storing.error is not None:
            self._keep_rest(storing.error)
        if error is not None:
            raise error
        if self._interrupted:
            run.end(self._status(None), "interrupted; all lines that were read are stored")

    def _keep_rest(self, error: BaseException) -> None:
        """Leaves in a file what was read and is not stored, and says so."""
        self._backlog.hurry()
        self._source.stop()
        self._source.join()
        rest = len(self._backlog)
        try:
            path = self._backlog.leave()
        except OSError as failure:
            said = f"{rest:,} lines that were read are lost: no file could be written ({failure})"
        else:
            said = f"{rest:,} lines that were read are not stored: mdload live {path} stores them"
        if rest and isinstance(error, MdloadError):
            error.hint = f"{error.hint}; {said}" if error.hint else said
        elif rest:
            self._note(said)

    def _file_result(self, error: MdloadError | None) -> FileResult:
        assert self._storing is not None
        stored = self._storing.result()
        return replace(
            stored,
            state=_STATES[self._status(error)],
            error=str(error) if error else None,
            hint=error.hint if error else None,
            exit_code=error.exit_code if error else Cancelled.exit_code if self._interrupted else 0,
        )

    def _status(self, error: MdloadError | None) -> RunStatus:
        if isinstance(error, Cancelled) or (error is None and self._interrupted):
            return "cancelled"
        return "failure" if error else "success"

    def _note(self, text: str) -> None:
        self._emit(FileNote(self._name, text))

    def _emit(self, event: Event) -> None:
        for listener in self._listeners:
            listener(event)

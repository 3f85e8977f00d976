"""A run under way: its heartbeat, and its end, which is recorded whatever happens."""

from __future__ import annotations

import logging
import time
from functools import partial
from threading import Event, Thread
from types import TracebackType
from typing import Any, Final, Protocol, Self

from loader.db.cancelling import TooLate, apart
from loader.db.reconnecting import ReconnectingSession
from loader.errors import Cancelled, ConnectionLost, DeadlinePassed, MdloadError, RunFinished
from loader.results import RunStatus
from loader.store.runs.records import JobRun

_log = logging.getLogger(__name__)

#: Seconds: someone who cancels does not want to wait.
_IN_A_HURRY: Final = 0.6
_LONGEST_PAUSE: Final = 5.0


def outcome(error: BaseException | None) -> tuple[RunStatus, str | None]:
    """How a block that ended with `error` ends its run, and the message to keep.

    A SystemExit counts by its code: none or 0 is success, 128 + a signal's number is cancelled.
    """
    match error:
        case None | SystemExit(code=None | 0):
            return "success", None
        case SystemExit(code=code):
            stopped = isinstance(code, int) and code > 128
            return "cancelled" if stopped else "failure", f"exit: {code}"
        case Cancelled() | KeyboardInterrupt() | GeneratorExit():
            silent = "interrupted" if isinstance(error, KeyboardInterrupt) else type(error).__name__
            return "cancelled", str(error) or silent
        case MdloadError():
            return "failure", str(error)
        case Exception():
            return "failure", f"{type(error).__name__}: {error}".removesuffix(": ")
        case _:  # asyncio.CancelledError and its kind: a request, not a failure
            return "cancelled", str(error) or type(error).__name__


class Tracker(Protocol):
    """The methods of `JobRunTracker` that an active run needs; they are documented there."""

    def update_progress(self, run_id: int, *args: Any, **kwargs: Any) -> None: ...

    def complete_run(
        self, run_id: int, status: RunStatus = "success", error_message: str | None = None
    ) -> None: ...

    def get_run(self, run_id: int) -> JobRun: ...


class ActiveRun:
    """The run that `JobRunTracker.run` yields.

    `id` is the run's id; `update_progress` is the tracker's method for this run.
    """

    def __init__(self, tracker: Tracker, run_id: int, patience_seconds: float) -> None:
        self.id = run_id
        self.update_progress = partial(tracker.update_progress, run_id)
        self._tracker = tracker
        self._patience = patience_seconds
        self._ended = False

    def end(self, status: RunStatus, error_message: str | None = None) -> None:
        """Ends the run here and now; the block's own end then changes nothing more.

        Raises:
            ConnectionLost: the server stayed away until the patience ended.
            RunFinished: someone else has ended the run.
        """
        if self._ended:
            return
        deadline = time.monotonic() + self._patience
        pause = 0.1
        unsure = False  # whether an attempt may have come through without its answer
        while True:
            try:
                self._tracker.complete_run(self.id, status, error_message)
                break
            except RunFinished:
                if unsure and self._tracker.get_run(self.id).status == status:
                    break
                raise
            except ConnectionLost:
                if time.monotonic() + pause > deadline:
                    raise
                unsure = True
                time.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
        self._ended = True

    def end_after(self, error: BaseException) -> None:
        """Ends the run as `error` requires. Never raises: that would hide `error`."""
        hurried = isinstance(error, (KeyboardInterrupt, Cancelled, DeadlinePassed))
        try:
            apart(lambda: self.end(*outcome(error)), seconds=_IN_A_HURRY if hurried else None)
        except (Exception, TooLate) as trouble:
            error.add_note(f"and the end of job run {self.id} could not be recorded: {trouble}")
            _log.warning("the end of job run %s could not be recorded: %s", self.id, trouble)


class Heart:
    """Sends heartbeats of a run from another thread while the block lasts."""

    def __init__(self, session: ReconnectingSession, run_id: int, seconds: float) -> None:
        self._session = session
        self._run_id = run_id
        self._seconds = seconds
        self._stop = Event()
        self._thread = Thread(target=self._beat, name=f"heartbeat of run {run_id}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop.set()
        # No longer: a beat that hangs on a dead line must not hold up the end of a run.
        self._thread.join(1.0 if error is None else 0.1)

    def _beat(self) -> None:
        while not self._stop.wait(self._seconds):
            try:
                self._session.rows("job_run_heartbeat", self._run_id, repeatable=True)
            except MdloadError as error:
                _log.info("run %s could not beat: %s", self._run_id, error)
        self._session.close()

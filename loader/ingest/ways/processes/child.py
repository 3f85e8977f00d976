"""What runs in a process that loads files for another one.

The parent holds the other end of its lifeline, a pipe. When that end is closed, by the parent or
because the parent was killed, the process cancels what it loads, and ends.
"""

from __future__ import annotations

import gc
import os
import pickle
import signal
import threading
import time
import traceback
from contextlib import suppress
from functools import partial
from typing import IO, Any, Final, NoReturn

from loader.db import pooler
from loader.db.adbc import learn_ahead
from loader.db.arrow import Connection
from loader.db.conninfo import conninfo
from loader.dialects.known import dialects
from loader.errors import MdloadError
from loader.ingest.attempts import load_file, was_not_loaded
from loader.ingest.run import LoadRun
from loader.ingest.run.small.ahead import Ahead
from loader.ingest.run.turns import first_together
from loader.ingest.ways.processes.brief import Answer, Asked, Brief, Hours
from loader.ingest.ways.processes.process import READY
from loader.read import memory
from loader.results import FileResult
from loader.results.events import Event

#: Seconds for a load to end by itself once it is cancelled.
_PATIENCE: Final = 2.0
_IGNORED: Final = ("SIGINT", "SIGTERM", "SIGHUP")


class _MarkedRun(LoadRun):
    """A load of which the server can tell whether this process still does anything in it: each
    session holds the lock of `mark`."""

    def __init__(self, mark: str, *rest: Any) -> None:
        super().__init__(*rest)
        self._mark = mark

    def _connected(self, autocommit: bool) -> Connection:
        connection = super()._connected(autocommit)
        try:
            if autocommit:
                connection.run("process_marked", self._mark)
            else:
                with connection.transaction():
                    connection.run("process_marked", self._mark)
        except BaseException:
            connection.close()
            raise
        return connection


def main(lifeline: int) -> NoReturn:
    """Loads what the parent asks for until it asks for nothing more, and ends the process."""
    for name in _IGNORED:  # they are the parent's, which passes on what follows
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    memory.settle()
    gc.freeze()
    gc.enable()
    asked, answers = open(os.dup(0), "rb"), open(os.dup(1), "wb")  # noqa: SIM115
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)  # what a library prints is not part of an answer
    with suppress(BrokenPipeError, EOFError):
        answers.write(READY)
        answers.flush()
        _serve(asked, answers, lifeline)
    os._exit(0)


def _serve(asked: IO[bytes], answers: IO[bytes], lifeline: int) -> None:
    """Answers each question until the parent stops asking.

    Raises:
        EOFError, BrokenPipeError: the parent is gone, or wants nothing more.
    """
    with suppress(Exception):  # the first file meets it again
        dialects()
    first = pickle.load(asked)  # noqa: S301 - of the parent
    if isinstance(first, str):
        with suppress(MdloadError):  # the parent reports it
            learn_ahead(first)  # while the parent begins the run
        first = pickle.load(asked)  # noqa: S301
    mark, brief = first
    assert isinstance(brief, Brief)
    # The parent has opened the database, with as many sessions as the load takes.
    pooler.trust(conninfo(brief.url), pooler.sessions_of(brief.settings.workers))
    events: list[Event] = []
    hours = Hours()
    run = brief.run(events.append, hours, partial(_MarkedRun, mark))
    run.leaves = was_not_loaded
    ahead = Ahead()
    threading.Thread(target=_end_with, args=(lifeline, run), daemon=True).start()
    try:
        while True:
            question: Asked = pickle.load(asked)  # noqa: S301
            found = hours.begin()
            answer: Any
            try:
                answer = Answer(_loaded(run, question, ahead), events.copy(), found)
            except Exception as error:  # the parent raises it
                answer = _portable(error)
            events.clear()
            answers.write(pickle.dumps(answer, pickle.HIGHEST_PROTOCOL))
            answers.flush()
    finally:
        run.close()


def _portable(error: Exception) -> Exception:
    """The error with its traceback, as an exception that can be sent."""
    text = "".join(traceback.format_exception(error))
    error.add_note(text)
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - made here
    except Exception:  # whatever its class needs to be made again
        return RuntimeError(text)
    return error


def _loaded(run: LoadRun, question: Asked, ahead: Ahead) -> list[FileResult]:
    if question.together:
        ahead.coming = (lambda loading: question.coming) if question.coming else None
        return first_together(run, question.sources, ahead)
    (source,) = question.sources
    return [load_file(run, source)]


def _end_with(lifeline: int, run: LoadRun) -> None:
    """Waits until the lifeline is cut; then cancels the load, and ends the process if that takes
    too long."""
    os.read(lifeline, 1)
    given_up = time.monotonic() + _PATIENCE
    while time.monotonic() < given_up:
        run.cancel()  # repeatedly: a statement may begin just after the cancel
        time.sleep(0.2)
    os._exit(1)

"""Commits of a run with several files: the server answers before they are on disk, and the run
waits for the disk once, at its end."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Final, TypeVar

from loader.db import retries
from loader.errors import ConnectionLost
from loader.results import Counts, FileResult

if TYPE_CHECKING:
    from loader.db.arrow import Connection
    from loader.ingest.run import LoadRun

T = TypeVar("T")
_FAULT: Final = "the server went down after the file was loaded, and lost it"


def defer(writer: Connection) -> None:
    """From now on, commits of this session do not wait for the disk.

    Raises:
        DatabaseError: the server refused, or went away.
    """
    with writer.transaction():
        writer.run("commits_deferred")


def confirmed(run: LoadRun, files: Sequence[FileResult]) -> tuple[FileResult, ...]:
    """The results, once all that is committed is on disk. Files that a crash of the server took
    back have failed: their bars, rejects, counts and rows in the ledger are gone together.

    Raises:
        DatabaseError: the server refused, or stayed away.
    """
    if not run.defers_commits or all(file.file_id is None for file in files):
        return tuple(files)
    there = _on_disk(run)
    return tuple(
        file if file.file_id is None or (file.file_id, file.path) in there else _lost(file)
        for file in files
    )


def _on_disk(run: LoadRun) -> set[tuple[int, str]]:
    """The run's files in the ledger, by id and path, after a commit that waited for the disk: what
    was committed before it is there too. After a crash, a file may have got the id of another that
    was taken back."""

    def ask(session: Connection) -> set[tuple[int, str]]:
        session.run("job_run_touch", run.run_id)
        return set(session.frame("files_of_run", run.run_id).iter_rows())

    return insisted(run, ask)


def insisted(run: LoadRun, ask: Callable[[Connection], T]) -> T:
    """What the server answers, once it is there again if it goes away. Each statement commits.

    Raises:
        DatabaseError: the server refused, or stayed away.
    """
    for attempt in count(1):
        began = time.monotonic()
        try:
            with run.connection(autocommit=True, cancellable=False) as session:
                answer = ask(session)
            run.outage.over()
            return answer
        except ConnectionLost:
            outage = run.outage.lost(time.monotonic() - began)
            if run.cancelled.is_set() or (attempt >= retries.ATTEMPTS and outage is None):
                raise
            run.cancelled.wait(retries.pause(attempt))
    raise AssertionError("unreachable")


def _lost(file: FileResult) -> FileResult:
    return replace(
        file,
        state="failed",
        counts=Counts(),
        error=f"{file.path}: {_FAULT}",
        fault=_FAULT,
        hint="run the same command again",
        exit_code=ConnectionLost.exit_code,
        retryable=True,
        file_id=None,
    )

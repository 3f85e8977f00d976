"""Files that several workers have loaded in another order than they were given: where they restate
each other, the last one has to count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from loader.errors import DatabaseError
from loader.results import FileResult, Note
from loader.results.events import FileNote
from loader.text import counted

if TYPE_CHECKING:
    from loader.ingest.run import LoadRun


def checked(run: LoadRun, files: Sequence[FileResult]) -> tuple[FileResult, ...]:
    """The results, which are in the order of the files, with a note on each file of which an
    earlier one has restated bars that stay. Nothing is noted where the server cannot say.

    Args:
        files: all that the run has committed.
    """
    settings = run.settings
    is_in_order = settings.workers < 2 and settings.on is None
    is_updated = any(file.counts.updated for file in files)
    if is_in_order or not is_updated or run.run_id is None or run.others:
        return tuple(files)
    place = {file.path: number for number, file in enumerate(files)}
    by: dict[str, Counter[str]] = {}
    with suppress(DatabaseError), run.connection(autocommit=True, cancellable=False) as session:
        for path, restated, bars in session.frame("files_restated", run.run_id).iter_rows():
            if path in place and restated in place and place[path] < place[restated]:
                by.setdefault(restated, Counter())[path] += bars
    return tuple(_noted(run, file, by[file.path]) if file.path in by else file for file in files)


def _noted(run: LoadRun, file: FileResult, by: Counter[str]) -> FileResult:
    bars, (path, most) = by.total(), by.most_common(1)[0]
    others = f" and {counted(len(by) - 1, 'other file')}" if most < bars else ""
    note = Note(
        "history",
        f"{counted(bars, 'bar')} of it {'is' if bars == 1 else 'are'} stored as {path}{others} "
        f"{'say' if others else 'says'}, given before it and loaded after it by another worker; "
        "to let the last file count, run the same command "
        + ("with --workers 1" if run.settings.on is None else "without --on"),
    )
    run.emit(FileNote(file.path, note))
    return replace(file, notes=(*file.notes, note))

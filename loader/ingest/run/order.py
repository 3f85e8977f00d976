"""Files that restate each other: the last one that was given has to count, also if another thread
or process committed an earlier one after it. Such a file is loaded again at the end of its run."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from threading import Lock
from typing import TYPE_CHECKING, Final

from loader.ingest.run import durable
from loader.results import FileResult, Note
from loader.store.runs import ledger

if TYPE_CHECKING:
    from loader.db.arrow import Connection
    from loader.ingest.run import LoadRun


#: Of a file in one of these states, bars are stored.
_STORED: Final = ("loaded", "known", "partial")


class Order:
    """When the loads of a run's files began and ended, counted in steps. Files are numbers, in the
    order in which they were given; those that begin in one step are loaded in that order."""

    def __init__(self) -> None:
        self._step = 0
        self._began: dict[int, int] = {}
        self._ended: dict[int, int] = {}
        self._lock = Lock()

    def begin(self, numbers: Iterable[int]) -> None:
        """The files are given out to be loaded, perhaps for another time."""
        with self._lock:
            self._step += 1
            self._began.update(dict.fromkeys(numbers, self._step))

    def end(self, numbers: Iterable[int]) -> None:
        """The files are committed, or have failed."""
        with self._lock:
            self._step += 1
            self._ended.update(dict.fromkeys(numbers, self._step))

    def late(self, numbers: Iterable[int]) -> list[int]:
        """Those of the files that had not ended when one that was given after them began, in
        another step."""
        asked, found = set(numbers), list[int]()
        least = other = self._step + 1  # the first step in which a later file began; the next one
        for number in sorted(self._began, reverse=True):
            began = self._began[number]
            first = least if least != began else other
            if number in asked and first < self._ended[number]:
                found.append(number)
            if began < least:
                least, other = began, least
            elif least < began < other:
                other = began
        return sorted(found)

    def begun_before(self, late: Sequence[int]) -> list[int]:
        """The files that were given after one of those that are `late`, and began before it had
        ended, or with it."""
        ends, left, last = list[int](), list(late[::-1]), 0
        for number in sorted(self._began):
            if self._began[number] < last:
                ends.append(number)
            if left and left[-1] == number:
                last = max(last, self._ended[left.pop()])
        return ends

    def is_late(self, number: int, other: int) -> bool:
        """Whether a file had not ended when the `other` began, which was given after it."""
        began = self._began[other]
        return number < other and self._began[number] != began < self._ended[number]

    def steps(self, number: int) -> tuple[int, int]:
        """When the load of the file began and ended."""
        return self._began[number], self._ended[number]


def overtaken(run: LoadRun, files: Mapping[int, FileResult]) -> dict[int, int]:
    """The files to load again, by their numbers: those of which another one has changed bars that
    stay, which was given before them and had not ended when they began. Each with the last of the
    others. Where bars that a file lacks are deleted, those that another one has added count too.

    Args:
        files: the newest result of each file of the run.

    Raises:
        DatabaseError: the server refused, or stayed away.
    """
    deletes = run.settings.delete_gone
    changed = [number for number, file in files.items() if _has_changed(file, adding=deletes)]
    late = run.order.late(changed) if run.run_id is not None else []
    if not late:
        return {}
    begun = [n for n in run.order.begun_before(late) if files[n].state in _STORED]
    # The ledger has no bars of theirs; Citus does not look for added ones by file.
    if run.others is not None or (deletes and run.is_spread):
        pairs = ((n, [each for each in late if run.order.is_late(each, n)]) for n in begun)
        return {number: max(by) for number, by in pairs if by}
    asked = json.dumps([_asked(run, number, files[number]) for number in begun])
    by = json.dumps([_asked(run, number, files[number]) for number in late])
    found = durable.insisted(run, lambda session: _found(session, run, asked, by))
    return {number: max(by) for number, by in found.items()}


def _found(session: Connection, run: LoadRun, asked: str, by: str) -> dict[int, list[int]]:
    found = [*session.rows("files_overtaken", run.run_id, asked, by)]
    if run.settings.delete_gone:
        found += session.rows("files_added_to", asked, by)
    others: dict[int, list[int]] = {}
    for number, other in found:
        others.setdefault(int(number), []).append(int(other))
    return others


def _has_changed(file: FileResult, *, adding: bool) -> bool:
    changed = file.counts.updated or file.history.deleted or (adding and file.counts.inserted)
    return bool(file.file_id is not None and changed)


def _asked(run: LoadRun, number: int, file: FileResult) -> dict[str, int | None]:
    began, ended = run.order.steps(number)
    return {"place": number, "id": file.file_id, "began": began, "ended": ended}


def why(other: FileResult, *, adding: bool) -> Note:
    """Why a file is loaded again, of which the `other` had changed bars; or perhaps only added some
    within its span, if `adding` counts."""
    text = f"loaded again, because the last file counts: {other.path} was given before it, and "
    what = "changed or added bars within its span" if adding else "changed bars of it"
    return Note("history", f"{text}{what} after it was loaded")


def noted(run: LoadRun, files: Sequence[FileResult], notes: Sequence[Note]) -> list[FileResult]:
    """The results with a note each, which the ledger has as well.

    Raises:
        DatabaseError: the server refused, or stayed away.
    """
    both = [*zip(files, notes, strict=True)]
    texts = {file.file_id: note.text for file, note in both if file.file_id is not None}
    durable.insisted(run, lambda session: ledger.add_notes(session, texts))
    return [replace(file, notes=(*file.notes, note)) for file, note in both]

"""What the ledger knows of a run's files: those with nothing to load, because their content is
loaded already under the same settings; and why others are loaded again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import takewhile
from typing import TYPE_CHECKING, Final

from loader.ingest.run.losses import Loss
from loader.results import FileResult, Note
from loader.results.events import FileDone, FileNote, FileStarted
from loader.store.runs import ledger

if TYPE_CHECKING:
    from loader.db.arrow import Connection
    from loader.ingest.run import LoadRun
    from loader.ingest.run.hashed import Hashed

#: The most files that the ledger is asked for at once.
MOST: Final = 256


def note_of(seen: ledger.Known, lost: Loss | None) -> Note:
    """Why there is nothing to load."""
    if lost is None:
        return Note(
            "run",
            f"nothing new: loaded already by run {seen.run_id} under the same settings "
            "(--force loads it again)",
        )
    what = "its bars are" if lost.whole else "some of its bars are"
    return Note(
        "run",
        f"{what} gone from the store, as after retention: loaded by run {seen.run_id}, "
        "and not again (--force loads it again)",
    )


def changed_since(run: LoadRun, asked: ledger.Asked) -> int | None:
    """The recent run that found another content under the path, if one did."""
    before, run_id = run.earlier.get(asked.path, (None, 0))
    return None if before in (None, asked.content_hash) else run_id


def notes_again(
    run: LoadRun, asked: ledger.Asked, seen: ledger.Known | None, lost: Loss | None
) -> tuple[Note, ...]:
    """Why a file is loaded again: for a content that was loaded whole, and a path with another."""
    notes = []
    if seen is not None and seen.whole:
        why = _why_again(run, seen, lost)
        notes.append(Note("run", f"loaded before by run {seen.run_id}, and again: {why}"))
    if (changed := changed_since(run, asked)) is not None:
        notes.append(Note("run", f"changed since run {changed} loaded it: loading it again"))
    return tuple(notes)


def _why_again(run: LoadRun, seen: ledger.Known, lost: Loss | None) -> str:
    if lost is not None and lost.open:
        return f"{'its bars' if lost.whole else 'some of its bars'} are gone from the store"
    if seen.replaced_by:
        return f"run {seen.replaced_by} found another content under this path since"
    if seen.changed_by:
        return "bars of its symbols were changed since"
    if run.others is not None:
        return "rows of the dataset were changed since"
    return "to delete the stored bars that it does not have"


def recognised(
    run: LoadRun, reader: Connection, files: Sequence[Hashed], most: int
) -> tuple[list[FileResult], list[tuple[Note, ...]]]:
    """The results of the first of the files, as far as they are recognised and all of their bars
    are stored: asked for and recorded together. Without such, for each of the first that are to be
    loaded, `most` at most, why that is again, if it is.

    The answers are of one moment. What is loaded later, also of these files, is not in them.

    Raises:
        DatabaseError: the server refused, or went away.
    """
    answers = ledger.known(reader, [file.asked for file in files])
    known = _known(run, reader, answers)
    if not known:
        return [], list(_to_load(run, reader, files[:most], answers))
    results = []
    for file, seen in zip(files, known, strict=False):
        result = FileResult(file.source.name, "known", size_bytes=file.source.size_bytes)
        digest, note = file.asked.content_hash, note_of(seen, None)
        results.append(replace(result, content_hash=digest, notes=(note,)))
    results = _recorded(run, files, results)
    for result in results:
        run.emit(FileStarted(result.path, result.size_bytes or 0))
        run.emit(FileNote(result.path, result.notes[0]))
        run.emit(FileDone(result))
    return results, []


def _known(
    run: LoadRun, reader: Connection, answers: Sequence[ledger.Known | None]
) -> list[ledger.Known]:
    """The first of the answers, as far as the store has all that they say."""
    stands = [seen for seen in takewhile(lambda seen: seen and seen.stands, answers) if seen]
    if not stands or _is_spread(run, reader):
        return []
    return stands[: ledger.whole(reader, stands)]


def _is_spread(run: LoadRun, reader: Connection) -> bool:
    """Whether the bars are in chunks or shards: the ends of a file are looked for in few of them,
    one file at a time."""
    return reader.shards is not None or run.in_chunks(reader)


def _to_load(
    run: LoadRun,
    reader: Connection,
    files: Sequence[Hashed],
    answers: Sequence[ledger.Known | None],
) -> Iterator[tuple[Note, ...]]:
    """For the first of the files that are to be loaded whole, why they are again. One with the same
    content as another before it is known by its turn."""
    if _is_spread(run, reader):
        return
    contents = set[tuple[str, str]]()
    for file, seen in zip(files, answers, strict=False):
        content = file.asked.content_hash, file.asked.fingerprint
        if content in contents:
            return
        contents.add(content)
        lost = None
        if seen is not None:
            lost = run.losses.of(reader, seen, in_chunks=False) if seen.stands else None
            if not seen.whole or (seen.stands and not (lost and lost.open)):
                return
        yield notes_again(run, file.asked, seen, lost)


def _recorded(run: LoadRun, files: Sequence[Hashed], results: list[FileResult]) -> list[FileResult]:
    if not results or run.run_id is None:
        return []
    sources = [file.source for file in files]
    fingerprints = [file.asked.fingerprint for file in files]
    with run.connection(cancellable=False) as writer, writer.transaction():
        ids = ledger.add_known(writer, run.run_id, sources, results, fingerprints)
    return [replace(result, file_id=n) for result, n in zip(results, ids, strict=True)]

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


def note_again(seen: ledger.Known, lost: Loss | None, *, of_dataset: bool = False) -> Note:
    """Why a content is loaded again that was loaded whole. `of_dataset`: its rows are no bars."""
    if lost is not None and lost.open:
        why = f"{'its bars' if lost.whole else 'some of its bars'} are gone from the store"
    elif seen.replaced_by:
        why = f"run {seen.replaced_by} found another content under this path since"
    elif seen.changed_by:
        why = "bars of its symbols were changed since"
    elif of_dataset:
        why = "rows of the dataset were changed since"
    else:
        why = "to delete the stored bars that it does not have"
    return Note("run", f"loaded before by run {seen.run_id}, and again: {why}")


def recognised(
    run: LoadRun, reader: Connection, files: Sequence[Hashed], most: int
) -> tuple[list[FileResult], list[Note | None]]:
    """The results of the first of the files, as far as they are recognised and all of their bars
    are stored: asked for and recorded together. Without such, for each of the first that are to be
    loaded, `most` at most, why that is again, or None for one that the ledger does not know.

    The answers are of one moment. What is loaded later, also of these files, is not in them.

    Raises:
        DatabaseError: the server refused, or went away.
    """
    answers = ledger.known(reader, [file.asked for file in files])
    known = _known(run, reader, answers)
    if not known:
        return [], list(_to_load(run, reader, answers[:most]))
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
    run: LoadRun, reader: Connection, answers: Sequence[ledger.Known | None]
) -> Iterator[Note | None]:
    """For the first of the answers that ask for a load, whole, why it is again."""
    for seen in () if _is_spread(run, reader) else answers:
        if seen is None:
            yield None
            continue
        lost = run.losses.of(reader, seen, in_chunks=False) if seen.stands else None
        if not seen.whole or (seen.stands and not (lost and lost.open)):
            return
        yield note_again(seen, lost)


def _recorded(run: LoadRun, files: Sequence[Hashed], results: list[FileResult]) -> list[FileResult]:
    if not results or run.run_id is None:
        return []
    sources = [file.source for file in files]
    fingerprints = [file.asked.fingerprint for file in files]
    with run.connection(cancellable=False) as writer, writer.transaction():
        ids = ledger.add_known(writer, run.run_id, sources, results, fingerprints)
    return [replace(result, file_id=n) for result, n in zip(results, ids, strict=True)]

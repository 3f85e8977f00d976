"""Files with nothing to load: their content is loaded already, under the same settings."""

from __future__ import annotations

from collections.abc import Sequence
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


def recognised(
    run: LoadRun, reader: Connection, files: Sequence[Hashed]
) -> tuple[list[FileResult], int]:
    """The results of the first of the files, as far as they are recognised and all of their bars
    are stored: asked for and recorded together. Without such, how many of the first the ledger does
    not know at all.

    The answers are of one moment. What is loaded later, also of these files, is not in them.

    Raises:
        DatabaseError: the server refused, or went away.
    """
    known, unknown = _known(run, reader, files)
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
    return results, unknown


def _known(
    run: LoadRun, reader: Connection, files: Sequence[Hashed]
) -> tuple[list[ledger.Known], int]:
    """What the ledger knows of the first ones, as far as the store has all that they say; and how
    many of the first it does not know."""
    answers = ledger.known(reader, [file.asked for file in files])
    unknown = len(list(takewhile(lambda seen: seen is None, answers)))
    stands = [seen for seen in takewhile(lambda seen: seen and seen.stands, answers) if seen]
    # The ends of each file are looked for in few of the chunks or shards: one by one.
    if not stands or reader.shards is not None or run.in_chunks(reader):
        return [], unknown
    return stands[: ledger.whole(reader, stands)], unknown


def _recorded(run: LoadRun, files: Sequence[Hashed], results: list[FileResult]) -> list[FileResult]:
    if not results or run.run_id is None:
        return []
    sources = [file.source for file in files]
    fingerprints = [file.asked.fingerprint for file in files]
    with run.connection(cancellable=False) as writer, writer.transaction():
        ids = ledger.add_known(writer, run.run_id, sources, results, fingerprints)
    return [replace(result, file_id=n) for result, n in zip(results, ids, strict=True)]

"""Files with nothing to load: their content is loaded already, under the same settings."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from loader.errors import DatabaseError, MdloadError
from loader.events import FileDone, FileNote, FileStarted
from loader.ingest.run.losses import Loss
from loader.read.sources import Source, content_hash
from loader.results import FileResult, Note
from loader.store.runs import ledger

if TYPE_CHECKING:
    from loader.ingest.run import LoadRun

#: The ledger is asked for so many files at once.
MOST: Final = 256
#: A file of more bytes is asked for alone: if one before it has to be loaded, it is hashed again.
_SMALL: Final = 4 << 20


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
        f"{what} no longer stored, as after retention: loaded by run {seen.run_id}, "
        "and not again (--force loads it again)",
    )


def recognised(run: LoadRun, sources: Sequence[Source]) -> list[FileResult]:
    """The results of the first of `sources`, as far as they are recognised and all of their bars
    are stored: asked for and recorded together. The next one may have something to load, so it
    needs a look of its own.

    The answers are of one moment. What is loaded later, also of these files, is not in them.
    """
    settings = run.settings
    by_itself = settings.force or settings.delete_gone or run.others is not None
    if by_itself or run.run_id is None:
        return []
    asked = _hashed(run, sources)
    results = []
    with suppress(DatabaseError):  # one by one, they are tried several times
        for source, wanted, seen in zip(sources, asked, _stored(run, asked), strict=False):
            note = note_of(seen, None)
            result = FileResult(source.name, "known", size_bytes=source.size_bytes)
            results.append(replace(result, content_hash=wanted.content_hash, notes=(note,)))
        results = _recorded(run, run.run_id, sources, results, asked)
        for source, result in zip(sources, results, strict=False):
            run.emit(FileStarted(source.name, source.size_bytes))
            run.emit(FileNote(source.name, result.notes[0]))
            run.emit(FileDone(result))
        return results
    return []


def _hashed(run: LoadRun, sources: Sequence[Source]) -> list[ledger.Asked]:
    """What to ask the ledger, up to the first source that is large or cannot be read."""
    asked: list[ledger.Asked] = []
    with suppress(MdloadError):  # its own turn says so
        for source in sources:
            if source.trouble is not None or source.size_bytes > _SMALL:
                break
            digest = content_hash(source, run.stop_if_cancelled)
            asked.append(ledger.Asked(digest, run.fingerprint_of(source), source.name))
    return asked


def _stored(run: LoadRun, asked: Sequence[ledger.Asked]) -> list[ledger.Known]:
    """What the ledger knows of the first ones, as far as the store has all that they say.

    Raises:
        DatabaseError: the server refused, or went away.
    """
    with run.connection(autocommit=True) as reader:
        if reader.shards is not None or run.in_chunks(reader):
            return []  # the ends of each file are looked for in few of the chunks or shards
        found = []
        for seen in ledger.known(reader, asked):
            if seen is None or not seen.stands:
                break
            found.append(seen)
        return found[: ledger.whole(reader, found)]


def _recorded(
    run: LoadRun,
    run_id: int,
    sources: Sequence[Source],
    results: list[FileResult],
    asked: Sequence[ledger.Asked],
) -> list[FileResult]:
    if not results:
        return []
    with run.connection(cancellable=False) as writer, writer.transaction():
        fingerprints = [each.fingerprint for each in asked]
        ids = ledger.add_known(writer, run_id, sources, results, fingerprints)
    return [replace(result, file_id=n) for result, n in zip(results, ids, strict=True)]

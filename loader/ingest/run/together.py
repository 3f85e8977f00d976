"""Small files are loaded together: checked, compared and staged at once. Each is still committed by
itself, in its turn, with all that belongs to it."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime
from itertools import takewhile
from typing import TYPE_CHECKING, Final

import polars as pl

from loader import bars
from loader.check.guard.laid import fewest
from loader.errors import Cancelled, DatabaseError, MdloadError
from loader.ingest.run import durable
from loader.ingest.run.hashed import Hashed
from loader.ingest.run.shorter import Extent, lacking, last_loaded
from loader.ingest.run.small import checked
from loader.ingest.run.small.checked import Checked
from loader.ingest.tally import only
from loader.lazy import dataclass
from loader.read.sources import identity
from loader.results import Counts, FileResult, Note
from loader.results.events import (
    BarsWritten,
    Committed,
    FileDone,
    FileNote,
    FileOpened,
    FileStarted,
    RowsDone,
)
from loader.results.history import History, SeriesHistory
from loader.store import spellings
from loader.store.guard import between as guard
from loader.store.guard import counts
from loader.store.merge import standing, together
from loader.store.merge.standing import Standing
from loader.store.merge.together import Booking
from loader.store.packed import repeated
from loader.store.runs.ledger import LISTED

if TYPE_CHECKING:
    from loader.db.arrow import Connection
    from loader.ingest.run import LoadRun
    from loader.ingest.run.small.ahead import Ahead

#: The most files that are loaded together.
MOST: Final = checked.MOST
Again = Mapping[str, Sequence[Note]]


@dataclass(frozen=True, slots=True)
class _File:
    """A checked file, before it is committed.

    Attributes:
        new, changed: its bars (`bars.SCHEMA`) that are not stored, and that are stored with other
            values.
        touched: of its series that change stored bars or come between them, `bars.SERIES` and
            how many do (changed, between, gone).
        listed: those of them that the result lists.
    """

    checked: Checked
    new: pl.DataFrame
    changed: pl.DataFrame
    touched: pl.DataFrame
    listed: tuple[SeriesHistory, ...]
    booking: Booking


def may_load_together(run: LoadRun) -> bool:
    """Whether files of the run can be loaded together at all."""
    settings = run.settings
    by_itself = (
        settings.commit_every or settings.by_time or settings.delete_gone or settings.known_at_from
        or settings.known_at or settings.part or run.others or run.replay or run.plan
        or run.run_id is None
    )  # fmt: skip
    return not by_itself


def loaded_together(
    run: LoadRun, session: Connection, files: Sequence[Hashed], again: Again, ahead: Ahead
) -> list[FileResult]:
    """The results of the first of the files, which are to be loaded: as far as they are small, pass
    their checks whole, and change few stored bars. The next one needs a look of its own. `again`
    has the notes on why some are loaded again, by path. `session` commits each statement. `ahead`
    looks at the next ones meanwhile.

    Raises:
        DatabaseError, Cancelled: nothing is committed.
    """
    began = time.monotonic()
    if run.in_chunks(session) or not together.may_stage(session):
        return []
    ready = _ready(run, session, ahead.checked(run, files), began)
    run.stop_if_cancelled()
    if ready:
        try:
            return _committed(run, session, ready, again, ahead)
        except (DatabaseError, Cancelled):
            session.failed = True
            return _settled(run, ready, again)
    return []


def _ready(
    run: LoadRun, session: Connection, files: Sequence[Checked], began: float
) -> list[_File]:
    """The first of the files that can be committed as they are.

    Raises:
        DatabaseError: the server refused, or went away.
    """
    if not files:
        return []
    others = spellings.others(session, pl.concat([file.spellings for file in files]))
    ready: list[_File] = []
    (at,) = session.one("together_began", time.monotonic() - began)
    found = pl.concat(file.bars for file in files)
    standings, verdicts = standing.standings(session, [file.series for file in files], found)
    asked = [(file.file.asked.path, file.file.asked.fingerprint) for file in files]
    before = last_loaded(run, session, asked)
    for number, (file, own) in enumerate(zip(files, standings, strict=True)):
        rows = file.bars.height
        verdict, verdicts = verdicts[:rows], verdicts[rows:]
        if None in own or _is_among(file.spellings, others) or not _is_unchanged(file.file):
            break
        known = [each for each in own if each is not None]
        if not _may_change(run, known):
            break
        extent = Extent(file.bars.height + file.skipped, min(file.series["lo"]))
        if lacking(run, before[number], extent) is not None:
            break
        new, changed = standing.written(file.bars, verdict, known)
        touched = standing.touched(file.series, known)
        listed = counts.listed(touched) if touched.height else ()
        booking = _booking(
            run, file, number, touched, listed,
            inserted=new.height, updated=changed.height, began=at,
        )  # fmt: skip
        ready.append(_File(file, new, changed, touched, listed, booking))
    return _without_moved(session, ready)


def _may_change(run: LoadRun, own: Sequence[Standing]) -> bool:
    """Whether the file changes too few stored bars for its guard to find a sign, and too few to be
    of another series than the file that stored them. One look at all files of the group, later,
    covers the series that are wholly new."""
    if not any(each.changed or 0 < each.between < each.rows for each in own):
        return True
    changed, rows = sum(each.changed for each in own), sum(each.rows for each in own)
    met = rows - sum(each.new for each in own)
    limit = run.settings.max_restated
    is_exceeded = limit is not None and limit.exceeded(changed, met)
    is_laid_over = changed > 0 and changed >= fewest(met, rows)
    is_little = guard.is_little(changed, sum(each.between for each in own))
    return is_little and not is_exceeded and not is_laid_over


def _is_among(spellings: pl.DataFrame, others: Collection[tuple[str, str]]) -> bool:
    own = zip(spellings["provider"], spellings["symbol"], strict=True)
    return bool(others) and any(series in others for series in own)


def _without_moved(session: Connection, ready: list[_File]) -> list[_File]:
    """The first of the files: up to one that looks like bars of other times."""
    if not any(file.listed for file in ready):
        return ready
    touched = pl.concat(
        file.touched.select(pl.lit(file.booking.file).alias("file"), *bars.SERIES, "between")
        for file in ready
    )
    moved = guard.moved(session, touched, _numbered(ready, [file.new for file in ready]))
    return ready[: min(moved, default=len(ready))]


def _numbered(ready: Sequence[_File], frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """The bars (`bars.SCHEMA`) of each file, with the number of their `file`."""
    numbers = repeated([each.booking.file for each in ready], [frame.height for frame in frames])
    return pl.concat(frames).with_columns(numbers.alias("file"))


def _staged(ready: Sequence[_File]) -> pl.DataFrame:
    """What the files write (`together.STAGE`)."""
    new = _numbered(ready, [file.new for file in ready]).with_columns(changed=False)
    changed = _numbered(ready, [file.changed for file in ready]).with_columns(changed=True)
    return pl.concat([new, changed]) if changed.height else new


def _is_unchanged(file: Hashed) -> bool:
    with suppress(MdloadError):
        return identity(file.source) == file.identity
    return False


def _booking(
    run: LoadRun,
    file: Checked,
    number: int,
    touched: pl.DataFrame,
    listed: Sequence[SeriesHistory],
    *,
    inserted: int,
    updated: int,
    began: datetime,
) -> Booking:
    assert run.run_id is not None
    hashed, series = file.file, file.series
    min_ts, max_ts = min(series["lo"]), max(series["hi"])
    symbols = tuple(sorted(set(series["symbol"])))
    return Booking(
        file=number, run_id=run.run_id, path=hashed.source.name,
        size_bytes=hashed.source.size_bytes, content_hash=hashed.asked.content_hash,
        fingerprint=hashed.asked.fingerprint, began=began, dialect=file.dialect,
        provider=only(series["provider"]), interval=only(series["interval"]),
        symbols=symbols, are_listed=len(symbols) <= LISTED,
        spellings=file.spellings.to_dicts(),
        rows=file.bars.height + file.skipped, inserted=inserted, updated=updated,
        skipped=file.skipped, inserted_between=int(touched["between"].sum()),
        series=[asdict(each) for each in listed],
        min_ts=min_ts, max_ts=max_ts, deferred=run.defers_commits,
        notes=tuple(note.text for note in file.notes),
    )  # fmt: skip


def _committed(
    run: LoadRun, session: Connection, ready: Sequence[_File], again: Again, ahead: Ahead
) -> list[FileResult]:
    """The results of the files, once all of them are committed.

    Raises:
        DatabaseError, Cancelled: one was not; those before it may be.
    """
    bookings = [file.booking for file in ready]
    together.add_unlisted(session, bookings)
    began, found = time.monotonic(), _staged(ready)

    def commit() -> list[int]:
        with together.staged(session, found):
            return together.booked(session, bookings)

    ids = ahead.beside(run, len(ready), commit)
    seconds = (time.monotonic() - began) / len(ready)
    return [_told(run, *each, again, seconds) for each in zip(ready, ids, strict=True)]


def _settled(run: LoadRun, ready: Sequence[_File], again: Again) -> list[FileResult]:
    """The results of those that were committed before the statement failed, or although no answer
    came: they are the first ones. Waits for a server that went away."""
    found: dict[str, int] = {}
    bookings = [file.booking for file in ready]
    with suppress(DatabaseError):
        found = durable.insisted(run, lambda reader: together.booked_by(reader, bookings))
    committed = takewhile(lambda file: file.booking.path in found, ready)
    return [_told(run, file, found[file.booking.path], again, 0.0) for file in committed]


def _told(run: LoadRun, file: _File, file_id: int, again: Again, seconds: float) -> FileResult:
    """Emits what happened to a file that is committed; returns its result."""
    found, booking = file.checked, file.booking
    path, new, changed, rows = booking.path, booking.inserted, booking.updated, booking.rows
    counts = Counts(
        read=rows, inserted=new, updated=changed,
        unchanged=rows - booking.skipped - new - changed, skipped=booking.skipped,
    )  # fmt: skip
    result = FileResult(
        path, "loaded", counts.check(path),
        dialect=booking.dialect, provider=booking.provider, interval=booking.interval,
        content_hash=booking.content_hash, size_bytes=booking.size_bytes, symbols=booking.symbols,
        min_ts=booking.min_ts, max_ts=booking.max_ts, rejected={}, notes=found.notes,
        history=History(changed, booking.inserted_between), series=file.listed,
        file_id=file_id,
    )  # fmt: skip
    run.emit(FileStarted(path, booking.size_bytes))
    for note in again.get(path, ()):
        run.emit(FileNote(path, note))
    run.emit(FileOpened(path, found.counted))
    for note in found.notes:
        run.emit(FileNote(path, note))
    run.emit(RowsDone(path, rows, booking.size_bytes))
    if new:
        run.emit(BarsWritten(path, "COPY", new, seconds, True))
    if changed:
        run.emit(BarsWritten(path, "UPSERT", changed, seconds, True))
    run.emit(Committed(path, counts, {}))
    run.losses.learn(result)
    run.emit(FileDone(result))
    return result

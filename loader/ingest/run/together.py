"""Small files are loaded together: checked, compared and staged at once. Each is still committed by
itself, in its turn, with all that belongs to it."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Final

import polars as pl

from loader import bars
from loader.errors import Cancelled, DatabaseError, MdloadError
from loader.ingest.run import checked
from loader.ingest.run.checked import Checked
from loader.ingest.run.hashed import Hashed
from loader.ingest.run.recognised import changed_since
from loader.ingest.run.shorter import Extent, shorter
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
from loader.store.merge import together
from loader.store.merge.together import Booking, Standing
from loader.store.packed import repeated

if TYPE_CHECKING:
    from loader.db.arrow import Connection
    from loader.ingest.run import LoadRun

#: The most files that are loaded together.
MOST: Final = checked.MOST


@dataclass(frozen=True, slots=True)
class _File:
    """A checked file, before it is committed.

    Attributes:
        new: its bars (`bars.SCHEMA`) that are not stored.
        between: of its series that come between stored bars, `bars.SERIES` and their rows.
        listed: those of them that the result lists.
    """

    checked: Checked
    new: pl.DataFrame
    between: pl.DataFrame
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
    run: LoadRun, session: Connection, files: Sequence[Hashed], again: Mapping[str, Sequence[Note]]
) -> list[FileResult]:
    """The results of the first of the files, which are to be loaded: as far as they are small, pass
    their checks whole, and change no stored bar. The next one needs a look of its own. `again` has
    the notes on why some are loaded again, by path. `session` commits each statement.

    Raises:
        DatabaseError, Cancelled: nothing is committed.
    """
    began = time.monotonic()
    if run.in_chunks(session) or not together.may_stage(session):
        return []
    ready = _ready(run, session, list(checked.checked(run, files)), began)
    run.stop_if_cancelled()
    results: list[FileResult] = []
    if ready:
        try:
            for result in _committed(run, session, ready, again):
                results.append(result)
        except (DatabaseError, Cancelled):
            session.failed = True
            results += _settled(run, ready[len(results) :], again)
    return results


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
    series = pl.concat(file.series for file in files)
    found = pl.concat(file.bars for file in files)
    standings = together.standings(session, series, found)
    for number, file in enumerate(files):
        own, standings = standings[: file.series.height], standings[file.series.height :]
        if None in own or _is_among(file.spellings, others) or not _is_unchanged(file.file):
            break
        if changed_since(run, file.file.asked) is not None and _is_shorter(run, file):
            break
        kinds = [each.kind for each in own if each is not None]
        new = _new_of(file, own)
        between = _of(file.series, file.series, [kind == "between" for kind in kinds])
        listed = guard.listed(between)
        booking = _booking(run, file, number, between, listed, inserted=new.height, began=at)
        ready.append(_File(file, new, between, listed, booking))
    return _without_moved(session, ready)


def _new_of(file: Checked, standings: Sequence[Standing | None]) -> pl.DataFrame:
    """The bars of the file that are not stored."""
    found = [each for each in standings if each is not None]
    if all(each.kind != "grown" for each in found):
        return _of(file.bars, file.series, [each.kind != "same" for each in found])
    parts, start = [file.bars[:0]], 0
    for each, rows in zip(found, file.series["rows"], strict=True):
        part, start = file.bars[start : start + rows], start + rows
        if each.kind == "grown" and each.stored is not None:
            parts.append(part.filter(~pl.col("ts").is_between(*each.stored)))
        elif each.kind != "same":
            parts.append(part)
    return pl.concat(parts)


def _is_shorter(run: LoadRun, file: Checked) -> bool:
    extent = Extent(file.bars.height + file.skipped, min(file.series["lo"]))
    return shorter(run, file.file.source, extent) is not None


def _of(rows: pl.DataFrame, series: pl.DataFrame, chosen: Sequence[bool]) -> pl.DataFrame:
    """Those of the rows that are of the chosen ones of the `series`."""
    if all(chosen) or not any(chosen):
        return rows if any(chosen) else rows[:0]
    some = series.filter(pl.Series(chosen, dtype=pl.Boolean))
    return rows.join(some, on=bars.SERIES, how="semi", maintain_order="left")


def _is_among(spellings: pl.DataFrame, others: Collection[tuple[str, str]]) -> bool:
    own = zip(spellings["provider"], spellings["symbol"], strict=True)
    return bool(others) and any(series in others for series in own)


def _without_moved(session: Connection, ready: list[_File]) -> list[_File]:
    """The first of the files: up to one that looks like bars of other times."""
    if not any(file.listed for file in ready):
        return ready
    between = pl.concat(
        file.between.select(pl.lit(file.booking.file).alias("file"), *bars.SERIES, "rows")
        for file in ready
    )
    moved = guard.moved(session, between, _new(ready))
    return ready[: min(moved, default=len(ready))]


def _new(ready: Sequence[_File]) -> pl.DataFrame:
    """The new bars (`bars.SCHEMA`), with the number of the `file` of each."""
    numbers = repeated([each.booking.file for each in ready], [each.new.height for each in ready])
    return pl.concat(each.new for each in ready).with_columns(numbers.alias("file"))


def _is_unchanged(file: Hashed) -> bool:
    with suppress(MdloadError):
        return identity(file.source) == file.identity
    return False


def _booking(
    run: LoadRun,
    file: Checked,
    number: int,
    between: pl.DataFrame,
    listed: Sequence[SeriesHistory],
    *,
    inserted: int,
    began: datetime,
) -> Booking:
    assert run.run_id is not None
    hashed, series = file.file, file.series
    min_ts, max_ts = min(series["lo"]), max(series["hi"])
    return Booking(
        file=number, run_id=run.run_id, path=hashed.source.name,
        size_bytes=hashed.source.size_bytes, content_hash=hashed.asked.content_hash,
        fingerprint=hashed.asked.fingerprint, began=began, dialect=file.dialect,
        provider=only(series["provider"]), interval=only(series["interval"]),
        symbols=tuple(sorted(set(series["symbol"]))),
        spellings=file.spellings.select(*spellings.SCHEMA).to_dicts(),
        rows=file.bars.height + file.skipped, inserted=inserted, skipped=file.skipped,
        inserted_between=int(between["rows"].sum()), series=[asdict(each) for each in listed],
        min_ts=min_ts, max_ts=max_ts, deferred=run.defers_commits,
        notes=tuple(note.text for note in file.notes),
    )  # fmt: skip


def _committed(
    run: LoadRun, session: Connection, ready: Sequence[_File], again: Mapping[str, Sequence[Note]]
) -> Iterator[FileResult]:
    """The results of the files, each once it is committed.

    Raises:
        DatabaseError, Cancelled: one was not; those before it were.
    """
    with together.staged(session, _new(ready)):
        began = time.monotonic()
        ids = together.booked(session, [file.booking for file in ready])
        for file, file_id in zip(ready, ids, strict=True):
            yield _told(run, file, file_id, again, time.monotonic() - began)
            began = time.monotonic()


def _settled(
    run: LoadRun, left: Sequence[_File], again: Mapping[str, Sequence[Note]]
) -> list[FileResult]:
    """The results of those that were committed although no answer came: they are the first of what
    is `left`."""
    assert run.run_id is not None
    found: dict[str, int] = {}
    with suppress(DatabaseError), run.connection(autocommit=True, cancellable=False) as reader:
        paths = [file.booking.path for file in left]
        found = together.booked_by(reader, run.run_id, paths)
    results = []
    for file in left:
        file_id = found.get(file.booking.path)
        if file_id is None:
            break
        results.append(_told(run, file, file_id, again, 0.0))
    return results


def _told(
    run: LoadRun, file: _File, file_id: int, again: Mapping[str, Sequence[Note]], seconds: float
) -> FileResult:
    """Emits what happened to a file that is committed; returns its result."""
    found, booking = file.checked, file.booking
    path, new, rows = booking.path, booking.inserted, booking.rows
    counts = Counts(
        read=rows, inserted=new, unchanged=rows - booking.skipped - new, skipped=booking.skipped
    )
    result = FileResult(
        path, "loaded", counts.check(path),
        dialect=booking.dialect, provider=booking.provider, interval=booking.interval,
        content_hash=booking.content_hash, size_bytes=booking.size_bytes, symbols=booking.symbols,
        min_ts=booking.min_ts, max_ts=booking.max_ts, rejected={}, notes=found.notes,
        history=History(inserted_between=booking.inserted_between), series=file.listed,
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
    run.emit(Committed(path, counts, {}))
    run.emit(FileDone(result))
    return result

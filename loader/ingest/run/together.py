"""Small files that are alike are loaded together: read into one frame, checked, compared and staged
at once. Each is still committed by itself, in its turn, with all that belongs to it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Final

import polars as pl

from loader.errors import Cancelled, DatabaseError, MdloadError
from loader.ingest.run import alike, patterns
from loader.ingest.run.alike import Series
from loader.ingest.run.hashed import Hashed
from loader.ingest.run.patterns import Pattern, Small
from loader.lazy import dataclass
from loader.read.batch import Location, RawBatch
from loader.read.formats import read
from loader.read.sources import identity
from loader.results import Counts, FileResult
from loader.results.events import (
    BarsWritten,
    Committed,
    FileDone,
    FileNote,
    FileOpened,
    FileStarted,
    RowsDone,
)
from loader.store import spellings
from loader.store.merge import together
from loader.store.merge.together import Booking

if TYPE_CHECKING:
    from loader.db.arrow import Connection
    from loader.ingest.run import LoadRun

#: The most files that are loaded together, and the most rows of each and of all.
MOST: Final = 64
_ROWS: Final = 20_000
_ALL_ROWS: Final = 100_000
#: Bytes of a file that may be small.
_SMALL: Final = 1 << 20
_CONTAINERS: Final = ("parquet", "csv")


@dataclass(frozen=True, slots=True)
class _File:
    """A plain file, before it is committed: `is_stored` if all of its bars are stored already."""

    hashed: Hashed
    series: Series
    is_stored: bool
    booking: Booking


def may_load_together(run: LoadRun) -> bool:
    """Whether files of the run can be loaded together at all."""
    settings = run.settings
    by_itself = (
        settings.commit_every or settings.by_time or settings.delete_gone or settings.known_at_from
        or settings.known_at or run.others or run.replay or run.plan or run.run_id is None
    )  # fmt: skip
    return not by_itself and patterns.may_be_alike(settings)


def loaded_together(run: LoadRun, files: Sequence[Hashed]) -> list[FileResult]:
    """The results of the first of the files, none of which is in the ledger: as far as they are
    alike and plain, see `alike`, and all of their bars are new or stored as they are. The next one
    needs a look of its own."""
    began = time.monotonic()
    smalls = _read(run, files)
    known = bool(smalls) and smalls[0].kind in run.patterns
    pattern = _pattern(run, smalls[0]) if known or len(smalls) > 1 else None
    if pattern is None:
        return []
    try:
        series, rows = alike.plain(smalls, pattern, run.settings)
    except MdloadError:  # their own loads say so
        return []
    series = series[: _first_repeated([each.symbol for each in series])]
    results: list[FileResult] = []
    with suppress(DatabaseError), run.connection(autocommit=True) as session:
        ready = _ready(run, session, files, pattern, series, rows, began)
        run.stop_if_cancelled()
        if ready:
            try:
                for result in _committed(run, session, ready, rows, pattern):
                    results.append(result)
            except (DatabaseError, Cancelled):
                session.failed = True
                results += _settled(run, ready[len(results) :], pattern)
    return results


def _read(run: LoadRun, files: Sequence[Hashed]) -> list[Small]:
    """The first of the files, as far as they are small and of one kind."""
    found: list[Small] = []
    rows = 0
    with suppress(MdloadError):  # its own turn says so
        for file in files[:MOST]:
            small = _small(run, file)
            if small is None or (found and small.kind != found[0].kind):
                break
            rows += small.frame.height
            if rows > _ALL_ROWS:
                break
            found.append(small)
    return found


def _small(run: LoadRun, file: Hashed) -> Small | None:
    source = file.source
    before = run.earlier.get(source.name, (None, 0))[0]
    if source.size_bytes > _SMALL or before not in (None, file.asked.content_hash):
        return None
    with read(source, run.settings.piece_rows) as reading:
        known = reading.rows
        if reading.container not in _CONTAINERS or (known is not None and not 0 < known <= _ROWS):
            return None
        batches = list(reading)
    if len(batches) != 1 or batches[0].ragged is not None or batches[0].frame.height > _ROWS:
        return None
    return Small(source, reading, batches[0].frame)


def _pattern(run: LoadRun, first: Small) -> Pattern | None:
    """What the first plain file of the kind has shown, remembered for the run. One that is not
    plain itself may have notes that others must not get."""
    if first.kind not in run.patterns:
        whole = RawBatch(first.frame, Location(first.source.name, 0, 1))
        checking = run.checking(replace(first.reading, batches=iter([whole])), first.source)
        found = patterns.pattern_of(first, checking, run.settings)
        if found is not None and not _is_plain(first, found, run):
            return None
        run.patterns[first.kind] = found
    return run.patterns[first.kind]


def _is_plain(small: Small, pattern: Pattern, run: LoadRun) -> bool:
    with suppress(MdloadError):
        return bool(alike.plain([small], pattern, run.settings)[0])
    return False


def _first_repeated(symbols: Sequence[str]) -> int:
    """The number of the first symbol that was there before: its file may meet the other's bars."""
    return next((n for n, each in enumerate(symbols) if each in symbols[:n]), len(symbols))


def _ready(
    run: LoadRun,
    session: Connection,
    files: Sequence[Hashed],
    pattern: Pattern,
    series: Sequence[Series],
    rows: pl.DataFrame,
    began: float,
) -> list[_File]:
    """The first of the files that can be committed as they are.

    Raises:
        DatabaseError: the server refused, or went away.
    """
    if not series or run.in_chunks(session) or not together.may_stage(session):
        return []
    names = _spelled(pattern, series)
    if session.one("spellings_stored", names.write_json())[0] != "[]":
        return []
    spans = pl.DataFrame(
        {
            "provider": names["provider"], "symbol": names["symbol"],
            "interval": [pattern.interval] * len(series),
            "lo": [each.lo for each in series], "hi": [each.hi for each in series],
            "rows": [each.rows for each in series],
        },
        schema_overrides={"lo": pl.Datetime("us", "UTC"), "hi": pl.Datetime("us", "UTC")},
    )  # fmt: skip
    ready = []
    (at,) = session.one("together_began", time.monotonic() - began)
    stored = together.are_stored(session, spans, rows)
    for number, (file, own, is_stored) in enumerate(zip(files, series, stored, strict=False)):
        if is_stored is None or not _is_unchanged(file):
            break
        booking = _booking(run, file, pattern, own, number, is_stored=is_stored, began=at)
        ready.append(_File(file, own, is_stored, booking))
    return ready


def _spelled(pattern: Pattern, series: Sequence[Series]) -> pl.DataFrame:
    symbols = [each.symbol for each in series]
    found = pl.DataFrame(
        {"provider": [pattern.provider] * len(symbols), "source_symbol": symbols, "symbol": symbols}
    )
    return found.with_columns(pattern.layout.naming.origins(found).alias("convention")).select(
        *spellings.SCHEMA
    )


def _is_unchanged(file: Hashed) -> bool:
    with suppress(MdloadError):
        return identity(file.source) == file.identity
    return False


def _booking(
    run: LoadRun,
    file: Hashed,
    pattern: Pattern,
    series: Series,
    number: int,
    *,
    is_stored: bool,
    began: datetime,
) -> Booking:
    assert run.run_id is not None
    return Booking(
        file=number, run_id=run.run_id, path=file.source.name, size_bytes=file.source.size_bytes,
        content_hash=file.asked.content_hash, fingerprint=file.asked.fingerprint,
        began=began, dialect=pattern.layout.dialect.name,
        provider=pattern.provider, symbol=series.symbol, interval=pattern.interval,
        source_symbol=series.symbol, convention=pattern.layout.naming.convention,
        rows=series.rows, inserted=0 if is_stored else series.rows,
        min_ts=series.lo, max_ts=series.hi, deferred=run.defers_commits,
        notes=tuple(note.text for note in series.notes),
    )  # fmt: skip


def _committed(
    run: LoadRun,
    session: Connection,
    ready: Sequence[_File],
    rows: pl.DataFrame,
    pattern: Pattern,
) -> Iterator[FileResult]:
    """The results of the files, each once it is committed.

    Raises:
        DatabaseError, Cancelled: one was not; those before it were.
    """
    new = [number for number, file in enumerate(ready) if not file.is_stored]
    with together.staged(session, rows.filter(pl.col("file").is_in(new))):
        began = time.monotonic()
        ids = together.booked(session, [file.booking for file in ready])
        for file, file_id in zip(ready, ids, strict=True):
            yield _told(run, file, pattern, file_id, time.monotonic() - began)
            began = time.monotonic()


def _settled(run: LoadRun, left: Sequence[_File], pattern: Pattern) -> list[FileResult]:
    """The results of those that were committed although no answer came: they are the first of what
    is `left`."""
    assert run.run_id is not None
    found: dict[str, int] = {}
    with suppress(DatabaseError), run.connection(autocommit=True, cancellable=False) as reader:
        paths = [file.hashed.source.name for file in left]
        found = together.booked_by(reader, run.run_id, paths)
    results = []
    for file in left:
        file_id = found.get(file.hashed.source.name)
        if file_id is None:
            break
        results.append(_told(run, file, pattern, file_id, 0.0))
    return results


def _told(run: LoadRun, file: _File, pattern: Pattern, file_id: int, seconds: float) -> FileResult:
    """Emits what happened to a file that is committed; returns its result."""
    source, series, booking = file.hashed.source, file.series, file.booking
    new = booking.inserted
    counts = Counts(read=series.rows, inserted=new, unchanged=series.rows - new)
    result = FileResult(
        source.name, "loaded", counts.check(source.name),
        dialect=booking.dialect, provider=pattern.provider, interval=pattern.interval,
        content_hash=booking.content_hash, size_bytes=source.size_bytes, symbols=(series.symbol,),
        min_ts=series.lo, max_ts=series.hi, rejected={}, notes=series.notes, file_id=file_id,
    )  # fmt: skip
    run.emit(FileStarted(source.name, source.size_bytes))
    run.emit(FileOpened(source.name, series.rows if pattern.counted else None))
    for note in series.notes:
        run.emit(FileNote(source.name, note))
    run.emit(RowsDone(source.name, series.rows, source.size_bytes))
    if new:
        run.emit(BarsWritten(source.name, "COPY", new, seconds, True))
    run.emit(Committed(source.name, counts, {}))
    run.emit(FileDone(result))
    return result

"""Small files that their checks let pass whole, before anything of them is written. Those that are
alike are checked at once; others one by one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import polars as pl

from loader import bars
from loader.check.unique import MayRepeat, in_order
from loader.errors import MdloadError
from loader.ingest.notes import FileNotes
from loader.ingest.run.hashed import Hashed
from loader.ingest.run.small import alike, patterns
from loader.ingest.run.small.patterns import Pattern, Shown, Small
from loader.ingest.tally import Tally
from loader.lazy import dataclass
from loader.read.formats import read
from loader.results import Note

if TYPE_CHECKING:
    from loader.ingest.run import LoadRun

#: The most files that are checked at a time, and the most rows of each and of all.
MOST: Final = 64
_ROWS: Final = 20_000
_ALL_ROWS: Final = 100_000
#: Bytes of a file that may be small.
_SMALL: Final = 1 << 20
#: The most files of a kind that are checked one by one, if none of them was plain, before it is
#: tried again to check several at once.
_MOST_PASSES: Final = 256
#: Containers of tables that may be alike.
_CONTAINERS: Final = ("parquet", "csv")
_SERIES: Final = {
    **{name: pl.String() for name in bars.SERIES},
    "lo": bars.TS, "hi": bars.TS, "rows": pl.Int64(),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Checked:
    """A small file of which no row is rejected, and none is there twice.

    Attributes:
        counted: its rows, if its container says how many there are.
        skipped: rows that its dialect does not count as bars.
        bars: `bars.SCHEMA`, one row per key, in the order of the series.
        series: `bars.SERIES`; the first and the last ts of each (lo, hi); how many `rows` it has.
        spellings: `spellings.SCHEMA`.
    """

    file: Hashed
    dialect: str
    notes: tuple[Note, ...]
    counted: int | None
    skipped: int
    bars: pl.DataFrame
    series: pl.DataFrame
    spellings: pl.DataFrame


def checked(run: LoadRun, files: Sequence[Hashed]) -> Iterator[Checked]:
    """The first of the files, as far as they are small and pass their checks whole: the next one
    needs a look of its own.

    Raises:
        Cancelled: the load was cancelled.
    """
    smalls, at = _read(run, files), 0
    while at < len(smalls):
        shown = run.shown.setdefault(smalls[at].kind, Shown())
        like = _of_one_kind(smalls[at:]) if shown.passes <= 0 else []
        found = list(_alike(run, shown, files[at:], like))
        if found:
            shown.odd = 0
        else:  # most of the next ones may be as odd as this one
            if like:
                shown.odd, shown.passes = shown.odd + 1, min(2**shown.odd, _MOST_PASSES)
            shown.passes -= 1
            run.stop_if_cancelled()
            own = _by_itself(run, files[at], smalls[at])
            if own is None:
                return
            found = [own]
        yield from found
        at += len(found)


def _read(run: LoadRun, files: Sequence[Hashed]) -> list[Small]:
    """The first of the files, as far as they are small."""
    found: list[Small] = []
    rows = 0
    with suppress(MdloadError):  # its own turn says so
        for file in files[:MOST]:
            small = _small(run, file)
            rows += small.frame.height if small is not None else 0
            if small is None or rows > _ALL_ROWS:
                break
            found.append(small)
    return found


def _small(run: LoadRun, file: Hashed) -> Small | None:
    source = file.source
    if source.size_bytes > _SMALL:
        return None
    with read(source, run.settings.piece_rows) as reading:
        if reading.rows is not None and not 0 < reading.rows <= _ROWS:
            return None
        batches = []
        for batch in reading:
            batches.append(batch)
            if len(batches) > 1 or batch.ragged is not None or batch.frame.height > _ROWS:
                return None
    return Small(source, reading, batches[0]) if batches else None


def _of_one_kind(smalls: Sequence[Small]) -> list[Small]:
    """The first of them, which are of one kind."""
    kind = smalls[0].kind
    other = next((n for n, small in enumerate(smalls) if small.kind != kind), len(smalls))
    return list(smalls[:other])


def _alike(
    run: LoadRun, shown: Shown, files: Sequence[Hashed], smalls: Sequence[Small]
) -> Iterator[Checked]:
    """The first of those `smalls` of one kind, as far as they are plain."""
    may_be = bool(smalls) and smalls[0].reading.container in _CONTAINERS
    if not may_be or not patterns.may_be_alike(run.settings):
        return
    pattern = _pattern(run, shown, smalls[0]) if shown.known or len(smalls) > 1 else None
    if pattern is None:
        return
    try:
        found = alike.plain(smalls, pattern, run.settings)
    except MdloadError:  # their own loads say so
        return
    layout, start, first, rows = pattern.layout, 0, 0, found.bars
    spelled = found.series[found.spelled]
    spelled = spelled.select("provider", pl.col("symbol").alias("source_symbol"), "symbol")
    spelled = spelled.hstack([layout.naming.origins(spelled).alias("convention")])
    each = zip(files, smalls, found.rows, found.counts, found.notes, strict=False)
    for file, small, height, several, notes in each:
        yield Checked(
            file, layout.dialect.name, notes, small.reading.rows, 0, rows[start : start + height],
            found.series[first : first + several], spelled[first : first + several],
        )  # fmt: skip
        start, first = start + height, first + several


def _pattern(run: LoadRun, shown: Shown, first: Small) -> Pattern | None:
    """What the first plain file of the kind has shown, remembered for the run. One that is not
    plain itself may have notes that others must not get."""
    if not shown.known:
        found = patterns.pattern_of(first, run.checking(first.again, first.source), run.settings)
        if found is not None and not _is_plain(first, found, run):
            return None
        shown.known, shown.pattern = True, found
    return shown.pattern


def _is_plain(small: Small, pattern: Pattern, run: LoadRun) -> bool:
    with suppress(MdloadError):
        return bool(alike.plain([small], pattern, run.settings).rows)
    return False


def _by_itself(run: LoadRun, file: Hashed, small: Small) -> Checked | None:
    """The file after its own checks; None if it needs more than to be written."""
    checking = run.checking(small.again, small.source)
    try:
        pieces = list(in_order(checking.pieces()))
    except (MdloadError, MayRepeat):  # its own load says so
        return None
    tally, layout = Tally(), checking.layout
    for piece in pieces:
        tally.add(piece)
    left_out = tally.rejected or tally.duplicate or tally.outside or tally.unread
    if layout is None or len(pieces) != 1 or not tally.symbols or left_out:
        return None
    spelled = tally.spellings
    if spelled is None or spelled.select("provider", "symbol").is_duplicated().any():
        return None
    notes = FileNotes(small.source.name, lambda event: None)
    notes.late = lambda: checking.late_notes
    notes.set_layout(checking.notes, layout.skip, ())
    (piece,) = pieces
    return Checked(
        file, layout.dialect.name, notes.with_part(tally), small.reading.rows, tally.skipped,
        piece.bars.select(*bars.SCHEMA), piece.series.select(*_SERIES), spelled,
    )  # fmt: skip

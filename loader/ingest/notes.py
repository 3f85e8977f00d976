"""The notes on one file: on its layout, and on what was seen in all of its parts."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

import polars as pl

from loader.check import spellings
from loader.check.validate import rounding_notes, skip_notes
from loader.ingest.tally import Tally
from loader.results import Note, noted
from loader.results.events import Event, FileNote
from loader.settings.part import WHOLE, Part


class FileNotes:
    """Notes of one attempt at the file `path`, each emitted once. `part` names symbols that the
    file ought to have.

    Attributes:
        layout: notes on the file's layout, known once its first batch was read.
        late: gives the notes on all bars that were read so far.
    """

    def __init__(self, path: str, emit: Callable[[Event], None], part: Part = WHOLE) -> None:
        self.layout: tuple[Note, ...] = ()
        self.late: Callable[[], tuple[Note, ...]] = tuple
        self._path = path
        self._emit = emit
        self._spellings = pl.DataFrame(schema=spellings.SCHEMA)
        self._rounded = 0
        self._part = part
        self._outside = self._unread = 0
        self._symbols: set[str] = set()
        self._skipped = 0
        self._reasons: Collection[str] = ()

    def set_layout(
        self, notes: Iterable[Note], reasons: Collection[str], emitted: tuple[Note, ...]
    ) -> None:
        """Emits the notes on the layout, unless an earlier attempt did: its notes are `emitted`.
        `reasons` are the layout's for skipping rows."""
        self.layout = tuple(notes)
        self._reasons = reasons
        if emitted[: len(self.layout)] != self.layout:
            self._tell(self.layout)

    def with_part(self, tally: Tally) -> tuple[Note, ...]:
        """All notes so far, with those on the rows of all parts up to this one."""
        if tally.spellings is not None:
            before = self._spellings
            found = tally.spellings
            self._spellings = pl.concat([before, found]).unique() if before.height else found
        self._rounded += tally.rounded
        self._skipped += tally.skipped
        skipped = noted("rows", skip_notes(self._skipped, self._reasons))
        rounded = noted("numbers", rounding_notes(self._rounded))
        self._outside += tally.outside
        self._unread += tally.unread
        self._symbols |= tally.symbols
        outside = noted("rows", outside_notes(self._outside, self._unread))
        absent = noted("symbols", absent_notes(self._part.symbols, self._symbols))
        renamed = spellings.notes(self._spellings) if self._spellings.height else ()
        return (*self.layout, *skipped, *outside, *absent, *rounded, *renamed, *self.late())

    def tell_parts(self, notes: tuple[Note, ...]) -> None:
        """Emits the notes on rows among all `notes` of a file that has ended."""
        self._tell(notes[len(self.layout) :])

    def _tell(self, notes: Iterable[Note]) -> None:
        for note in notes:
            self._emit(FileNote(self._path, note))


def outside_notes(outside: int, unread: int) -> tuple[str, ...]:
    """A note on rows that are not in the part of a file, if there are any; `unread` come on top."""
    if not outside and not unread:
        return ()
    rows = f"{outside + unread:,} rows are" if outside + unread > 1 else "1 row is"
    not_read = f"; {unread:,} of them were not read, by the file's statistics" if unread else ""
    return (f"a part of the file: {rows} outside of it{not_read}",)


def absent_notes(asked: Iterable[str], found: set[str]) -> tuple[str, ...]:
    """A note on symbols without any bar."""
    absent = [symbol for symbol in asked if symbol not in found]
    return (f"no bar is of {', '.join(absent)}",) if absent else ()

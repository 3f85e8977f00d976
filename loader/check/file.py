"""One file up to the database: raw batches in, checked bars out."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from dataclasses import fields, replace

import polars as pl

from loader.check import ragged
from loader.check.guard.jumps import Jumps
from loader.check.layout import unfinished
from loader.check.layout.decide import Layout, check
from loader.check.layout.part import PartOfFile
from loader.check.normalise import Normalised, normalise
from loader.check.recall import Recalled, Record, record
from loader.check.spellings import brought_together, refuse_meeting
from loader.check.table import Table, none_of
from loader.check.validate import CheckedBatch, RuleSettings, validate
from loader.dialects.dialect import Opening
from loader.dialects.own import from_tables
from loader.dialects.recognition import Recognition, recognise
from loader.read.batch import Location, RawBatch
from loader.read.formats import Reading
from loader.read.panics import panics
from loader.read.sources import Source
from loader.results import Note, noted
from loader.settings import Meaning, Settings


def check_settings(settings: Settings) -> None:
    """Raises:
    SettingsError, UnknownDialect: a setting is wrong whatever the files are.
    """
    check(settings.meaning)


def rules_for(meaning: Meaning) -> RuleSettings:
    """What the rules are to allow: each of their settings that is one of the load's too."""
    shared = {each.name for each in fields(RuleSettings)} & {each.name for each in fields(meaning)}
    return RuleSettings(**{name: getattr(meaning, name) for name in shared})


class Checking:
    """Recognises a file and its layout from the first batch, then normalises and validates each
    batch.

    `opening`, `taken` and `layout` are known after the first piece. A file that is `recalled` is
    not recognised again.
    """

    def __init__(
        self,
        reading: Reading,
        source: Source,
        settings: Settings,
        cut_at: int = 0,
        *,
        unlike: str | None = None,
        alone: bool = True,
        recalled: Recalled | None = None,
    ) -> None:
        self.opening: Opening | None = None
        self.taken: Recognition | None = recalled.taken if recalled is not None else None
        self.layout: Layout | None = None
        self._reading = reading
        self._source = source
        self._meaning = settings.meaning
        self._own = from_tables(settings.own_dialects)
        self._rules = rules_for(self._meaning)
        self._cut_at = cut_at
        self._alone = alone
        self._table = Table(source, settings, unlike)
        # Rejected rows that are read again are few of many: they show no steps.
        self._jumps = Jumps(source.name, settings.accept) if recalled is None else None
        self._recalled = recalled
        self._part = PartOfFile(settings.part, reading, source.name) if settings.part else None

    @property
    def notes(self) -> tuple[Note, ...]:
        """How the source is read, and what is known of the layout so far."""
        notes = self.layout.notes if self.layout is not None else ()
        if self.layout is None and (unmatched := self._table.unmatched()) is not None:
            notes = tuple(noted("rows", (unmatched.fault,)))
        return (*noted("reading", self._reading.notes), *notes)

    @property
    def late_notes(self) -> tuple[Note, ...]:
        """What only all of the bars show."""
        return tuple(noted("numbers", self._jumps.notes if self._jumps is not None else ()))

    @property
    def record(self) -> Record | None:
        """How the file is read, for its rejected rows; None if it has no layout."""
        if self.layout is None or self.taken is None:
            return None
        return record(self._meaning, self.taken, self.layout, self._reading)

    def pieces(self) -> Generator[CheckedBatch, None, None]:
        """One `CheckedBatch` per batch; none lies on both sides of raw row `cut_at`.

        Raises:
            ColumnMismatch: nobody asked for any row, and the file is loaded `alone`; or the rows of
                one symbol are of several series; or their prices change their unit midway.
            MdloadError: the file cannot be read or understood.
        """
        with panics(self._source.name):
            yield from self._all_pieces()

    def _all_pieces(self) -> Generator[CheckedBatch, None, None]:
        held: list[CheckedBatch] = []  # without a row that was asked for, until the layout is known
        for piece in self._pieces():
            if self.layout is None:
                held.append(piece)
                continue
            yield from held
            held.clear()
            yield piece
            del piece
        self._table.finish()
        if self._jumps is not None:
            self._jumps.refuse()
        if self.layout is None and self._alone and (none := self._table.unmatched()) is not None:
            raise none
        yield from held
        if self._part is not None:
            yield from self._rest(self._part)

    def _rest(self, part: PartOfFile) -> Iterator[CheckedBatch]:
        """What is to be counted of rows after the last one that was read."""
        if self._alone and self.layout is not None:
            part.refuse_mistyped()
        part.gap()
        if part.passed_by:
            place = Location(self._source.name, 0, 1)
            yield replace(none_of(RawBatch(pl.DataFrame(), place)), unread=part.passed_by)

    def _pieces(self) -> Iterator[CheckedBatch]:
        start_row, asked = 1, self._meaning
        for read in ragged.from_first_fit(iter(self._reading)):
            if self._part is not None:
                start_row += self._part.gap()
            if self.taken is None:
                self.opening = self._opening(ragged.fitting(read))
                self.taken = recognise(self.opening, asked.dialect, asked.provider, self._own)
            odd = ragged.rejected(read, short_rows=self.taken.dialect.short_rows)
            if odd is not None:
                place = replace(read.location, start_row=start_row)
                for checked in self._beside(odd, RawBatch(read.frame, place), self.taken):
                    start_row = checked.last_row + 1
                    yield checked
                continue
            frame = self._table.completed(self.taken.reshape(read.frame), self.taken)
            raw = RawBatch(frame, replace(read.location, start_row=start_row))
            if raw.frame.is_empty():  # more lines of a header, and no bar yet
                continue
            start_row += raw.frame.height
            if self.layout is None:
                self.layout = self._decided(raw, self.taken)
                if self._part is not None and self.layout is not None:
                    self._part.narrow(self.layout, raw.frame, read.frame)
            cut = _cut(raw, self._cut_at)
            del read, frame, raw
            for batch in cut:
                if self.layout is None:
                    yield none_of(batch)
                else:
                    yield self._checked(batch, self.layout)
            del batch, cut

    def _decided(self, first: RawBatch, taken: Recognition) -> Layout | None:
        reading, recalled = self._reading, self._recalled
        around = recalled.around if recalled is not None else reading.around
        delimiter = reading.metadata.get("delimiter", "")
        layout = self._table.decide(first, taken, around, delimiter)
        if layout is not None and recalled is not None:
            recalled.insist(layout)
        if layout is not None:
            unfinished.refuse_none_finished(first.frame, layout.skip, first.location.source)
        return layout

    def _checked(self, batch: RawBatch, layout: Layout) -> CheckedBatch:
        """Raises:
        SymbolCollision: the symbol map brings two securities together.
        """
        normalised = normalise(batch, layout)
        checked = self._within(batch, normalised)
        self._table.look(batch, checked.good, layout)
        if self._jumps is not None:
            self._jumps.look(checked.good)
        checked = replace(
            checked,
            others=self._table.others(batch, layout),
            prefers=layout.dialect.prefers,
            restarts=self._table.restarts(batch, layout),
        )
        if self._meaning.symbol_map is None:
            return checked
        together = brought_together(checked.spellings)
        if together.height:
            rows = checked.good["row_number"] - batch.location.start_row
            spelled = normalised.source_symbols.gather(rows).alias("source_symbol")
            refuse_meeting(checked.good.with_columns(spelled), together)
        return checked

    def _within(self, batch: RawBatch, normalised: Normalised) -> CheckedBatch:
        """The batch after the rules, without the rows that are not in the part."""
        if self._part is None:
            return validate(batch, normalised, self._rules, for_server=True)
        outside = self._part.outside(normalised.bars)
        rows = int(outside.sum())
        skipped = outside if normalised.skipped is None else normalised.skipped | outside
        normalised = replace(normalised, skipped=skipped)
        checked = validate(batch, normalised, self._rules, for_server=True)
        return replace(checked, skipped=checked.skipped - rows, outside=rows)

    def _beside(
        self, odd: pl.DataFrame, read: RawBatch, taken: Recognition
    ) -> Iterator[CheckedBatch]:
        """A batch in which some rows have more or fewer cells than columns."""
        place, start = read.location, read.location.start_row
        named = taken.named(read.frame)
        sound = self._table.completed(taken.reshape(ragged.others(read.frame, odd)), taken)
        if self.layout is None:
            self.layout = self._decided(RawBatch(sound, place), taken)
        skip = self.layout.skip if self.layout is not None else {}
        numbers, lost = ragged.numbered(named, odd, sound.height, start, skip)
        end = start + sound.height + odd.height - 1
        for first, last in _spans(start, end, self._cut_at):
            here = numbers.is_between(first, last)
            part = RawBatch(sound.filter(here), replace(place, start_row=first))
            checked = self._checked(part, self.layout) if self.layout else none_of(part)
            own = lost.filter(pl.col("row_number").is_between(first, last))
            woven = ragged.woven(checked, numbers.filter(here), own, first)
            yield replace(woven, last_row=last)

    def _opening(self, first: pl.DataFrame) -> Opening:
        reading = self._reading
        return Opening(
            name=self._source.name,
            path=self._source.full_path,
            container=reading.container,
            first=first,
            header=reading.header,
            place=reading.place,
            metadata=reading.metadata,
        )


def _spans(start: int, end: int, after: int) -> list[tuple[int, int]]:
    """The rows from `start` to `end`, split after row `after` if it is among them."""
    return [(start, after), (after + 1, end)] if start <= after < end else [(start, end)]


def _cut(batch: RawBatch, after: int) -> Iterable[RawBatch]:
    """The batch, split after raw row `after` if it is inside."""
    first = after - batch.location.start_row + 1
    if not 0 < first < batch.frame.height:
        return [batch]
    place = batch.location
    rest = Location(place.source, place.batch, place.start_row + first)
    return [RawBatch(batch.frame[:first], place), RawBatch(batch.frame[first:], rest)]

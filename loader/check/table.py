"""A file's table as the person sees it: its own columns, those of its folders and name, and only
the rows that were asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import polars as pl

from loader import bars
from loader.bars.cells import is_clock
from loader.bars.words import constant
from loader.check.instruments import apart
from loader.check.instruments.apart import Others
from loader.check.instruments.lacks import Known, Place
from loader.check.instruments.one_symbol import OneSeries
from loader.check.instruments.per_symbol import PerSymbol
from loader.check.instruments.restarts import Restarts, are_versioned
from loader.check.instruments.unwanted import Unwanted, unknown_symbol
from loader.check.layout import split_clocks
from loader.check.layout.decide import Layout, decide
from loader.check.layout.split_clocks import Split
from loader.check.layout.zone_columns import ZonesSeen
from loader.check.validate import BAD, CheckedBatch
from loader.dialects.dialect import Dialect, fold
from loader.dialects.filenames import PathFacts, read_path
from loader.dialects.known import dialects
from loader.dialects.recognition import PLAIN, Recognition
from loader.errors import ColumnMismatch
from loader.read.batch import RawBatch
from loader.read.sources import Source
from loader.settings import Meaning


class Table:
    """`unlike` is another file of the load, see `loader.dialects.siblings`."""

    def __init__(self, source: Source, meaning: Meaning, unlike: str | None) -> None:
        self._source = source
        self._meaning = meaning
        self._unlike = unlike
        self._path: PathFacts | None = None
        self._candidates: list[str] | None = None
        self._split: Split | None = None
        self._series: OneSeries | PerSymbol | None = None
        self._zones = ZonesSeen(source.name)
        self._unwanted = Unwanted(source.name, meaning.where)

    @property
    def path(self) -> PathFacts:
        """Raises:
        ColumnMismatch: the file's name does not fit the person's pattern.
        """
        if self._path is None:
            source = self._source
            self._path = read_path(source.full_path, source.name, self._meaning.name_pattern)
        return self._path

    def completed(self, frame: pl.DataFrame, taken: Recognition) -> pl.DataFrame:
        """`frame` with the columns that the person names and folders give, and those that several
        make.

        Raises:
            SettingsError, ColumnMismatch: columns cannot be joined.
        """
        path, dialect = self.path, taken.dialect
        columns = self._columns(dialect)
        here = {fold(name) for name in frame.columns}
        names = (*columns.values(), *self._where(dialect))
        named = {fold(part) for name in names for part in (name, *name.split("+"))}
        for key, value in path.columns.items():
            if fold(key) in named - here:
                frame = frame.with_columns(_everywhere(key, value, frame.height))
        lacking = "date" in path.words and "ts" not in columns and not dialect.shapes
        if lacking and _lacks_date(frame):
            frame = frame.with_columns(_everywhere("date", path.words["date"], frame.height))
        if not dialect.shapes:
            if self._split is None:
                self._split = split_clocks.split_of(frame, self._meaning.columns)
            frame = split_clocks.joined(frame, self._split)
        if "symbol" in named - {fold(name) for name in frame.columns}:
            frame = self._with_symbol(frame, taken)
        return apart.composed(frame, columns, self._source.name)

    def _with_symbol(self, frame: pl.DataFrame, taken: Recognition) -> pl.DataFrame:
        """`frame` with a column `symbol` that the person names as a part, of what gives the symbol
        otherwise, if anything does.

        Raises:
            ColumnMismatch: nothing does, and rows are to be selected by it.
        """
        words = [fold(word) for word in taken.dialect.columns.get("symbol", ())]
        there = {fold(name): name for name in frame.columns}
        if found := next((there[word] for word in words if word in there), None):
            return frame.with_columns(pl.col(found).alias("symbol"))
        asked = self._meaning.symbol
        given = self.path.words.get("symbol", asked or taken.facts.get("symbol"))
        if given is not None:
            return frame.with_columns(_everywhere("symbol", given, frame.height))
        wanted = {fold(name): value for name, value in self._where(taken.dialect).items()}
        if "symbol" in wanted:
            raise unknown_symbol(frame, wanted["symbol"], self._source.name)
        return frame

    def _columns(self, dialect: Dialect) -> Mapping[str, str]:
        """The columns that the person names, and those that a dialect joins."""
        joined = {
            each: word
            for each, words in dialect.columns.items()
            for word in words
            if "+" in word.strip("+")
        }
        return {**joined, **self._meaning.columns}

    def _where(self, dialect: Dialect) -> Mapping[str, str]:
        return {**dialect.where, **self._meaning.where}

    def decide(
        self,
        raw: RawBatch,
        taken: Recognition,
        around: tuple[str, ...] = (),
        delimiter: str = "",
    ) -> Layout | None:
        """The layout of the file, by the rows of `raw` that the person asked for; None if there is
        none among them.

        Raises:
            SettingsError, ColumnMismatch: see `loader.check.layout.decide.decide`.
        """
        source, wanted = self._source, self._where(taken.dialect)
        frame = apart.selected(raw.frame, wanted, source.name)
        if frame.is_empty() and not raw.frame.is_empty():
            self._unwanted.add(raw.frame)
            return None
        used = apart.parts_of(frame, self._columns(taken.dialect), source.name)
        used |= {name for name in frame.columns if fold(name) in map(fold, wanted)}
        split = self._split or Split()
        place = Place(source.name, source.full_path, self._unlike)
        known = Known(
            self.path, place, frozenset(used | split.used), around, split.notes, delimiter
        )
        meaning = self._meaning
        if split.clock:
            columns = {"time_of_day": split.time, **meaning.columns}
            stamp = "start" if split.ends else meaning.stamp
            meaning = replace(meaning, columns=columns, stamp=stamp)
        return decide(RawBatch(frame, raw.location), meaning, taken, known)

    def unmatched(self) -> ColumnMismatch | None:
        """What to say of a file of which no row was asked for; None if its folders are why."""
        found = self._unwanted.error()
        in_folders = {fold(key) for key in self.path.columns}
        return None if in_folders & {fold(name) for name in self._meaning.where} else found

    def look(self, batch: RawBatch, good: pl.DataFrame, layout: Layout) -> None:
        """Looks at the `good` bars of a batch for columns that tell several series apart, and at
        those that name zones.

        Raises:
            ColumnMismatch: there is one.
        """
        plan = layout.times
        daily = layout.interval is not None and bars.is_daily(layout.interval)
        if plan.kind == "wall" and not daily and not (plan.form and plan.form.zones):
            self._zones.look(batch.frame, layout.columns.values())
        asked = self._meaning.columns.get("symbol")
        if asked is not None and not _is_other_symbol(asked, layout):
            return
        if self._series is None:
            self._series = self._watch(batch, layout)
        self._series.look(batch.frame, good, batch.location.start_row)

    def finish(self) -> None:
        """To be called once `look` has seen all batches; raises as it does."""
        if isinstance(self._series, PerSymbol):
            self._series.finish()

    def _watch(self, batch: RawBatch, layout: Layout) -> OneSeries | PerSymbol:
        names = apart.candidates(batch.frame, layout.columns, layout.dialect, _IDS)
        split = self._split.used if self._split else frozenset()
        free = {name: batch.frame.schema[name] for name in names if name not in split}
        if "symbol" not in layout.columns:
            return OneSeries(free, layout.columns, self._source.name)
        known = bool(layout.dialect.shapes)  # such a format has other columns for its own reasons
        asked = "symbol" in self._meaning.columns
        return PerSymbol(() if known else free, layout.columns, self._source.name, asked)

    def others(self, batch: RawBatch, layout: Layout) -> Others | None:
        """The columns of a batch that may tell instruments apart."""
        if self._candidates is None:
            where = self._source.name
            parts = apart.parts_of(batch.frame, self._columns(layout.dialect), where)
            self._candidates = apart.candidates(batch.frame, layout.columns, layout.dialect, parts)
        location = batch.location
        return apart.others(
            self._candidates, batch.frame, location.start_row, location.source, layout.columns
        )

    def restarts(self, batch: RawBatch, layout: Layout) -> Restarts | None:
        """What looks for series that begin again; None if the person says where symbols are."""
        if "symbol" in self._meaning.columns:
            return None
        versioned = are_versioned(batch.frame.columns)
        return Restarts(batch.location.source, layout.columns.get("symbol"), versioned)


#: Columns that may number rows, and instruments as well.
_IDS: Final = {"id", "ID", "Id"}


def _is_other_symbol(asked: str, layout: Layout) -> bool:
    """Whether the column `asked` for as the symbol has a name of its own, such as `underlying`. One
    that would be read anyway is named to say that each symbol is one series."""
    words = map(fold, layout.dialect.columns.get("symbol", ()))
    return layout.columns.get("symbol") == asked and fold(asked) not in words


def none_of(batch: RawBatch) -> CheckedBatch:
    """A batch without a row that was asked for: all are skipped."""
    height, start = batch.frame.height, batch.location.start_row
    good = pl.DataFrame(schema={**bars.SCHEMA, "row_number": pl.Int64()})
    spellings = pl.DataFrame(schema=dict.fromkeys(_SPELLED, pl.String()))
    bad = pl.DataFrame(schema=BAD)
    return CheckedBatch(good, bad, {}, spellings, height, start + height - 1)


_SPELLED = ("provider", "source_symbol", "symbol", "convention")


def _everywhere(name: str, value: str, height: int) -> pl.Series:
    return constant(value, height, pl.String()).alias(name)


def _lacks_date(frame: pl.DataFrame) -> bool:
    """Whether the table has no column of times, or only one with times of day."""
    words = {fold(word) for word in dialects()[PLAIN].columns["ts"]}
    times = [name for name in frame.columns if fold(name) in words]
    return all(is_clock(frame[name]) for name in times)

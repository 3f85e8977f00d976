"""What can be said of a dump as data: how to know it, its columns, its times, its symbols."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final, Literal

import polars as pl

from loader import bars
from loader.bars.numbers import PLAIN, NumberFormat

#: Which end of a bar its stamp is. What is stamped with a date is a session's, whichever is said.
Stamp = Literal["start", "end"]
Words = Mapping[str, tuple[str, ...]]
#: Columns that go by the fields' own names.
OHLC: Final[Words] = MappingProxyType({field: (field,) for field in bars.PRICES})
OHLCV: Final[Words] = MappingProxyType({**OHLC, "volume": ("volume",)})
#: A `Shape.name` that no file has: of files that only the person can say are in the dialect.
ONLY_IF_SAID: Final = "(?!)"


@dataclass(frozen=True, slots=True)
class Opening:
    """What is known of a file before its bars are.

    Attributes:
        name: as people know the file, for messages.
        path: its absolute path, with `/` between folders; a member of an archive after `!`.
        container, place, metadata: see `loader.read.formats.Reading`.
        first: its first rows as the reader has them; without a header under `column_1` and so on,
            or once a shape is found under that shape's `positions`.
        facts: what the file's name says (`symbol`, `interval`, `date`, `side` …), see
            `Dialect.names`.
    """

    name: str
    path: str
    container: str
    first: pl.DataFrame
    header: bool = True
    place: str = ""
    metadata: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    facts: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


#: Makes one row per bar of each batch; called for the batches in their order, with all columns.
Reshape = Callable[[pl.DataFrame], pl.DataFrame]


@dataclass(frozen=True, slots=True)
class Shape:
    """One form in which files of a dialect come. A file has it that meets all that is said here.

    Attributes:
        containers: of `loader.read.formats.Reading.container`.
        header: names of columns that the file has, compared folded (see `fold`), in this order.
        exact: whether it has no other columns than `header`.
        named: pattern of the names of all of its columns, each in full.
        positions: the names of the columns of a file that has no header, as many as it has columns.
        place: pattern of the place where a JSON document has the rows, in full.
        name: pattern that is found in the file's path.
        values: column to pattern of (nearly) all of its cells, in full.
        metadata: key of the container's metadata to pattern of its value, in full.
        accept: a last look at what patterns cannot say.
        columns, stamp, time_format, timezone, interval, provider, symbol_convention,
            price_exponent, volume_exponent, numbers, skip, reshape: as in `Dialect`, where it
            differs.
        note: what a person should know of such a file.
    """

    containers: tuple[str, ...] = ("csv",)
    header: tuple[str, ...] = ()
    exact: bool = False
    named: str | None = None
    positions: tuple[str, ...] = ()
    place: str | None = None
    name: str | None = None
    values: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    metadata: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    accept: Callable[[Opening], bool] | None = None
    columns: Words | None = None
    stamp: Stamp | None = None
    time_format: str | None = None
    timezone: str | None = None
    interval: str | None = None
    provider: str | None = None
    symbol_convention: str | None = None
    price_exponent: int | None = None
    volume_exponent: int | None = None
    numbers: NumberFormat | None = None
    skip: Mapping[str, pl.Expr] | None = None
    reshape: Callable[[Opening], Reshape] | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """Files of this provider that are known and hold no bars."""

    shape: Shape
    what: str


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one kind of file says what a bar is.

    Attributes:
        columns: for each bar field, the names that it goes by in such files, best first; compared
            folded (see `fold`). `time_of_day` is no field of a bar: it completes a `ts` that is a
            date only.
        shapes: the forms that such files come in; none for plain tables, which are what is left.
        refused: forms that hold no bars, each with what they hold: "trades", "quotes".
        names: patterns of the file's path, with groups named `symbol`, `interval`, `date`, `side`
            or what `facts` wants. They are no condition; the first that is found counts.
        facts: finishes what the name says, e.g. by the metadata or the first rows. A fact
            `timezone` is that of this file, in place of the dialect's.
        naming: names of fields' columns that differ from file to file; they replace `columns`'.
        remarks: what a person should know of this very file, e.g. that it is cut short.
        left_out: names of columns that are known and are no part of a bar, each with the reason.
        provider: the name under which bars are stored, with facts in braces: `dukascopy-{side}`;
            by default the dialect's own.
        symbol_convention: a name in `loader.bars.conventions.CONVENTIONS`.
        stamp: whether a stamp is the start or the end of its bar; None where the person must say.
        time_format: strptime's, or the unit of numbers; None where the values show it.
        timezone: zone of naive stamps, and of the sessions of daily bars; None where the file or
            the person must say.
        interval: of files that say it nowhere.
        intervals: the dialect's words for intervals (in names and columns), where they are not
            those of `loader.bars.parse_interval`.
        price_exponent: prices are the file's numbers times ten to this power; None where it depends
            on the instrument: the fact `price_exponent` says it, else the person must.
        volume_exponent: likewise; 2 where the file counts lots of 100.
        numbers: how numbers in text are written, where it is not the plain way.
        skip: rows that are no bars, by the reason: a boolean expression over the file's columns.
        reshape: see `Reshape`.
        short_rows: whether a row may leave off empty cells at its end. Otherwise a row with fewer
            cells than the header is a reject, because nobody can know which one is missing.
        volume: the unit of the volume, for people.
        adjusted: what prices are adjusted for, for people.
        traps: what a person should know before trusting such a file.
        source: where the facts come from.
    """

    name: str
    title: str
    columns: Words
    shapes: tuple[Shape, ...] = ()
    refused: tuple[Refused, ...] = ()
    names: tuple[str, ...] = ()
    facts: Callable[[Opening], Mapping[str, str]] | None = None
    naming: Callable[[Opening], Words] | None = None
    remarks: Callable[[Opening], tuple[str, ...]] | None = None
    left_out: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    provider: str | None = None
    symbol_convention: str = "plain"
    stamp: Stamp | None = "start"
    time_format: str | None = None
    timezone: str | None = None
    interval: str | None = None
    intervals: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    price_exponent: int | None = 0
    volume_exponent: int = 0
    numbers: NumberFormat = PLAIN
    skip: Mapping[str, pl.Expr] = field(default_factory=lambda: MappingProxyType({}))
    reshape: Callable[[Opening], Reshape] | None = None
    short_rows: bool = False
    volume: str = ""
    adjusted: str = ""
    traps: tuple[str, ...] = ()
    source: str = ""

    def of(self, shape: Shape) -> Dialect:
        """The dialect as it is for files of one of its shapes."""
        return replace(
            self,
            columns=shape.columns or self.columns,
            stamp=shape.stamp or self.stamp,
            time_format=shape.time_format or self.time_format,
            timezone=shape.timezone or self.timezone,
            interval=shape.interval or self.interval,
            provider=shape.provider or self.provider,
            symbol_convention=shape.symbol_convention or self.symbol_convention,
            price_exponent=(
                self.price_exponent if shape.price_exponent is None else shape.price_exponent
            ),
            volume_exponent=(
                self.volume_exponent if shape.volume_exponent is None else shape.volume_exponent
            ),
            numbers=shape.numbers or self.numbers,
            skip=self.skip if shape.skip is None else shape.skip,
            reshape=shape.reshape or self.reshape,
        )

    def said_by_name(self, path: str) -> dict[str, str] | None:
        """What the path says by the first of `names` that is found in it; None if none is."""
        for pattern in self.names:
            if match := re.search(pattern, path):
                return {key: text for key, text in match.groupdict().items() if text}
        return None


def fold(name: str) -> str:
    """A column name as it is compared: `Adj Close`, `adj_close` and `AdjClose` are one."""
    return "".join(c for c in name.strip().lower() if c not in " _-.\ufeff")

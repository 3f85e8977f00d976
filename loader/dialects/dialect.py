"""A dialect describes a vendor's files as data: recognition, columns, times, symbols."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import field, replace
from functools import lru_cache
from types import MappingProxyType
from typing import Final, Literal

import polars as pl

from loader import bars
from loader.bars.numbers import PLAIN, NumberFormat
from loader.lazy import dataclass

#: Which end of its bar a timestamp marks. A date names a session, whichever end is given.
Stamp = Literal["start", "end"]
Words = Mapping[str, tuple[str, ...]]
#: Columns with the same names as the bar fields.
OHLC: Final[Words] = MappingProxyType({field: (field,) for field in bars.PRICES})
OHLCV: Final[Words] = MappingProxyType({**OHLC, "volume": ("volume",)})
#: A `Shape.name` that matches no path: only `--dialect` selects such a shape.
ONLY_ON_REQUEST: Final = "(?!)"


@dataclass(frozen=True, slots=True)
class Opening:
    """What is known about a file before its bars are read.

    Attributes:
        name: the file's name in messages.
        path: its absolute path, with `/` between folders; an archive member follows `!`.
        container, place, metadata: see `loader.read.formats.Reading`.
        first: its first rows as the reader returns them. Columns without a header are called
            `column_1` and so on, until a shape names them by its `positions`.
        facts: values from the file's name (`symbol`, `interval`, `date`, `side` …), see
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


#: Turns a batch into one row per bar. Batches arrive in file order, with all their columns.
Reshape = Callable[[pl.DataFrame], pl.DataFrame]


@dataclass(frozen=True, slots=True)
class Shape:
    """One form that files of a dialect take. A file has this shape if it meets every condition.

    Attributes:
        containers: of `loader.read.formats.Reading.container`.
        header: columns that the file must have; names are compared folded (see `fold`).
        exact: whether the file must have exactly the columns of `header`, in that order.
        named: pattern that every column name must match in full.
        positions: column names for a file without a header, one for each of its columns.
        place: pattern that the place of the rows in a JSON document must match in full.
        name: pattern to find in the file's path.
        values: column to the pattern that nearly all of its cells must match in full.
        metadata: key of the container's metadata to the pattern its value must match in full.
        accept: a final condition that patterns cannot express.
        columns, stamp, time_format, timezone, interval, provider, symbol_convention,
            price_exponent, volume_exponent, numbers, skip, reshape: override those of `Dialect`
            where set.
        note: shown to the person for every such file.
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
    """Known files of this provider that hold something other than bars."""

    shape: Shape
    what: str


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one kind of file represents bars.

    Attributes:
        columns: for each bar field, the column names it can have in such files, best first;
            compared folded (see `fold`). `time_of_day` is an extra entry: it completes a `ts` that
            holds only a date.
        shapes: the forms that such files take; empty for plain tables, the fallback.
        refused: forms without bars, each with its content: "trades", "quotes".
        names: patterns to find in the file's path, with groups named `symbol`, `interval`, `date`,
            `side` or others that `facts` uses. A file need not match any; the first match counts.
        facts: completes the facts from the name, e.g. from the metadata or the first rows. A fact
            `timezone` overrides the dialect's for this file.
        naming: column names that differ from file to file; they override `columns`.
        remarks: warnings about this particular file, e.g. that the answer is incomplete.
        left_out: known columns that are not stored, each with the reason.
        provider: the name under which bars are stored, with facts in braces: `dukascopy-{side}`;
            by default the dialect's name.
        symbol_convention: a name in `loader.bars.conventions.CONVENTIONS`.
        stamp: whether a timestamp marks the start or the end of its bar; None if the person must
            choose.
        midnight_ends: whether a daily bar is stamped with the midnight at its end, UTC.
        time_format: a strptime format, or the unit of numeric times; None if the values show it.
        timezone: zone of timestamps without an offset, and of the sessions of daily bars; None if
            the file or the person must supply it.
        interval: for files that do not contain it.
        intervals: the dialect's words for intervals (in names and columns), if
            `loader.bars.parse_interval` does not know them.
        price_exponent: prices are the file's numbers times ten to this power; None if it depends on
            the instrument. Then the fact `price_exponent` supplies it, or else the person must.
        volume_exponent: the same for volumes; 2 if the file counts lots of 100.
        numbers: how numbers are written in text, if not plainly.
        skip: rows that are not bars, by reason: a boolean expression over the file's columns.
        where: column to the value that a row of the file must have; `|` stands between several.
        prefers: of two rows for one bar the one with the greater values of these expressions over
            `bars.SCHEMA` is kept, the first expression first; null is least. Of equals the last row
            in the file wins.
        reshape: see `Reshape`.
        short_rows: whether a row may omit empty cells at its end. Otherwise a row with fewer cells
            than the header is rejected, because nobody can know which cell is missing.
        volume: the unit of the volume, as text for people.
        adjusted: what prices are adjusted for, as text for people.
        traps: what a person should know before trusting such a file.
        source: the evidence for these facts.
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
    midnight_ends: bool = False
    time_format: str | None = None
    timezone: str | None = None
    interval: str | None = None
    intervals: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    price_exponent: int | None = 0
    volume_exponent: int = 0
    numbers: NumberFormat = PLAIN
    skip: Mapping[str, pl.Expr] = field(default_factory=lambda: MappingProxyType({}))
    where: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    prefers: tuple[pl.Expr, ...] = ()
    reshape: Callable[[Opening], Reshape] | None = None
    short_rows: bool = False
    volume: str = ""
    adjusted: str = ""
    traps: tuple[str, ...] = ()
    source: str = ""

    def for_shape(self, shape: Shape) -> Dialect:
        """The dialect with the overrides of one of its shapes."""
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

    def provider_of(self, facts: Mapping[str, str]) -> tuple[str | None, str]:
        """The provider of bars with these facts, None if they do not say enough or tables are
        plain; and the end of it that keeps markets apart: `-um` of `binance-um`, else nothing."""
        if not self.shapes:
            return None, ""
        template = self.provider or self.name
        try:
            whole = template.format_map(facts)
        except KeyError:
            return None, ""
        constant, brace, _ = template.partition("{")
        if not brace and template.startswith(f"{self.name}-"):
            constant = self.name
        constant = constant.rstrip("-")
        return whole, whole[len(constant) :] if constant else ""

    def facts_from_path(
        self, path: str, search: Callable[[str, str], re.Match[str] | None] = re.search
    ) -> dict[str, str] | None:
        """The groups of the first of `names` found in `path`; None if none is found."""
        for pattern in self.names:
            if match := search(pattern, path):
                return {key: text for key, text in match.groupdict().items() if text}
        return None


@lru_cache(maxsize=20_000)
def fold(name: str) -> str:
    """A column name for comparison: `Adj Close`, `adj_close` and `AdjClose` give the same."""
    return "".join(c for c in name.strip().lower() if c not in " _-.\ufeff")

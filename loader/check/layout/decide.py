"""The meaning of a file's columns, decided once: from its first batch and the person's options."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import polars as pl

from loader.bars import cells, names
from loader.bars.names import Naming, known_convention
from loader.bars.numbers import NumberFormat
from loader.bars.times import closings, edges, settle, stamps
from loader.bars.times import plan as timeplan
from loader.bars.times.stamps import Stamps, TimePlan
from loader.bars.times.zones import parse_zone
from loader.bars.words import Words, constant
from loader.check.instruments.apart import unselected
from loader.check.instruments.asked import check_fields
from loader.check.instruments.contracts import month_notes
from loader.check.instruments.hints import ASKED, Hint, hinted_interval, parse_interval
from loader.check.instruments.lacks import Known, Place
from loader.check.instruments.lacks import refuse as lacks_refused
from loader.check.instruments.one_symbol import refuse_several_symbols
from loader.check.layout import clocks, fills, intervals, scales, unfinished, units
from loader.check.layout.columns import Columns, choose
from loader.check.layout.doubts import refuse_doubtful_times
from loader.check.layout.fills import Fill
from loader.check.layout.second_times import refuse_other_days
from loader.check.layout.zone_columns import refuse_other_zones
from loader.dialects.dialect import Dialect, Stamp
from loader.dialects.known import known_dialect
from loader.dialects.own import from_tables
from loader.dialects.patterns import expression
from loader.dialects.recognition import PLAIN, Recognition, plain
from loader.errors import ColumnMismatch
from loader.lazy import dataclass
from loader.read.batch import RawBatch
from loader.results import Note, noted
from loader.settings import Meaning


@dataclass(frozen=True, slots=True)
class Layout:
    """How to turn the rows of one file into bars.

    Attributes:
        columns: bar field (and `time_of_day`) to column name.
        provider, symbol, interval: what fills empty cells, or all rows where there is no column.
        times: how the times are read, and `stamp` which end of a bar they are.
        midnight_ends: the intervals of which the ends are the midnights after.
        price_exponent, volume_exponent: powers of ten that the file's numbers are multiplied by.
        numbers: how numbers are written, the same for all columns.
        marked: columns of times and numbers in which a spreadsheet has marked cells as text.
        skip: rows that are not bars, by the reason; see `Dialect.skip`.
        naming: how the symbols are made of their spellings.
        notes: what a person should know: inferences, columns left out, hints that were overruled.
    """

    dialect: Dialect
    columns: Mapping[str, str]
    provider: str | None
    symbol: str | None
    interval: str | None
    times: TimePlan
    stamp: Stamp
    midnight_ends: frozenset[str]
    price_exponent: int
    volume_exponent: int
    numbers: NumberFormat
    marked: tuple[str, ...]
    skip: Mapping[str, pl.Expr]
    naming: Naming
    notes: tuple[Note, ...]


def check(meaning: Meaning) -> None:
    """Checks the options as far as possible before any file is opened.

    Raises:
        UnknownDialect: there is no dialect of the name given.
        SettingsError: an option is blank, or is not an interval, time zone, field or format; or a
            table of the person's own dialects is wrong.
    """
    dialect = _named(meaning)
    known_convention(meaning.symbol_convention or dialect.symbol_convention)
    fills.check_word("provider", meaning.provider)
    fills.check_word("symbol", meaning.symbol)
    if meaning.interval is not None:
        parse_interval(Hint(meaning.interval, ASKED), dialect.intervals)
    if meaning.timezone is not None:
        parse_zone(meaning.timezone)
    timeplan.check_format(meaning.time_format)
    cells.check_marks(meaning.decimal, meaning.thousands)
    check_fields(meaning.columns)
    if meaning.name_pattern is not None:
        expression(meaning.name_pattern)


def _named(meaning: Meaning) -> Dialect:
    """The dialect that the person names, else that of a plain table."""
    return known_dialect(meaning.dialect or PLAIN, from_tables(meaning.own_dialects))


def decide(
    first: RawBatch,
    meaning: Meaning,
    taken: Recognition | None = None,
    known: Known = Known(),  # noqa: B008 - it is frozen
) -> Layout:
    """The layout of the file that begins with `first`; it holds for all of its batches.

    `meaning` supplies what the file lacks. `taken` is the recognised dialect, which has reshaped
    `first`. Without it the columns must be those of the dialect that the person names, or of a
    plain table. `known` is what is known beside the rows.

    Raises:
        UnknownDialect: there is no dialect of the name given.
        SettingsError: an option is wrong, or is one for several files.
        ProviderUnknown: neither the file nor an option names the provider.
        ColumnMismatch: a column that bars need is absent, doubled, of a type that cannot be one, or
            can be read in two ways.
    """
    frame, where = first.frame, first.location.source
    taken = taken or plain(_named(meaning))
    dialect = taken.dialect
    # What stands around the rows may have become cells of the rows.
    outside = known.around if dialect.reshape is None else ()
    chosen = choose(frame, dialect, meaning.columns, where, outside, known.used)
    columns = chosen.names
    dress = _dress(frame, columns, dialect, meaning, where, known.delimiter)
    frame = dress.frame
    place, own = known.place or Place(where), dialect.provider_of(taken.facts)
    provider = fills.provider(frame, columns, meaning.provider, known.path, *own)
    symbol = fills.symbol(
        frame, columns, meaning.symbol, known.path, taken.facts.get("symbol"), place
    )
    lacks = [fill.lack for fill in (provider, symbol) if fill.lack is not None]
    try:
        layout = _decided(dress, meaning, taken, chosen, known, (provider, symbol), where)
    except ColumnMismatch as error:
        lacks_refused(lacks, place, dialect, error)
        raise
    lacks_refused(lacks, place, dialect)
    return layout


@dataclass(frozen=True, slots=True)
class _Dress:
    """How cells are written: `frame` is without the marks that spreadsheets put into the columns
    `marked`; `column_notes` and `number_notes` say what was found."""

    frame: pl.DataFrame
    marked: tuple[str, ...]
    numbers: NumberFormat
    column_notes: tuple[str, ...]
    number_notes: tuple[str, ...]


def _dress(
    frame: pl.DataFrame,
    columns: Mapping[str, str],
    dialect: Dialect,
    meaning: Meaning,
    where: str,
    delimiter: str,
) -> _Dress:
    marked = cells.protected(frame, columns)
    column_notes = cells.protection_notes(frame, columns, marked)
    frame = cells.bare(frame, marked)
    written, number_notes = cells.number_format_of(
        frame, columns, dialect.numbers, (meaning.decimal, meaning.thousands), where, delimiter
    )
    cells.check_types(frame, columns, written, where)
    return _Dress(frame, marked, written, column_notes, number_notes)


def _decided(
    dress: _Dress,
    meaning: Meaning,
    taken: Recognition,
    chosen: Columns,
    known: Known,
    named: tuple[Fill, Fill],
    where: str,
) -> Layout:
    """`decide`, once the columns are chosen and provider and symbol are named, or found lacking."""
    frame, dialect, columns, (provider, symbol) = dress.frame, taken.dialect, chosen.names, named
    unsaid = meaning.volume_exponent is None and "volume" not in meaning.columns
    if not dialect.shapes and unsaid:
        units.refuse_others(frame, columns, dress.numbers, where)
    clock = tuple(columns[name] for name in ("ts", "time_of_day") if name in columns)
    time_format = meaning.time_format or dialect.time_format
    plan, time_notes = timeplan.plan(frame, clock, time_format, where)
    time_cells = stamps.cells(frame, plan)
    written = stamps.read(time_cells, plan)
    late = stamps.say_24(time_cells, plan, written)
    refuse_doubtful_times(frame, columns, dialect, meaning, plan, written.shown, known.used, where)
    refuse_several_symbols(frame, columns, written.shown, where)
    intervals.refuse_several_intervals(frame, columns, known.used, where)
    hinted, hint_notes = hinted_interval(meaning, taken, known.path)
    interval = intervals.interval(
        frame, columns, hinted, written.shown, where, dialect.intervals,
        intervals.doubts_of(meaning, known),
    )  # fmt: skip
    said = names.intervals(
        names.spelled(frame, columns.get("interval"), interval.value), dialect.intervals
    )
    zone, zone_notes = clocks.zone(clock[0], plan, meaning, dialect, where)
    if plan.kind == "wall" and plan.zone is None and names.daily(said) is not True:
        refuse_other_zones(frame, columns, written.shown, zone, meaning, where)
    plan, settled_notes = settle.settled(
        plan,
        written,
        said.rows,
        daily=_column(names.daily(said), frame.height),
        zone=zone,
        asked=meaning.timezone is not None,
        own_zone=clocks.own_zone(frame.schema[clock[0]]),
        are_ends=(meaning.stamp or (dialect.stamp if dialect.shapes else None)) == "end",
        where=where,
    )
    price_exponent = scales.chosen(meaning.price_exponent, dialect.price_exponent, where)
    volume_exponent = scales.chosen(meaning.volume_exponent, dialect.volume_exponent, where)
    if price_exponent == 0 and meaning.price_exponent is None:
        scales.refuse_fixed_point(frame, columns, dress.numbers, where)
    clocks.refuse_ends_by_name(clock[0], meaning, dialect, where)
    stamp, after, stamp_notes = _stamp(meaning, dialect, plan, written, said, where, late)
    if not dialect.shapes and "ts" not in meaning.columns and (said.distinct == "1d").all():
        days = stamps.starts(written, plan, True).ts.dt.offset_by("-1d" if after else "0d")
        refuse_other_days(frame, columns, dialect, days, known.used, where)
    skip = {} if meaning.keep_skipped else unfinished.skipped(dialect, frame, columns)
    skip = {**skip, **unselected(frame, {**dialect.where, **meaning.where}, where)}
    convention = known_convention(meaning.symbol_convention or dialect.symbol_convention)
    keys = (*_symbol_notes(frame, columns), *provider.notes, *symbol.notes)
    if not dialect.shapes and "symbol" not in columns and known.place is not None:
        keys += month_notes(known.place.path, written.shown, symbol.value)
    notes = (
        *taken.notes, *noted("columns", (*chosen.notes, *dress.column_notes)), *noted("key", keys),
        *noted("times", known.times + time_notes), *noted("interval", hint_notes + interval.notes),
        *noted("times", zone_notes + settled_notes),
        *noted("numbers", (*dress.number_notes, *scales.notes(price_exponent, volume_exponent))),
        *noted("times", stamp_notes),
    )  # fmt: skip
    return Layout(
        dialect=dialect,
        columns=MappingProxyType(dict(columns)),
        provider=provider.value,
        symbol=symbol.value,
        interval=interval.value,
        times=plan,
        stamp=stamp,
        midnight_ends=after,
        price_exponent=price_exponent,
        volume_exponent=volume_exponent,
        numbers=dress.numbers,
        marked=dress.marked,
        skip=skip,
        naming=Naming(convention, meaning.symbol_map),
        notes=notes,
    )


def _stamp(
    meaning: Meaning,
    dialect: Dialect,
    plan: TimePlan,
    written: Stamps,
    intervals: Words,
    where: str,
    late: bool,
) -> tuple[Stamp, frozenset[str], tuple[str, ...]]:
    """Which end of a bar its time is, the intervals of which the ends are the midnights after, and
    notes. `late`: some of the first batch's times have 24:00."""
    own = frozenset(("1d",) if dialect.midnight_ends else ())
    plain = meaning.stamp is None and not dialect.shapes and dialect.stamp is not None
    if not plain and (meaning.stamp != "end" or own):
        stamp, notes = edges.said(meaning.stamp or dialect.stamp, intervals.rows, where)
        return stamp, own, notes
    begun = stamps.starts(written, plan, names.daily(intervals)).ts
    if plain:
        stamp, notes = edges.shown(plan, written, begun, intervals, where, late=late)
        if not late:
            return stamp, own, notes
    else:
        stamp, notes = edges.said(meaning.stamp, intervals.rows, where)
    after, more = closings.midnight_ends(plan, written, begun, intervals.rows, late=late)
    return stamp, after, notes + more


def _symbol_notes(frame: pl.DataFrame, columns: Mapping[str, str]) -> tuple[str, ...]:
    if "symbol" not in columns or not frame.schema[columns["symbol"]].is_integer():
        return ()
    return (f"symbols in {columns['symbol']!r} are integers: leading zeros, if any, are lost",)


def _column(answer: pl.Series | bool, height: int) -> pl.Series:
    if isinstance(answer, pl.Series):
        return answer
    return constant(answer, height, pl.Boolean())

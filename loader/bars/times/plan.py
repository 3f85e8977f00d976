"""Decides from a file's first batch how to read its times. Doubtful times are refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Final

import polars as pl

from loader.bars.numbers import is_text, to_count, to_float
from loader.bars.times import dress, epochs, formats, forms, zonewords
from loader.bars.times.forms import Form
from loader.bars.times.stamps import Kind, TimePlan, cells_of, clock_of
from loader.errors import ColumnMismatch, SettingsError
from loader.lazy import dataclass, regex

_SAMPLE: Final = 2_000
_DIGITS: Final = r"^[+-]?[0-9]+(\.0*)?$"
_DECIMALS: Final = r"^[0-9]{5}\.[0-9]+$"
#: Numbers without a clock, and the names of columns of years.
_DAYS: Final = ("YYYY", "YYYYMMDD")
_YEARS: Final = regex("(?i)(calendar)?[ _]?(years?|yyyy|yr)|(trade[ _]?)?date|period|Jahr|année|年")
_ANOTHER: Final = "name the right column: --column ts=NAME"


@dataclass(frozen=True, slots=True)
class Subject:
    """The times in `columns` of the file `where`, as the subject of an error's sentence."""

    columns: tuple[str, ...]
    where: str

    def wrong(self, problem: str, *, hint: str) -> ColumnMismatch:
        names = [f"column {n!r}" if n.strip() else "a column without a name" for n in self.columns]
        sentence = f"the times in {' and '.join(names)} {problem}"
        return ColumnMismatch.at(self.where, sentence, column=self.columns[0], hint=hint)


#: A plan, and what a person should know about it.
Planned = tuple[TimePlan, tuple[str, ...]]


def plan(
    frame: pl.DataFrame, columns: tuple[str, ...], time_format: str | None, where: str
) -> Planned:
    """The plan, still without a zone, for the times in `columns` of a file's first batch.

    Raises:
        ColumnMismatch: they are not times, or can be read in two ways.
        SettingsError: `time_format` is neither a unit of numbers nor a strptime format.
    """
    what = Subject(columns, where)
    clock = clock_of(frame, columns)
    cells = cells_of(frame, columns, clock)
    dtype = cells.dtype
    if isinstance(dtype, pl.Date | pl.Datetime):
        kind: Kind = "date"
        if isinstance(dtype, pl.Datetime):
            kind = "instant" if dtype.time_zone else "wall"
        typed = f"column {columns[0]!r} is not text: --time-format is not applied to it"
        return TimePlan(columns, kind), (typed,) if time_format is not None else ()
    if not (dtype.is_numeric() or is_text(dtype) or dtype == pl.Null):
        raise what.wrong(f"are of type {dtype}, which is not a type of times", hint=_ANOTHER)
    filled = _filled(cells)
    if len(cells) and not len(filled):
        raise what.wrong(f"are empty in the first {len(cells):,} rows", hint=_ANOTHER)
    if not len(filled):
        return TimePlan(columns, "wall"), ()
    made, notes = _untyped(columns, filled, time_format, what)
    unit = {"s": "seconds since midnight", "day": "fractions of a day"}.get(clock or "")
    return replace(made, clock=clock), (*notes, f"times of day are {unit}") if unit else notes


def _filled(cells: pl.Series) -> pl.Series:
    """The cells, which are trimmed, without those that are empty; a date and a time of day that
    both are leave the blank between them."""
    if is_text(cells.dtype) and ((cells == "") | (cells == " ")).any():
        cells = cells.filter((cells != "") & (cells != " "))
    return cells.drop_nulls() if cells.null_count() else cells


def _untyped(
    columns: tuple[str, ...], filled: pl.Series, time_format: str | None, what: Subject
) -> Planned:
    if time_format == "excel":
        return _serials(columns, filled, what)
    if time_format in epochs.UNITS:
        return TimePlan(columns, "instant", numbers=time_format), ()
    if time_format == "%Y":
        return TimePlan(columns, "date", numbers="YYYY"), ()
    if time_format is not None:
        return _custom(columns, filled.cast(pl.String), time_format, what)
    if filled.dtype.is_numeric() or _mostly_digits(filled):
        return _numbers(columns, filled, what)
    return _text(columns, filled, what)


def _serials(columns: tuple[str, ...], filled: pl.Series, what: Subject) -> Planned:
    days = to_float(filled)
    if days.null_count() * 2 > len(filled):
        raise what.wrong(f"are not days of a spreadsheet, e.g. {filled[0]!r}", hint=_ANOTHER)
    whole = (days == days.floor()).all()
    return TimePlan(columns, "date" if whole else "wall", numbers="excel"), ()


def _mostly_digits(filled: pl.Series) -> bool:
    if filled.cast(pl.Float64, strict=False).null_count() * 2 >= len(filled):  # dates; quicker
        return False
    numbers = filled.str.contains(_DIGITS) | filled.str.contains(_DECIMALS)
    return int(numbers.sum()) * 2 > len(filled)


def _numbers(columns: tuple[str, ...], filled: pl.Series, what: Subject) -> Planned:
    number = to_count(filled)
    kinds = epochs.kinds(number)
    kind = max(kinds, key=lambda k: kinds[k])
    if not kinds[kind] and (days := to_float(filled)).is_between(*epochs.SERIALS).all():
        shown = epochs.serials(days).dt.to_string("%Y-%m-%d")[0]
        raise what.wrong(
            f"are numbers such as {filled[0]}, which may be a spreadsheet's days ({shown})",
            hint=f"if they are: --time-format excel; else {_ANOTHER}",
        )
    if not kinds[kind]:
        raise what.wrong(
            f"are numbers such as {filled[0]}, neither dates nor times since 1970",
            hint=f"{_ANOTHER}; or say what they are: --time-format s (ms, us, ns, excel, %Y%m%d…)",
        )
    if kind == "YYYYMMDDHHMM":
        raise what.wrong(
            f"are numbers such as {filled[0]}: YYYYMMDDHHMM, or milliseconds of 1976?",
            hint="say which: --time-format %Y%m%d%H%M, or --time-format ms",
        )
    if kind == "YYYY" and not _YEARS.fullmatch(columns[0]):
        raise what.wrong(
            f"are numbers such as {filled[0]}, which may be years",
            hint=f"if they are: --time-format %Y; else {_ANOTHER}",
        )
    if kind != "epoch":
        note = f"times are numbers {kind}"
        return TimePlan(columns, "date" if kind in _DAYS else "wall", numbers=kind), (note,)
    units = {unit: count for unit, count in epochs.units(number).items() if count}
    shares = [f"{unit} ({count / len(filled):.1%})" for unit, count in units.items()]
    note = f"times are numbers since 1970 in {' and '.join(shares if len(units) > 1 else units)}"
    return TimePlan(columns, "instant", numbers="epoch"), (note,)


def _custom(
    columns: tuple[str, ...], filled: pl.Series, time_format: str, what: Subject
) -> Planned:
    check_format(time_format)
    form = formats.custom(time_format)
    try:
        reading = forms.read(filled, form)
    except pl.exceptions.PolarsError:
        raise _no_format(time_format) from None
    if reading.wall.null_count() * 2 > len(filled):
        raise what.wrong(
            f"do not fit --time-format {time_format!r}: {filled[0]!r}",
            hint="the words of strptime: %Y-%m-%d %H:%M:%S, %d-%b-%y, %I:%M %p, %z",
        )
    return _of_form(columns, form, reading.offset)


def check_format(time_format: str | None) -> None:
    """Raises:
    SettingsError: it is neither a unit of numbers nor a strptime format.
    """
    known = time_format is None or time_format in epochs.UNITS
    if not known and not formats.is_format(str(time_format)):
        raise _no_format(str(time_format))


def _no_format(time_format: str) -> SettingsError:
    return SettingsError(
        f"{time_format!r} is not a strptime format of a time",
        option="--time-format",
        hint="for example '%d.%m.%Y %H:%M', or s, ms, us, ns for numbers",
    )


def _text(columns: tuple[str, ...], filled: pl.Series, what: Subject) -> Planned:
    sample = filled.gather_every(max(1, len(filled) // _SAMPLE))
    form, share = forms.likeliest(sample)
    if (form is None or share < 0.5) and (word := zonewords.unclear(sample)) is not None:
        raise what.wrong(
            f"end with {word!r}, which is not the name of one zone: {filled[0]!r}",
            hint=f"say how the rest is written, and the zone: --time-format "
            f"'{_rest_format(sample)} %Z' --timezone {' (or '.join(zonewords.meanings(word))})",
        )
    if form is None or share < 0.5:
        raise what.wrong(
            f"have no form that is known: {filled[0]!r}",
            hint=f"say how they are written: --time-format '%d.%m.%Y %H:%M'; or {_ANOTHER}",
        )
    notes: tuple[str, ...] = ()
    if short := forms.short_years(form):
        form, notes = _short_year(short, filled, what)
    elif (day_first := forms.twin(form)) is not None:
        form, notes = _ordered(form, day_first, filled, what)
    form = forms.by_use(form, sample)
    if form.zones:
        reading = forms.read(filled, form)
        _refuse_out_of_season(filled, form, reading, what)
        plan, more = _of_form(columns, form, reading.offset)
    else:
        plan, more = _of_form(columns, form, forms.offsets(filled, form))
    if form.dressed and dress.are_of_republic(filled):
        more = (*more, "years are those of the Republic of China: 113 is 2024")
    return plan, notes + more


def _rest_format(sample: pl.Series) -> str:
    """The format of the texts without the word of a zone at their ends."""
    rest = zonewords.split(dress.undressed(sample))[0].drop_nulls()
    form, _ = forms.likeliest(rest)
    return forms.by_use(form, rest).formats[0] if form is not None else "%Y-%m-%d %H:%M:%S"


def _refuse_out_of_season(
    filled: pl.Series, form: Form, reading: forms.Reading, what: Subject
) -> None:
    text = dress.undressed(filled) if form.dressed else filled
    word = zonewords.out_of_season(reading.wall, zonewords.split(text)[1])
    if word is not None:
        raise what.wrong(
            f"end with {word!r} also where its place has another time: a zone, or a fixed offset?",
            hint=f"say how the rest is written, and the zone: --time-format "
            f"'{form.formats[0]} %Z' --timezone {' (or '.join(zonewords.meanings(word))})",
        )


def _ordered(
    month_first: Form, day_first: Form, filled: pl.Series, what: Subject
) -> tuple[Form, tuple[str, ...]]:
    month, day = forms.order(filled)
    if month == day:
        raise what.wrong(
            f"are such as {filled[0]!r}, and nothing shows which is the month",
            hint=f"say it: --time-format '{month_first.fitting(filled[0])}' "
            f"or '{day_first.fitting(filled[0])}'",
        )
    form = month_first if month > day else day_first
    first, second, year = forms.long_parts(filled)
    _refuse_mixed((year, first, second) if month > day else (year, second, first), filled, what)
    return form, (f"times are {form.name}: {max(month, day):,} values can be nothing else",)


def _short_year(
    short: Mapping[str, Form], filled: pl.Series, what: Subject
) -> tuple[Form, tuple[str, ...]]:
    """The form whose order is the only one that fits the values: months up to 12, days up to 31, no
    bars once a year on a day within a month; or else the only one in which times run one way."""
    parts = forms.parts(filled)
    orders = {order: [parts[order.index(part)] for part in "YMD"] for order in short}
    fits = [order for order, days in orders.items() if dress.are_days(*days)]
    if len(fits) > 1:
        fits = [order for order in fits if dress.run_one_way(*orders[order])] or fits
    if len(fits) == 1 and dress.may_be_of_republic(what.columns[0], fits[0], orders[fits[0]][0]):
        raise what.wrong(
            f"are such as {filled[0]!r}: years of our era, or of the Republic of China?",
            hint="write them in our era, with four digits; if they are: --time-format '%y/%m/%d'",
        )
    if len(fits) != 1:
        formats = (short[order].fitting(filled[0]) for order in (fits or short))
        raise what.wrong(
            f"are such as {filled[0]!r}, and nothing shows which is the month",
            hint="say it: --time-format " + " or ".join(f"'{each}'" for each in formats),
        )
    form = short[fits[0]]
    _refuse_mixed(orders[fits[0]], filled, what)
    return form, (f"times are {form.name}: in another order they do not fit",)


def _refuse_mixed(days: Sequence[pl.Series], filled: pl.Series, what: Subject) -> None:
    """`days` are the years, months and days of the dates."""
    if dress.are_mixed(*days):
        raise what.wrong(
            f"are such as {filled[0]!r}, and run one way only if the month stands first in some "
            "and the day in others: a spreadsheet may have swapped them where it could",
            hint="write all dates alike, as YYYY-MM-DD; if they are right, sort the rows by time",
        )


def _of_form(columns: tuple[str, ...], form: Form, offset: pl.Series | None) -> Planned:
    """Times that all have the offset zero are instants: a `Z` says nothing of a session's date."""
    if form.clock and len(form.zones) == 1:
        ((_, zone),) = form.zones
        note = f"times are {zone}, as their cells say"
        return TimePlan(columns, "wall", form, zone=zone), (note,)
    if offset is None:
        return TimePlan(columns, "wall" if form.clock else "date", form), ()
    local = (offset != timedelta(0)).any()
    return TimePlan(columns, "offset" if local else "instant", form), ()

"""Decides from a file's first batch how to read its times. Doubtful times are refused."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import polars as pl

from loader.bars.numbers import is_blank, is_text, to_count
from loader.bars.times import epochs, forms
from loader.bars.times.forms import Form
from loader.bars.times.stamps import NAME_ZONE, NO_ZONE, Kind, Stamps, TimePlan, cells_of
from loader.bars.times.zones import Zone
from loader.errors import ColumnMismatch, SettingsError

_SAMPLE: Final = 2_000
_DIGITS: Final = r"^[+-]?[0-9]+(\.0*)?$"
_ANOTHER: Final = "name the right column: --column ts=NAME"


@dataclass(frozen=True, slots=True)
class _Subject:
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
    what = _Subject(columns, where)
    cells = cells_of(frame, columns)
    dtype = cells.dtype
    if isinstance(dtype, pl.Date | pl.Datetime):
        kind: Kind = "date"
        if isinstance(dtype, pl.Datetime):
            kind = "instant" if dtype.time_zone else "wall"
        typed = f"column {columns[0]!r} is not text: --time-format is not applied to it"
        return TimePlan(columns, kind), (typed,) if time_format is not None else ()
    if not (dtype.is_numeric() or is_text(dtype) or dtype == pl.Null):
        raise what.wrong(f"are of type {dtype}, which is not a type of times", hint=_ANOTHER)
    filled = cells.filter(cells.is_not_null() & ~is_blank(cells).fill_null(True))
    if len(cells) and not len(filled):
        raise what.wrong(f"are empty in the first {len(cells):,} rows", hint=_ANOTHER)
    if not len(filled):
        return TimePlan(columns, "wall"), ()
    return _untyped(columns, filled, time_format, what)


def settled(
    plan: TimePlan,
    stamps: Stamps,
    *,
    daily: pl.Series,
    zone: Zone | None,
    asked: bool,
    own_zone: Zone | None,
    where: str,
) -> Planned:
    """The plan with its zone, given which of the first batch's bars are `daily` or longer.

    `zone` is the person's where it is `asked` for, else the dialect's; `own_zone` the one that the
    column carries.

    Raises:
        ColumnMismatch: a zone is needed and nobody named it, or dates stand where times are needed.
    """
    what = _Subject(plan.columns, where)
    if plan.kind == "date" and len(daily) and not daily.any():
        raise what.wrong(
            "are dates without a time of day, but the bars are intraday",
            hint="name a column with times: --column ts=NAME; or the interval: --interval 1d",
        )
    if plan.kind == "wall" and zone is None and not daily.all():
        raise what.wrong(NO_ZONE, hint=NAME_ZONE)
    if plan.kind in ("date", "wall"):
        return replace(plan, zone=zone), ()
    if plan.kind == "offset" or not daily.any():
        own = "times say themselves where they lie in UTC: {} is not applied to them"
        return plan, (own.format(zone),) if zone is not None and asked else ()
    if own_zone is not None:
        note = f"session dates are those of {own_zone}, the column's own time zone"
        return replace(plan, kind="offset", zone=own_zone), (note,)
    return _daily_instants(plan, stamps, daily, zone, asked=asked, what=what)


def _daily_instants(
    plan: TimePlan,
    stamps: Stamps,
    daily: pl.Series,
    zone: Zone | None,
    *,
    asked: bool,
    what: _Subject,
) -> Planned:
    """Instants at midnight UTC are session dates; others have a date only in a zone."""
    shown = stamps.shown.filter(daily).drop_nulls()
    off = shown.filter(shown != shown.dt.truncate("1d"))
    if not len(off):
        said = "daily bars stand at midnight UTC: {} is not applied to them"
        return plan, (said.format(zone),) if zone is not None and asked else ()
    if zone is None:
        raise what.wrong(
            f"are those of daily bars, but not at midnight UTC (such as "
            f"{off.dt.to_string('%Y-%m-%d %H:%M:%SZ')[0]}): the dates depend on a time zone",
            hint="name the market's: --timezone America/New_York",
        )
    return replace(plan, zone=zone), (f"session dates are those of {zone}",)


def _untyped(
    columns: tuple[str, ...], filled: pl.Series, time_format: str | None, what: _Subject
) -> Planned:
    if time_format in epochs.UNITS:
        return TimePlan(columns, "instant", numbers=time_format), ()
    if time_format is not None:
        return _custom(columns, filled.cast(pl.String), time_format, what)
    if filled.dtype.is_numeric() or _mostly_digits(filled):
        return _numbers(columns, filled, what)
    return _text(columns, filled, what)


def _mostly_digits(filled: pl.Series) -> bool:
    return int(filled.str.contains(_DIGITS).sum()) * 2 > len(filled)


def _numbers(columns: tuple[str, ...], filled: pl.Series, what: _Subject) -> Planned:
    number = to_count(filled)
    kinds = epochs.kinds(number)
    kind = max(kinds, key=lambda k: kinds[k])
    if not kinds[kind]:
        raise what.wrong(
            f"are numbers such as {filled[0]}, neither dates nor times since 1970",
            hint=f"{_ANOTHER}; or say what they are: --time-format s (ms, us, ns, %Y%m%d…)",
        )
    if kind == "YYYYMMDDHHMM":
        raise what.wrong(
            f"are numbers such as {filled[0]}: YYYYMMDDHHMM, or milliseconds of 1976?",
            hint="say which: --time-format %Y%m%d%H%M, or --time-format ms",
        )
    if kind != "epoch":
        note = f"times are numbers {kind}"
        return TimePlan(columns, "date" if kind == "YYYYMMDD" else "wall", numbers=kind), (note,)
    units = {unit: count for unit, count in epochs.units(number).items() if count}
    shares = [f"{unit} ({count / len(filled):.1%})" for unit, count in units.items()]
    note = f"times are numbers since 1970 in {' and '.join(shares if len(units) > 1 else units)}"
    return TimePlan(columns, "instant", numbers="epoch"), (note,)


def _custom(
    columns: tuple[str, ...], filled: pl.Series, time_format: str, what: _Subject
) -> Planned:
    check_format(time_format)
    form = forms.custom(time_format)
    try:
        reading = forms.read(filled, form)
    except pl.exceptions.PolarsError:
        raise _no_format(time_format) from None
    if reading.wall.null_count() * 2 > len(filled):
        raise what.wrong(
            f"do not fit --time-format {time_format!r}: {filled[0]!r}",
            hint="the words of strptime: %Y-%m-%d %H:%M:%S, %d-%b-%y, %I:%M %p, %z",
        )
    return _of_form(columns, form, reading)


def check_format(time_format: str | None) -> None:
    """Raises:
    SettingsError: it is neither a unit of numbers nor a strptime format.
    """
    known = time_format is None or time_format in epochs.UNITS
    if not known and not forms.is_format(str(time_format)):
        raise _no_format(str(time_format))


def _no_format(time_format: str) -> SettingsError:
    return SettingsError(
        f"{time_format!r} is not a strptime format of a time",
        option="--time-format",
        hint="for example '%d.%m.%Y %H:%M', or s, ms, us, ns for numbers",
    )


def _text(columns: tuple[str, ...], filled: pl.Series, what: _Subject) -> Planned:
    sample = filled.gather_every(max(1, len(filled) // _SAMPLE))
    form, share = forms.likeliest(sample)
    if form is None or share < 0.5:
        raise what.wrong(
            f"have no form that is known: {filled[0]!r}",
            hint=f"say how they are written: --time-format '%d.%m.%Y %H:%M'; or {_ANOTHER}",
        )
    notes: tuple[str, ...] = ()
    if (day_first := forms.twin(form)) is not None:
        form, notes = _ordered(form, day_first, filled, what)
    form = forms.by_use(form, sample)
    plan, more = _of_form(columns, form, forms.read(filled, form))
    return plan, notes + more


def _ordered(
    month_first: Form, day_first: Form, filled: pl.Series, what: _Subject
) -> tuple[Form, tuple[str, ...]]:
    month, day = forms.order(filled)
    if month == day:
        raise what.wrong(
            f"are such as {filled[0]!r}, and nothing shows which is the month",
            hint=f"say it: --time-format '{month_first.fitting(filled[0])}' "
            f"or '{day_first.fitting(filled[0])}'",
        )
    form = month_first if month > day else day_first
    return form, (f"times are {form.name}: {max(month, day):,} values can be nothing else",)


def _of_form(columns: tuple[str, ...], form: Form, reading: forms.Reading) -> Planned:
    """Times that all have the offset zero are instants: a `Z` says nothing of a session's date."""
    if reading.offset is None:
        return TimePlan(columns, "wall" if form.clock else "date", form), ()
    local = reading.offset.drop_nulls().dt.total_minutes() != 0
    return TimePlan(columns, "offset" if local.any() else "instant", form), ()

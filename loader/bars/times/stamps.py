"""Reads the times of bars: from the cells of a file, by its plan, to starts in UTC."""

from __future__ import annotations

from datetime import timedelta
from typing import Final, Literal

import polars as pl

from loader.bars.numbers import is_text, to_count, to_float
from loader.bars.times import dress, epochs, forms, midnights, zones
from loader.bars.times.forms import Form
from loader.bars.times.zones import Zone
from loader.bars.words import constant
from loader.errors import ColumnMismatch
from loader.lazy import dataclass

#: `date`: session dates. `wall`: local times that do not say of which zone. `offset`: local
#: times, each with its offset from UTC, as a column of a zone has for its sessions. `instant`:
#: numbers since 1970, zoned columns, `…Z`.
Kind = Literal["date", "wall", "offset", "instant"]
#: What is wrong with local times of no zone, and the next step.
NO_ZONE: Final = "are local, and no time zone is given for them"
NAME_ZONE: Final = "name it: --timezone America/New_York, --timezone UTC, --timezone UTC-5"
_DAY_US: Final = 86_400_000_000
_HALF_A_DAY: Final = timedelta(hours=12)
#: From here to midnight a stamp is the end of its day.
LAST_SECOND: Final = timedelta(hours=23, minutes=59, seconds=59)
_LAST_OF_MINUTE: Final = 59
#: 0001-01-03 to 9999-12-29 in microseconds since 1970: beyond it conversions of Polars and Python
#: fail, and there are no bars.
_FIRST, _LAST = -62_135_424_000_000_000, 253_402_041_600_000_000


@dataclass(frozen=True, slots=True)
class TimePlan:
    """How the times of one file are read; decided once, from its first batch.

    Attributes:
        columns: the column of `ts`; or one with the date and one with the time of day.
        kind: what the cells say, see `Kind`.
        form: how text is written; None for numbers and typed columns.
        numbers: of numbers, also as text: `epoch` (unit by magnitude), a unit, or YYYYMMDD[HHMMSS].
        clock: how a time of day is written that is a number, see `epochs.Clock`; None for others.
        zone: the zone of `wall` times; for daily bars given as instants, the zone of their date.
        evenings: whether a daily bar of the afternoon or evening has the next date.
    """

    columns: tuple[str, ...]
    kind: Kind
    form: Form | None = None
    numbers: str | None = None
    clock: epochs.Clock | None = None
    zone: Zone | None = None
    evenings: bool = False


@dataclass(frozen=True, slots=True)
class Stamps:
    """The times in the cells. `wall`: naive Datetime us as written, None for instants. `utc`:
    Datetime us UTC, None if it depends on a zone. Null where a cell is empty or does not fit."""

    wall: pl.Series | None
    utc: pl.Series | None

    @property
    def shown(self) -> pl.Series:
        """The clock as written, else as in UTC: naive, to measure steps by."""
        if self.wall is not None:
            return self.wall
        assert self.utc is not None  # one of the two is there, always
        return self.utc.cast(pl.Int64).cast(pl.Datetime("us"))  # what no zone says, without a query


@dataclass(frozen=True, slots=True)
class Starts:
    """`ts`: Datetime us UTC, the bar's start. The booleans are true where a local time was skipped
    or shown twice by its zone's clock; there `ts` is null."""

    ts: pl.Series
    nonexistent: pl.Series
    ambiguous: pl.Series


def cells(frame: pl.DataFrame, plan: TimePlan) -> pl.Series:
    """The time cells, text trimmed; a date and a time of day are joined to one text."""
    return cells_of(frame, plan.columns, plan.clock)


def cells_of(
    frame: pl.DataFrame, columns: tuple[str, ...], written: epochs.Clock | None = None
) -> pl.Series:
    """The same for a plan that is still to be made."""
    if len(columns) == 1:
        raw = frame.get_column(columns[0])
        return raw.cast(pl.String).str.strip_chars() if is_text(raw.dtype) else raw
    date, clock = (_text(frame.get_column(name)) for name in columns)
    if written is not None:
        clock = epochs.time_of_day(clock, written)
    return (date + " " + clock).alias(columns[0])


def clock_of(frame: pl.DataFrame, columns: tuple[str, ...]) -> epochs.Clock | None:
    """How the time of day is written where it is a number; None for digits that need no change."""
    return None if len(columns) == 1 else epochs.clock_of(_text(frame.get_column(columns[1])))


def say_24(cells: pl.Series, plan: TimePlan, written: Stamps) -> bool:
    """Whether some of the cells, read as `written`, have 24:00, the end of a day."""
    if plan.form is None and plan.numbers not in epochs.CALENDAR:
        return False
    shown = written.shown
    if plan.form is not None and shown.null_count() == cells.null_count():
        midnights = shown.cast(pl.Int64) % _DAY_US == 0
        if not plan.form.clock or not midnights.any():  # much faster than the pattern
            return False
    return bool(dress.ends_of_days(cells.cast(pl.String)).any())


def read(raw: pl.Series, plan: TimePlan) -> Stamps:
    """The times in the cells, to the microsecond. Finer ones are null: no bar starts there."""
    if isinstance(raw.dtype, pl.Datetime):
        return _typed(raw, raw.dtype)
    if isinstance(raw.dtype, pl.Date):
        return Stamps(_bounded(raw.cast(pl.Datetime("us"), strict=False)), None)
    if plan.numbers == "excel":
        return Stamps(epochs.serials(to_float(raw)), None)
    if plan.numbers is not None:
        return _numbers(to_count(raw), plan.numbers)
    if plan.form is not None:
        return _formed(raw.cast(pl.String), plan.form, plan.kind)
    return Stamps(constant(None, len(raw), pl.Datetime("us")), None)


def starts(stamps: Stamps, plan: TimePlan, daily: pl.Series | bool) -> Starts:
    """The starts of the bars in UTC; `daily` tells which are daily or longer.

    Those start at 00:00 UTC of the session date: the date as written, or for instants the date in
    the plan's zone; without one an instant stays as it is, and a rule rejects what is not midnight.
    An instant at midnight UTC, or in the second before, is that date, whatever the zone and the
    rows beside it.

    Raises:
        ColumnMismatch: intraday wall times have no zone.
    """
    if daily is True:
        return _whole(_of_days(stamps, plan))
    intraday = _intraday(stamps, plan)
    if daily is False:
        return intraday
    sessions = _of_days(stamps, plan)
    ts = sessions.zip_with(daily, intraday.ts)
    return Starts(ts, intraday.nonexistent & ~daily, intraday.ambiguous & ~daily)


def _intraday(stamps: Stamps, plan: TimePlan) -> Starts:
    if stamps.utc is not None:
        return _whole(stamps.utc)
    if plan.zone is None and not len(stamps.shown):
        return _whole(_utc(stamps.shown))
    if plan.zone is None:
        column = plan.columns[-1]
        raise ColumnMismatch(f"the times in column {column!r} {NO_ZONE}", hint=NAME_ZONE)
    placed = zones.to_utc(stamps.shown, plan.zone)
    return Starts(placed.utc, placed.nonexistent, placed.ambiguous)


def _of_days(stamps: Stamps, plan: TimePlan) -> pl.Series:
    return _sessions(stamps, plan.zone, instants=plan.kind == "instant", evenings=plan.evenings)


def _sessions(
    stamps: Stamps, zone: Zone | None, *, instants: bool = False, evenings: bool = False
) -> pl.Series:
    """`instants` are no times of `zone`: at midnight UTC, or in the last second before, they are
    dates, of no zone's clock."""
    wall = stamps.wall
    if wall is None:
        assert stamps.utc is not None  # one of the two is there, always
        written = stamps.utc.dt.replace_time_zone(None)
        dated = are_dates(written)
        if zone is None:
            return _utc(written.dt.truncate("1d").zip_with(dated, written))
        wall = zones.to_wall(stamps.utc, zone)
        if instants:
            wall = written.zip_with(dated, wall)
    if evenings:
        wall = wall + _HALF_A_DAY
    return _utc(wall.dt.truncate("1d"))


def local(stamps: Stamps, plan: TimePlan) -> pl.Series:
    """The clock (naive Datetime us) by which the dates of daily bars are taken; instants that are
    dates are as in UTC."""
    if stamps.wall is not None or plan.zone is None or stamps.utc is None:
        return stamps.shown
    here = zones.to_wall(stamps.utc, plan.zone)
    return here.zip_with(~are_dates(stamps.shown), stamps.shown) if plan.kind == "instant" else here


def time_of_day(clock: pl.Series) -> pl.Series:
    """How long (Duration us) after midnight the naive moments are."""
    return clock - clock.dt.truncate("1d")


def are_dates(written: pl.Series) -> pl.Series:
    """Which of the naive moments in UTC are midnights, or in a day's last second, as the ends of
    days are stamped. Null is not."""
    clock = time_of_day(written)
    return ((clock == timedelta(0)) | (clock >= LAST_SECOND)).fill_null(False)


def end_minutes(shown: pl.Series) -> bool:
    """Whether all times lie in the last second of a minute, as the ends of bars are stamped."""
    known = shown.drop_nulls() if shown.null_count() else shown
    if not len(known) or known[:1].dt.second()[0] != _LAST_OF_MINUTE:  # as in most files
        return False
    return bool((known.dt.second() == _LAST_OF_MINUTE).all())


def end_days(shown: pl.Series) -> bool:
    """Whether all times lie in the last second of a day."""
    clocks = time_of_day(shown).drop_nulls()
    return len(clocks) > 0 and bool((clocks >= LAST_SECOND).all())


def _whole(ts: pl.Series) -> Starts:
    no = constant(False, len(ts), pl.Boolean())
    return Starts(ts, no, no)


def _typed(raw: pl.Series, dtype: pl.Datetime) -> Stamps:
    number = raw.cast(pl.Int64)
    if dtype.time_unit == "ns":
        number = number.set(number % 1000 != 0, None) // 1000
    elif dtype.time_unit == "ms":
        limit = (2**63 - 1) // 1000
        number = number.set(~number.is_between(-limit, limit), None) * 1000
    wall = _bounded(number.cast(pl.Datetime("us")))
    return Stamps(wall, None) if dtype.time_zone is None else Stamps(None, _utc(wall))


def _numbers(number: pl.Series, kind: str) -> Stamps:
    if kind in epochs.CALENDAR:
        return Stamps(epochs.calendar(number, kind), None)
    return Stamps(None, _utc(_bounded(epochs.instants(number, None if kind == "epoch" else kind))))


def _formed(text: pl.Series, form: Form, kind: Kind) -> Stamps:
    reading = forms.read(text, form)
    wall = _bounded(reading.wall)
    if form.date is not None and wall.null_count() > text.null_count():
        wall = midnights.filled(wall, text, form)
    if reading.offset is None:
        return Stamps(wall, None)
    utc = _utc(wall - reading.offset)
    return Stamps(None if kind == "instant" else wall, utc)


def _utc(moment: pl.Series) -> pl.Series:
    return moment.cast(pl.Int64).cast(pl.Datetime("us", "UTC"))


def _bounded(moment: pl.Series) -> pl.Series:
    """Without the moments (naive Datetime us) that lie outside the calendar."""
    inside = moment.cast(pl.Int64).is_between(_FIRST, _LAST)
    return moment if inside.all() else moment.set(~inside, None)


def _text(part: pl.Series) -> pl.Series:
    """A date or a time of day as text, without blanks around it."""
    if isinstance(part.dtype, pl.Time):
        return part.dt.to_string("%H:%M:%S%.f")
    if isinstance(part.dtype, pl.Datetime | pl.Date):
        zone = Zone(getattr(part.dtype, "time_zone", None) or "UTC")
        day = _sessions(read(part, TimePlan((), "wall")), zone)
        return day.dt.to_string("%Y-%m-%d")
    return part.cast(pl.String).str.strip_chars()

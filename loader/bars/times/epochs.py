"""Times written as numbers: seconds since 1970 in four units, and dates in digits.

| digits | read as |
|---|---|
| 4, 1900 to 2099, where the column is one of years or dates | the first day of the year |
| 8, 19000101 to 20991231 | a date YYYYMMDD |
| 14, 19000101000000 to 20991231235959 | a local time YYYYMMDDHHMMSS |
| 9 or 10 | seconds since 1970 UTC |
| 12 or 13 | milliseconds; but 12 digits that read as YYYYMMDDHHMM too are refused |
| 15 or 16 | microseconds |
| 17, 19000101000000000 to 20991231235959999 | a local time YYYYMMDDHHMMSSmmm |
| 18 or 19 | nanoseconds, whole microseconds only |

So each unit covers 1973-03-03 to 2286-11-20 (nanoseconds to 2262) and, negative, as long a span
before 1970. Anything else is not a time, unless the person names the unit. `excel` counts days
since 1899-12-30, with the time of day as a fraction.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final, Literal

import polars as pl

#: Units of numbers since 1970: how many of one make a microsecond, or microseconds make one.
_MICROSECONDS: Final = {"s": 1_000_000, "ms": 1_000, "us": 1}
UNITS: Final = ("s", "ms", "us", "ns", "excel")
#: Days in spreadsheets from 1954 to 2119.
SERIALS: Final = (20_000, 80_000)
#: Half-open ranges of magnitude.
_RANGES: Final = {
    "s": (10**8, 10**10),
    "ms": (10**11, 10**13),
    "us": (10**14, 10**16),
    "ns": (10**17, 2**63 - 1),
}
_DAY: Final = timedelta(days=1)
#: From 1899-12-30 to 1970 in microseconds. That date makes 61 1900-03-01, as in spreadsheets,
#: which have a 29 February 1900.
_SPREADSHEET_EPOCH: Final = 25_569 * 86_400 * 1_000_000
_YEAR: Final = (1_900, 2_100)
_DATE: Final = (19_000_101, 20_991_232)
_MINUTE: Final = (190_001_010_000, 209_912_312_360)
_SECOND: Final = (19_000_101_000_000, 20_991_231_235_960)
_MILLISECOND: Final = (19_000_101_000_000_000, 20_991_231_235_960_000)
#: Digits that spell a date or a local time.
CALENDAR: Final = {
    "YYYY": (_YEAR, "%Y%m%d"),
    "YYYYMMDD": (_DATE, "%Y%m%d"),
    "YYYYMMDDHHMMSS": (_SECOND, "%Y%m%d%H%M%S"),
    "YYYYMMDDHHMMSSmmm": (_MILLISECOND, "%Y%m%d%H%M%S%3f"),
}
#: A time of day as a number: its digits, with leading zeros lost, seconds since midnight, or the
#: fraction of a day that spreadsheets have.
Clock = Literal["HHMM", "HHMMSS", "s", "day"]
#: The rest of a whole number that went through a float.
WHOLE: Final = r"\.0*$"
#: Seconds of a day; the last HHMM; a share of cells that no HHMMSS can be, by far more than dirt.
_SECONDS_OF_DAY, _LAST_HHMM, _OTHERS = 86_400, 2_359, 0.2
#: The share of times of day that have all their digits, if they are fractions.
_MOST: Final = 0.5
#: Steps of clocks in seconds, from an hour to a minute.
_GRIDS: Final = (3_600, 1_800, 900, 300, 60)
#: Where seconds stand in them: divisor of the number.
_SECONDS: Final = {"YYYYMMDDHHMMSS": 1, "YYYYMMDDHHMMSSmmm": 1000}


def kinds(number: pl.Series) -> dict[str, int]:
    """How many of the numbers (Int64) are of which kind: `epoch`, a spelling of `CALENDAR`, or
    `YYYYMMDDHHMM`, which is refused."""
    ranges = {"YYYYMMDDHHMM": _MINUTE, **{kind: limits for kind, (limits, _) in CALENDAR.items()}}
    found = {kind: int(_within(number, *limits).sum()) for kind, limits in ranges.items()}
    found["epoch"] = sum(units(number).values())
    return found


def units(number: pl.Series) -> dict[str, int]:
    """How many of the numbers (Int64) are epochs of which unit."""
    size = number.set(_within(number, *_MINUTE) | _within(number, *_DATE), None).abs()
    return {unit: int(_within(size, *limits).sum()) for unit, limits in _RANGES.items()}


def instants(number: pl.Series, unit: str | None) -> pl.Series:
    """Naive Datetime us, in UTC, of epochs in `unit`, or each in that of its magnitude."""
    if unit is not None:
        return _at(number, unit)
    size = number.set(_within(number, *_MINUTE) | _within(number, *_DATE), None).abs()
    found: pl.Series | None = None
    for each, limits in _RANGES.items():
        inside = _within(size, *limits)
        if inside.any():
            at = _at(number.set(~inside | inside.is_null(), None), each)
            found = at if found is None else found.fill_null(at)
    return _at(number.clear(len(number)), "us") if found is None else found


def calendar(number: pl.Series, kind: str) -> pl.Series:
    """Naive Datetime us of numbers spelled as `kind` in `CALENDAR`, null where there is no such
    time."""
    limits, word = CALENDAR[kind]
    inside = _within(number, *limits)
    if kind in _SECONDS:  # strptime would move a 60th second into the next minute
        inside &= number // _SECONDS[kind] % 100 < 60
    if kind == "YYYY":
        number = number * 10_000 + 101
    text = number.set(~inside, None).cast(pl.String)
    read = text.str.to_datetime(word, time_unit="us", strict=False, cache=False)
    if kind in _SECONDS and read.null_count() > number.null_count():
        of_day = 240_000 * _SECONDS[kind]  # 24:00:00, the end of a day
        late = (number % (1_000_000 * _SECONDS[kind]) == of_day).fill_null(False)
        if late.any():
            return read.fill_null(calendar((number - of_day).set(~late, None), kind) + _DAY)
    return read


def clock_of(text: pl.Series) -> Clock | None:
    """How times of day (String) are written that are numbers; None where they are none, or digits
    that need no change. Two digits are not enough to tell an hour from a minute."""
    raw = text.drop_nulls()
    if are_fractions(raw):
        return "day"
    clock = raw.str.replace(WHOLE, "")
    clock = clock.filter(clock != "")
    if not len(clock) or not clock.str.contains("^[0-9]*$").all():
        return None
    if are_seconds(clock):
        return "s"
    lengths = clock.str.len_chars()
    shortest, longest = int(lengths.min()), int(lengths.max())  # type: ignore[arg-type]
    whole = not raw.str.contains(".", literal=True).any()
    if not 2 < longest <= 6 or (whole and shortest == longest in (4, 6)):
        return None
    return "HHMM" if longest <= 4 else "HHMMSS"


def are_fractions(clock: pl.Series) -> bool:
    """Whether the texts are fractions of a day: all from 0 to 1, and most with four digits."""
    number = clock.cast(pl.Float64, strict=False)
    if number.null_count() or not len(number) or not ((number >= 0) & (number < 1)).all():
        return False
    exact = clock.str.contains(r"^0?\.[0-9]{4,}$") | clock.str.contains(r"^0?\.(25|5|75)0*$")
    return float(exact.mean() or 0) > _MOST and number.n_unique() > 1  # type: ignore[arg-type]


def are_seconds(clock: pl.Series) -> bool:
    """Whether the whole numbers (String) are seconds since midnight: all lie within a day, some are
    above any HHMM, and many are no HHMM or HHMMSS, or all lie on a coarser grid as seconds: 61200
    is 17:00 rather than 06:12:00."""
    number = clock.cast(pl.Int64, strict=False)
    within = number.is_between(0, _SECONDS_OF_DAY).all() and not clock.str.contains("^0.").any()
    if number.null_count() or not len(number) or not within:
        return False
    other = (number % 100 >= 60) | (number // 100 % 100 >= 60)
    if int(number.max()) <= _LAST_HHMM:  # type: ignore[arg-type]
        return False
    digits = number // 10_000 * 3_600 + number // 100 % 100 * 60 + number % 100
    return float(other.mean() or 0) >= _OTHERS or _grid(number) > _grid(digits)  # type: ignore[arg-type]


def _grid(seconds: pl.Series) -> int:
    """The coarsest usual grid on which all times of day lie."""
    return next((grid for grid in _GRIDS if (seconds % grid == 0).all()), 1)


def time_of_day(text: pl.Series, written: Clock) -> pl.Series:
    """Times of day as numbers (String) with their leading zeros, or of seconds as HH:MM:SS."""
    if written == "day":
        seconds = (text.cast(pl.Float64, strict=False) * _SECONDS_OF_DAY).round(0)
        text = seconds.cast(pl.Int64).cast(pl.String)
    clock = text.str.replace(WHOLE, "")
    if written not in ("s", "day"):
        return clock.str.zfill(len(written))
    number = clock.cast(pl.Int64, strict=False)
    parts = (number // 3600, number // 60 % 60, number % 60)
    shown = pl.DataFrame(
        [
            part.cast(pl.String).str.zfill(2).alias(name)
            for part, name in zip(parts, "hms", strict=True)
        ]
    )
    return shown.select(pl.concat_str("h", "m", "s", separator=":")).to_series().fill_null(clock)


def serials(number: pl.Series) -> pl.Series:
    """Naive Datetime us of a spreadsheet's days (Float64), to the second, which is what is left of
    a time of day in five digits of a fraction."""
    inside = number.is_between(0, 2_958_466).fill_null(False)  # 9999-12-31
    seconds = (number.set(~inside, None) * 86_400).round(0).cast(pl.Int64)
    return (seconds * 1_000_000 - _SPREADSHEET_EPOCH).cast(pl.Datetime("us"))


def _at(number: pl.Series, unit: str) -> pl.Series:
    if unit == "ns":
        number = number.set(number % 1000 != 0, None) // 1000
        unit = "us"
    factor = _MICROSECONDS[unit]
    if factor > 1:
        limit = (2**63 - 1) // factor
        number = number.set(~_within(number, -limit, limit), None) * factor
    return number.cast(pl.Datetime("us"))


def _within(number: pl.Series, low: int, high: int) -> pl.Series:
    return (number >= low) & (number < high)

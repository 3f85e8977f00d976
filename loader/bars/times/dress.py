"""What programs do to a time. They write a weekday, a zone's full name, commas around it.

`Tue, 02 Jan 2024 14:30:00 GMT` (RFC 2822), `Tue Jan 02 2024 09:30:00 GMT-0500 (Eastern Standard
Time)` (JavaScript), `Tue Jan  2 09:30:00 2024` (C), `2024-01-02T09:30-05:00[America/New_York]`
(Java), `1/2/2024, 9:30:00 AM` (browsers), `09:30:00,000` (ISO 8601 with a comma). Quarters,
months and weeks without a day (`2010Q1`, `2024-03`, `03/2024`, `Mar 2024`, `Mar-24`, `2024-W01`)
have their first one.

Spreadsheets swap day and month where they can: `04/03/2024` for 4 March beside `13/03/2024`, which
stays text.
"""

from __future__ import annotations

from typing import Final

import polars as pl

#: Patterns and what remains of them, in this order.
_DRESS: Final = (
    ("^(?i:mon|tue|wed|thu|fri|sat|sun)[a-z]*,? +", ""),
    (r" *\([^()]*\)$", ""),
    (r"([+-][0-9]{2}:?[0-9]{2}|Z)\[[A-Za-z_/+-]+\]$", "$1"),
    ("  +", " "),
    ("^([A-Za-z]{3} [0-9]{1,2}) ([0-9]{2}:[0-9]{2}:[0-9]{2})( [A-Z]{2,5})? ([0-9]{4})$",
     "$1 $4 $2$3"),
    (",( [0-9]{1,2}:)", "$1"),
    *((f"^([0-9]{{4}})[-/ ]?Q{quarter}$|^Q{quarter}[-/ ]?([0-9]{{4}})$", f"$1$2-{first}-01")
      for quarter, first in ((1, "01"), (2, "04"), (3, "07"), (4, "10"))),
    ("^([0-9]{4})[-/]([0-9]{2})$|^([0-9]{4})M([0-9]{2})$", "$1$3-$2$4-01"),
    ("^(0?[1-9]|1[0-2])/([0-9]{4})$", "$2-$1-01"),
    ("^([A-Za-z]{3,9})[- ]([0-9]{4})$", "$1 01, $2"),
    ("^([A-Za-z]{3,9})[-' ]+([0-6][0-9])$", "$1 01, 20$2"),
    ("^([A-Za-z]{3,9})[-' ]+([7-9][0-9])$", "$1 01, 19$2"),
    ("^([0-9]{4})-?W([0-9]{2})$", "$1-W$2-1"),
    ("^([0-9]{4})-?W([0-9]{2})-?([1-7])$", "$1-W$2-$3"),
    ("(:[0-5]?[0-9]),([0-9]+)", "$1.$2"),
)  # fmt: skip

#: Fewer dates with a day up to 12 prove nothing.
_FEWEST: Final = 3
#: Fewer steps back in time prove nothing.
_STEPS_BACK: Final = 4
#: Times also step back where another series begins: swapping has to leave this many times fewer.
_TIMES: Final = 4
_LAST_MONTH: Final = 12

#: The midnight at the end of a day, as ISO 8601 has it: 24:00, 24:00:00, 240000.
_END_OF_DAY: Final = r"(^|[T ]|^[0-9]{8})24(:00(?::00(?:\.0+)?)?|00(?:00)?)($| |[+-]|Z)"


def ends_of_days(text: pl.Series) -> pl.Series:
    """Which of the trimmed texts say 24:00; null is not."""
    return text.str.contains(_END_OF_DAY).fill_null(False)


def begun_days(text: pl.Series) -> pl.Series:
    """The texts with 00:00 in place of 24:00, which is a day later."""
    return text.str.replace(_END_OF_DAY, "${1}00$2$3")


def undressed(text: pl.Series) -> pl.Series:
    """The trimmed texts (String) with nothing but date, clock, and offset or zone."""
    for pattern, remains in _DRESS:
        text = text.str.replace(pattern, remains)
    return text


def are_mixed(year: pl.Series, month: pl.Series, day: pl.Series) -> bool:
    """Whether the dates run one way only if day and month are swapped wherever both are possible.

    The three have one whole number a row, in the file's order. Dates that run one way as they are,
    or that run no way at all, are not mixed.
    """
    rows = pl.DataFrame([year.alias("y"), month.alias("m"), day.alias("d")]).drop_nulls()
    both = (pl.col("d") <= _LAST_MONTH) & (pl.col("m") <= _LAST_MONTH)
    differ = rows.filter(both & (pl.col("d") != pl.col("m"))).n_unique()
    if differ < _FEWEST or rows.filter(~both).is_empty():
        return False
    month_, day_ = pl.col("m"), pl.col("d")
    swapped = rows.with_columns(
        m=pl.when(both).then(day_).otherwise(month_), d=pl.when(both).then(month_).otherwise(day_)
    )
    now, then = _steps_back(rows), _steps_back(swapped)
    return (then == 0 and now > 0) or (now >= _STEPS_BACK and now >= _TIMES * then)


def _steps_back(rows: pl.DataFrame) -> int:
    """The steps against the way in which most of the dates run."""
    days = rows["y"].cast(pl.Int64) * 10_000 + rows["m"].cast(pl.Int64) * 100 + rows["d"]
    steps = days.diff().drop_nulls()
    return min(int((steps < 0).sum()), int((steps > 0).sum()))

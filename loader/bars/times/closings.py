"""Daily and longer bars with the midnight after their last session."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import polars as pl

from loader.bars.times.stamps import Stamps, TimePlan, local, time_of_day
from loader.errors import ColumnMismatch

#: So many of the bars have to be so.
_MOST: Final = 0.9
_MONDAY, _SATURDAY, _SUNDAY = 1, 6, 7
#: Fewer days than this show no week.
_FEW: Final = 5
_LONGER: Final = {"1w": "1w", "1mo": "1mo", "3mo": "1q", "1y": "1y"}


def midnight_ends(
    plan: TimePlan, written: Stamps, ts: pl.Series, intervals: pl.Series, *, late: bool
) -> tuple[frozenset[str], tuple[str, ...]]:
    """The intervals, daily or longer, of which the ends are the midnights after the bars, and
    notes. `ts` has the dates (Datetime us UTC) of the first batch, of which the person says that
    they are ends, and `intervals` are words of the vocabulary; `late`: some have 24:00.

    A date alone is a session's, unless the dates run from Tuesdays to Saturdays; so is a midnight
    of Mondays to Fridays. Weeks and longer that end on the first day of the next one do not have
    that day.
    """
    clocked = plan.kind != "date"
    midnight = (time_of_day(local(written, plan)) == timedelta(0)).fill_null(False)
    found = set()
    for word in ("1d", "3d", *_LONGER):
        here = (intervals == word).fill_null(False) & ts.is_not_null()
        own = ts.filter(here)
        if not len(own):
            continue
        if word in _LONGER:
            after = (own == own.dt.truncate(_LONGER[word])).mean() >= _MOST  # type: ignore[operator]
        else:
            at_midnight = clocked and midnight.filter(here).mean() >= _MOST  # type: ignore[operator]
            after = run_to_saturdays(own) or (
                at_midnight and (late or not _of_work_days(own, word))
            )
        if after:
            found.add(word)
    listed = ", ".join(sorted(found))
    notes = [f"{listed} bars end at the midnight after their session"] if found else []
    if "1d" not in found and ((intervals == "1d").fill_null(False) & midnight).any():
        notes.append("dates of daily bars are taken for those of their sessions")
    return frozenset(found), tuple(notes)


def refuse_days_after(ts: pl.Series, where: str) -> None:
    """Refuses daily bars that have the dates `ts` (Datetime us UTC) of the days after.

    Raises:
        ColumnMismatch: the dates run from Tuesdays to Saturdays.
    """
    if run_to_saturdays(ts):
        raise ColumnMismatch.at(
            where,
            "daily bars have dates from Tuesdays to Saturdays, perhaps those of the midnights at "
            "their ends",
            hint="say --stamp end if each is of the day before, --stamp start to keep the dates",
        )


def run_to_saturdays(ts: pl.Series) -> bool:
    """Whether daily dates have Saturdays and, over a weekend at least, neither Sundays nor
    Mondays."""
    days = ts.drop_nulls().unique().sort()
    weekday = days.dt.weekday()
    if len(days) < _FEW or weekday.is_in([_SUNDAY, _MONDAY]).any():
        return False
    first, last = days[0], days[-1]
    weeks = (last - first).days // 7 + (last.isoweekday() < first.isoweekday())
    return bool(weeks > 0 and int((weekday == _SATURDAY).sum()) * 2 > weeks)


def _of_work_days(ts: pl.Series, interval: str) -> bool:
    weekday = ts.dt.weekday()
    ends = (weekday == _SATURDAY).any()
    return interval == "1d" and bool((weekday == _MONDAY).any()) and not ends

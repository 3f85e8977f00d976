"""Infers the interval of bars from the steps between their times."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import polars as pl

from loader import bars
from loader.bars.words import changes
from loader.lazy import dataclass

#: Fewer steps than this prove nothing.
MIN_STEPS: Final = 3
#: Part of the steps that must be of the interval's length, and part that must be multiples of it.
_MIN_SHARE, _MIN_MULTIPLES = 1 / 3, 0.9
_HOUR, _DAY = 3600, 86_400
#: Days from one bar to the next, where that is not always the same.
_CALENDAR: Final = {
    "1d": (1, 1), "3d": (3, 3), "1w": (7, 7), "1mo": (27, 33), "3mo": (88, 94), "1y": (363, 367),
}  # fmt: skip
_INTRADAY: Final = {s: name for name, s in bars.INTERVAL_SECONDS.items() if s < _DAY}


@dataclass(frozen=True, slots=True)
class Spacing:
    """`interval` is None if the steps do not prove one. `evidence` describes the steps. `likely` is
    the interval of most steps if these do not prove it. `steps` counts them, `share` is the part of
    them that has the usual length, and `usual` that length in seconds."""

    interval: str | None
    evidence: str
    likely: str | None = None
    steps: int = 0
    share: float = 0.0
    usual: int = 0


def infer(times: pl.Series, series: Sequence[pl.Series] = ()) -> Spacing:
    """The interval that most steps between consecutive distinct `times` (Datetime us) have.

    Steps are taken within one series of bars: rows that are equal in all columns of `series`
    (provider, symbol). Rows may be in any order. Gaps (nights, weekends, minutes without a trade)
    are tolerated as long as a third of the steps have the interval's length.
    """
    steps = _steps(times, series)
    if not len(steps):
        return Spacing(None, "there are too few steps between them to tell: 0")
    lengths = steps.value_counts(sort=True).rows()
    length = min(second for second, count in lengths if count == lengths[0][1])
    evidence = _said(length)
    if length < 23 * _HOUR:
        interval = _INTRADAY.get(length)
        same, multiples = (steps == length).sum(), (steps % length == 0).sum()
    else:  # local midnights are 23 or 25 hours apart when the clocks change
        days = steps.filter((steps + _HOUR) % _DAY <= 2 * _HOUR).cast(pl.Float64) / _DAY
        interval, same = _by_calendar(days.round(0))
        # A month has one bar; a week's may stand on the day before a holiday.
        shortest = 0.6 * _CALENDAR[interval][0] if interval is not None else 0
        multiples = int((days >= shortest).sum())
    if len(steps) < MIN_STEPS:
        evidence = f"there are too few steps between them to tell: {len(steps)}"
        return Spacing(None, evidence, interval)
    if interval is None:
        part = float((steps == length).mean() or 0)
        said = f"the usual step between them is {evidence}"
        return Spacing(None, said, steps=len(steps), share=part, usual=length)
    share = said_share(same, len(steps))
    if same / len(steps) < _MIN_SHARE or multiples / len(steps) < _MIN_MULTIPLES:
        return Spacing(None, f"the steps between them vary: {share} are {evidence}", interval)
    return Spacing(interval, share, steps=len(steps), share=same / len(steps))


def said_share(same: int, steps: int) -> str:
    """How many of the steps are alike, as evidence."""
    return f"{_percent(same / steps)} of {steps:,} steps"


def _steps(times: pl.Series, series: Sequence[pl.Series]) -> pl.Series:
    """Seconds from each time to the next, ascending within one series; never 0."""
    if times.null_count():
        known = times.is_not_null()
        times, series = times.filter(known), [key.filter(known) for key in series]
    keys = [key for key in series if changes([key]).sum() > 1]
    if keys:
        named = (key.alias(f"key{number}") for number, key in enumerate(keys))
        frame = pl.DataFrame([*named, times.alias("t")])
        frame = frame.sort(frame.columns)
        *keys, times = frame.get_columns()
    elif not times.is_sorted():
        times = times.sort()
    at = times.cast(pl.Int64)
    steps = ((at[1:] - at[:-1]) // 1_000_000).alias("step")
    later = steps > 0
    return steps.filter(later & ~changes(keys)[1:] if keys else later)


def _by_calendar(days: pl.Series) -> tuple[str | None, int]:
    """The daily or longer interval that most of the steps, in days, fit."""
    fits = {name: int(days.is_between(*limits).sum()) for name, limits in _CALENDAR.items()}
    best = max(fits, key=lambda name: fits[name])
    return (best, fits[best]) if fits[best] else (None, 0)


def _percent(share: float) -> str:
    return "100 %" if share == 1 else f"{min(share * 100, 99.9):.1f} %"


def _said(seconds: int) -> str:
    for unit, size in (("day", _DAY), ("hour", _HOUR), ("minute", 60)):
        if seconds % size == 0:
            return f"{seconds // size} {unit}{'s' if seconds > size else ''}"
    return f"{seconds} s"

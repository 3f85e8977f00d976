"""Scales and their ticks."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from loader.lazy import dataclass
from loader.survey.pictures.svg import Drawing

_MONTHS: Final = (1, 2, 3, 6, 12, 24, 60, 120, 240)
_SPANS: Final = (
    timedelta(hours=1), timedelta(hours=3), timedelta(hours=6), timedelta(days=1),
    timedelta(days=2), timedelta(days=7), timedelta(days=14),
)  # fmt: skip
_MONTH: Final = timedelta(days=30.4)


@dataclass(frozen=True, slots=True)
class TimeScale:
    """Times from `first` to `last` (UTC) along the stretch from `a` to `b`."""

    first: datetime
    last: datetime
    a: float
    b: float

    def __call__(self, moment: datetime) -> float:
        whole = (self.last - self.first) / timedelta(seconds=1) or 1.0
        return self.a + (self.b - self.a) * ((moment - self.first) / timedelta(seconds=1)) / whole

    def ticks(self, most: int, *, years: bool = False) -> Iterator[tuple[float, str]]:
        """Round times and what to call them, about `most`; days with their `years`, or without."""
        span = self.last - self.first
        for step in _SPANS:
            if span / step <= most:
                yield from self._regular(step, "%Y-%m-%d" if years else "%m-%d")
                return
        months = next((m for m in _MONTHS if span / (m * _MONTH) <= most), _MONTHS[-1])
        number = self.first.year * 12 + self.first.month
        number += -number % months if months < 12 else (1 - number) % months
        while (begin := _month(number)) <= self.last:
            if begin >= self.first:
                yield self(begin), f"{begin:%Y}" if months >= 12 else f"{begin:%Y-%m}"
            number += months

    def _regular(self, step: timedelta, day: str) -> Iterator[tuple[float, str]]:
        epoch = datetime(1970, 1, 5, tzinfo=UTC)  # a Monday
        moment = epoch + math.ceil((self.first - epoch) / step) * step
        form = day if step >= timedelta(days=1) else "%m-%d %H:%M"
        while moment <= self.last:
            yield self(moment), f"{moment:{form}}"
            moment += step


def _month(number: int) -> datetime:
    """The first moment of a month, counted from year 0."""
    return datetime((number - 1) // 12, (number - 1) % 12 + 1, 1, tzinfo=UTC)


def bottom(drawing: Drawing, scale: TimeScale, top: float, y: float, most: int = 8) -> None:
    """Vertical grid lines from `top` to `y`, and the times under them."""
    for x, name in scale.ticks(most):
        drawing.line(x, top, x, y, "gr")
        anchor = "end" if x > scale.b - 24 else "middle"
        drawing.text(min(x, scale.b + 8), y + 14, name, anchor=anchor)


def round_steps(low: float, high: float, most: int) -> list[float]:
    """Round numbers from `low` to `high`, about `most` of them."""
    if not high > low:
        return [low]
    raw = (high - low) / most
    unit = 10.0 ** math.floor(math.log10(raw))
    step = next(unit * n for n in (1, 2, 2.5, 5, 10) if unit * n >= raw)
    begin = math.ceil(low / step)
    return [step * n for n in range(begin, math.floor(high / step) + 1)]

"""Dates in the names of sources: `dumps/{date:%Y/%m}/bars-{date-1d}.csv`.

`{date}` is the day that a job runs for, as 2024-03-05; `{date-1d}` the day before, `{date+2d}` two
days after; what stands behind a colon is the form, in strftime's letters: `{date-1d:%Y%m%d}`. `{{`
and `}}` are braces.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Final

from loader.errors import SettingsError
from loader.text import counted

_FIELD: Final = re.compile(
    r"\{\{|\}\}|\{date(?P<shift>[+-]\d{1,5}d)?(?::(?P<form>[^{}]*))?\}|(?P<other>\{[^{}]*\}?|\})"
)
#: strftime's letters that a day has an answer for; `-` takes the zeros away where the system can.
_FORM: Final = re.compile(r"(?:[^%]|%-?[aAbBdGjmuUVwWyY]|%%)+")


def check(pattern: str) -> None:
    """Raises:
    ValueError: `pattern` has a field that is no date.
    """
    for match in _FIELD.finditer(pattern):
        if match["other"]:
            raise ValueError(
                f"{match['other']!r} in {pattern!r} is no date such as {{date}}, {{date-1d}} or "
                "{date:%Y%m%d}; a brace of its own is written twice"
            )
        if match["form"] is not None and not _FORM.fullmatch(match["form"]):
            raise ValueError(
                f"{match[0]!r} is no form of a day: strftime's letters such as %Y, %m, %d"
            )


def fill(pattern: str, day: date) -> str:
    """`pattern` for `day`.

    Raises:
        SettingsError: a day that it names is none of the calendar.
    """

    def filled(match: re.Match[str]) -> str:
        if match[0] in ("{{", "}}"):
            return match[0][0]
        moved = _moved(day, match)
        return moved.strftime(match["form"]) if match["form"] else moved.isoformat()

    return _FIELD.sub(filled, pattern)


def day_of(pattern: str, day: date) -> date:
    """The day whose bars `pattern` names on `day`: its first field's, or without any the day."""
    match = next((m for m in _FIELD.finditer(pattern) if m[0].startswith("{date")), None)
    return _moved(day, match) if match else day


def _moved(day: date, match: re.Match[str]) -> date:
    return _shifted(day, int(match["shift"][:-1])) if match["shift"] else day


def _shifted(day: date, days: int) -> date:
    try:
        return day + timedelta(days=days)
    except OverflowError:
        side = "before" if days < 0 else "after"
        raise SettingsError(
            f"{counted(abs(days), 'day')} {side} {day} is no day of the years 1 to 9999",
            hint="name another day: --date, --since and --until",
        ) from None


def window(day: date, days: int) -> list[date]:
    """The last `days` days up to `day`, oldest first. Raises as `fill`."""
    return [_shifted(day, -back) for back in reversed(range(days))]


def span(since: date, until: date) -> list[date]:
    """The days from `since` to `until`, both included."""
    return window(until, (until - since).days + 1)


def today(zone: tzinfo = UTC) -> date:
    """What day it is in `zone`."""
    return datetime.now(zone).date()

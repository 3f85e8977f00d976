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
from loader.lazy import regex
from loader.text import counted

_FIELD: Final = regex(
    r"\{\{|\}\}|\{date(?P<shift>[+-]\d{1,5}d)?(?::(?P<form>[^{}]*))?\}|(?P<other>\{[^{}]*\}?|\})"
)
#: Letters of strftime that a date can fill; `-` drops leading zeros where the system supports it.
_FORM: Final = regex(r"(?:[^%]|%-?[aAbBdGjmuUVwWyY]|%%)+")


def check(pattern: str) -> None:
    """Raises:
    ValueError: `pattern` has a field that is not a date.
    """
    for match in _FIELD.finditer(pattern):
        if match["other"]:
            raise ValueError(
                f"{match['other']!r} in {pattern!r} is not a date such as {{date}}, {{date-1d}} or "
                "{date:%Y%m%d}; write a literal brace twice"
            )
        if match["form"] is not None and not _FORM.fullmatch(match["form"]):
            raise ValueError(
                f"{match[0]!r} has a format that is not a date's: use strftime's %Y, %m, %d, …"
            )


def fill(pattern: str, day: date) -> str:
    """`pattern` with its dates filled in for `day`.

    Raises:
        SettingsError: a date is outside of the years 1 to 9999.
    """

    def filled(match: re.Match[str]) -> str:
        if match[0] in ("{{", "}}"):
            return match[0][0]
        moved = _moved(day, match)
        return moved.strftime(match["form"]) if match["form"] else moved.isoformat()

    return _FIELD.sub(filled, pattern)


def day_of(pattern: str, day: date) -> date:
    """The day that `pattern` asks for on `day`: that of its first field, or else `day`."""
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
            f"{counted(abs(days), 'day')} {side} {day} is outside of the years 1 to 9999",
            hint="name another day: --date, --since and --until",
        ) from None


def window(day: date, days: int) -> list[date]:
    """The last `days` days up to `day`, oldest first. Raises as `fill`."""
    return [_shifted(day, -back) for back in reversed(range(days))]


def span(since: date, until: date) -> list[date]:
    """The days from `since` to `until`, both included."""
    return window(until, (until - since).days + 1)


def today(zone: tzinfo = UTC) -> date:
    """Today's date in `zone`."""
    return datetime.now(zone).date()

"""Cron expressions, and the same times as systemd writes them."""

from __future__ import annotations

import calendar
import re
from collections.abc import Sequence
from typing import Final

from loader.lazy import dataclass, regex

_MONTHS: Final = (
    "jan",
    "feb",
    "mar",
    "apr",
    "may",
    "jun",
    "jul",
    "aug",
    "sep",
    "oct",
    "nov",
    "dec",
)
_DAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_NICKNAMES: Final = {
    "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0", "@daily": "0 0 * * *", "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}  # fmt: skip
_ITEM: Final = regex(r"(?P<first>\*|\w+)(-(?P<last>\w+))?(/(?P<step>\d+))?", re.ASCII)
_WEEK: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_LEAP_YEAR: Final = 2024


@dataclass(frozen=True)
class _Field:
    name: str
    least: int
    most: int
    words: Sequence[str] = ()


_FIELDS: Final = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of the month", 1, 31),
    _Field("month", 1, 12, ("", *_MONTHS)),
    _Field("day of the week", 0, 7, _DAYS),
)


@dataclass(frozen=True)
class Cron:
    """When a cron expression is due, in the machine's local time.

    Attributes:
        weekdays: 0 is Sunday.
        either: whether a day in `days` or in `weekdays` is due; else it must be in both. True if
            neither of the two fields begins with a star.
    """

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either: bool

    @classmethod
    def parse(cls, text: str) -> Cron:
        """Five fields as in crontab(5), or @daily and its like.

        Raises:
            ValueError: it is not a cron expression, or is never due; the message says why.
        """
        fields = _NICKNAMES.get(text.strip().lower(), text).split()
        if len(fields) != len(_FIELDS):
            raise ValueError(
                f"{text!r} is not a cron expression: minute, hour, day of the month, month, day of "
                "the week, as in '30 2 * * 1-5', or @daily"
            )
        read = [_read(part, field) for part, field in zip(fields, _FIELDS, strict=True)]
        minutes, hours, days, months, weekdays = read
        either = not (fields[2].startswith("*") or fields[4].startswith("*"))
        longest = max(calendar.monthrange(_LEAP_YEAR, month)[1] for month in months)
        if min(days) > longest and not either:
            raise ValueError(f"{text!r} is never due: none of its months has {min(days)} days")
        weekdays = frozenset(day % 7 for day in weekdays)
        return cls(minutes, hours, days, months, weekdays, either)

    def on_calendar(self) -> list[str]:
        """The same times for systemd: one or two values of OnCalendar=."""
        clock = f"{_listed(self.hours, _FIELDS[1])}:{_listed(self.minutes, _FIELDS[0])}:00"
        week = "" if len(self.weekdays) == 7 else f"{_week(self.weekdays)} "
        months, days = _listed(self.months, _FIELDS[3]), _listed(self.days, _FIELDS[2])
        if not self.either:
            return [f"{week}*-{months}-{days} {clock}"]
        return [f"*-{months}-{days} {clock}", f"{week}*-{months}-* {clock}"]


def _read(text: str, field: _Field) -> frozenset[int]:
    found: set[int] = set()
    for item in text.split(","):
        match = _ITEM.fullmatch(item)
        if not match or (match["first"] == "*" and match["last"]):
            raise ValueError(f"the {field.name} has {item!r}, which is not a number, range or step")
        first, last = field.least, field.most
        if match["first"] != "*":
            first = _number(match["first"], field)
            last = _number(match["last"], field) if match["last"] else first
            if match["step"] and not match["last"]:
                wanted = f"{match['first']}-{field.most}/{match['step']}"
                raise ValueError(f"the {field.name} has {item!r}: write {wanted!r}")
        step = int(match["step"] or 1)
        if first > last or not step:
            raise ValueError(f"the {field.name} has {item!r}, in which there is nothing")
        found.update(range(first, last + 1, step))
    return frozenset(found)


def _number(word: str, field: _Field) -> int:
    if word.isdecimal():
        number = int(word)
        if field.least <= number <= field.most:
            return number
        raise ValueError(
            f"the {field.name} has {word}, and goes from {field.least} to {field.most}"
        )
    if word.lower() in field.words:
        return field.words.index(word.lower())
    raise ValueError(f"{word!r} is not a value for the {field.name}")


def _listed(numbers: frozenset[int], field: _Field) -> str:
    if len(numbers) == field.most - field.least + 1:
        return "*"
    return ",".join(f"{first:02}" if first == last else f"{first:02}..{last:02}"
                    for first, last in _stretches(numbers))  # fmt: skip


def _week(days: frozenset[int]) -> str:
    from_monday = frozenset((day - 1) % 7 for day in days)
    return ",".join(_WEEK[first] if first == last else f"{_WEEK[first]}..{_WEEK[last]}"
                    for first, last in _stretches(from_monday))  # fmt: skip


def _stretches(numbers: frozenset[int]) -> list[tuple[int, int]]:
    """First and last number of each run of consecutive numbers."""
    found: list[tuple[int, int]] = []
    for number in sorted(numbers):
        if found and found[-1][1] == number - 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return found

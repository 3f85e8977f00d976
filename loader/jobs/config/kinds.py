"""Kinds of values that only jobs have."""

from __future__ import annotations

import re
import zoneinfo
from typing import Final

from loader.jobs.config import dates
from loader.jobs.config.cron import Cron
from loader.settings.kinds import TEXT, Kind, text

_SECONDS: Final = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400}
#: Seconds, of a time that the clocks of all systems can count.
LONGEST: Final = 3650 * 86_400.0
_DURATION: Final = r"(?P<number>\d+(?:\.\d+)?) *(?P<unit>ms|s|m|h|d)"
_TEXTS: Final = {
    "anyOf": [
        {"type": "string", "minLength": 1},
        {"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1},
    ]
}


def _texts(value: object) -> tuple[str, ...]:
    values = value if isinstance(value, list) and value else [value]
    return tuple(text(each) for each in values)


def _command(value: object) -> str | tuple[str, ...]:
    """A list keeps its words; a text is split where it is used."""
    return _texts(value) if isinstance(value, list) else text(value)


def _sources(value: object) -> tuple[str, ...]:
    patterns = _texts(value)
    for pattern in patterns:
        dates.check(pattern)
    return patterns


def _duration(value: object) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0:
        number, unit = str(value), "s"
    elif isinstance(value, str) and (match := re.fullmatch(_DURATION, value.strip())):
        number, unit = match["number"], match["unit"]
    else:
        raise ValueError
    seconds = float(number) * _SECONDS[unit]
    if seconds > LONGEST:
        raise ValueError(f"{value!r} is longer than ten years")
    return seconds


def _cron(value: object) -> str:
    words = " ".join(text(value).split())
    Cron.parse(words)
    return words


def _zone(value: object) -> zoneinfo.ZoneInfo:
    try:
        return zoneinfo.ZoneInfo(text(value))
    except (zoneinfo.ZoneInfoNotFoundError, OSError) as error:
        raise ValueError(f"{value!r} is not a time zone such as America/New_York") from error


SOURCES: Final = Kind("text, or a list of text", _TEXTS, _sources, is_path=True)
COMMAND: Final = Kind("a command or a URL: text, or a list of text", _TEXTS, _command)
DURATION: Final = Kind(
    "a time such as 30s, 5m or 2h",
    {"anyOf": [{"type": "number", "minimum": 0},
               {"type": "string", "pattern": r"^\d+(\.\d+)? *(ms|s|m|h|d)$"}]},
    _duration,
)  # fmt: skip
CRON: Final = Kind("a cron expression such as 30 2 * * 1-5", TEXT.schema, _cron, is_text=True)
ZONE: Final = Kind("a time zone such as America/New_York", TEXT.schema, _zone)

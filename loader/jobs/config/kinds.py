"""The kinds of values that mdload.toml holds: how each is read, named in errors, and declared to
editors."""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from loader.jobs.config import dates
from loader.jobs.config.cron import Cron

_SECONDS: Final = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400}
_DURATION: Final = r"(?P<number>\d+(?:\.\d+)?) *(?P<unit>ms|s|m|h|d)"
_TEXTS: Final = {
    "anyOf": [
        {"type": "string", "minLength": 1},
        {"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1},
    ]
}


@dataclass(frozen=True)
class Kind:
    """A kind of value.

    Attributes:
        word: completes "must be …".
        schema: the same for editors, as JSON Schema.
        read: gives the value as the program wants it; raises ValueError with nothing to say, or
            with a sentence that says more than `word`.
        is_text: whether any text is one, so that `--set symbol=1` stays the text 1.
        is_path: whether it names files, which then lie where mdload.toml does.
    """

    word: str
    schema: Mapping[str, Any] = field(repr=False)
    read: Callable[[object], Any] = field(repr=False)
    is_text: bool = False
    is_path: bool = False


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError
    return value


def _texts(value: object) -> tuple[str, ...]:
    values = value if isinstance(value, list) and value else [value]
    return tuple(_text(each) for each in values)


def _command(value: object) -> str | tuple[str, ...]:
    """A list keeps its words; a text is split where it is used."""
    return _texts(value) if isinstance(value, list) else _text(value)


def _sources(value: object) -> tuple[str, ...]:
    patterns = _texts(value)
    for pattern in patterns:
        dates.check(pattern)
    return patterns


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError
    return value


def _pairs(value: object) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise ValueError
    return {_text(name): _text(each) for name, each in value.items()}


def _limit(value: object) -> str:
    if isinstance(value, bool) or not re.fullmatch(r"\d+|\d+(\.\d+)? *%", str(value).strip()):
        raise ValueError
    return str(value).strip()


def _power(value: object) -> str:
    if isinstance(value, bool) or not re.fullmatch("10{0,18}", str(value)):
        raise ValueError
    return str(value)


def _duration(value: object) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0:
        return float(value)
    if not isinstance(value, str) or not (match := re.fullmatch(_DURATION, value.strip())):
        raise ValueError
    return float(match["number"]) * _SECONDS[match["unit"]]


def _cron(value: object) -> str:
    text = " ".join(_text(value).split())
    Cron.parse(text)
    return text


def _zone(value: object) -> zoneinfo.ZoneInfo:
    try:
        return zoneinfo.ZoneInfo(_text(value))
    except (zoneinfo.ZoneInfoNotFoundError, OSError) as error:
        raise ValueError(f"{value!r} is no time zone such as America/New_York") from error


def whole(least: int, most: int | None = None) -> Kind:
    """A whole number in a range."""

    def read(value: object) -> int:
        if type(value) is not int or value < least or (most is not None and value > most):
            raise ValueError
        return value

    span = f"of {least} or more" if most is None else f"from {least} to {most:,}"
    upper = {} if most is None else {"maximum": most}
    return Kind(f"a whole number {span}", {"type": "integer", "minimum": least, **upper}, read)


def choice(*words: str) -> Kind:
    """One of some words."""

    def read(value: object) -> str:
        if value not in words:
            raise ValueError
        return str(value)

    return Kind(f"one of {', '.join(words)}", {"enum": list(words)}, read)


TEXT: Final = Kind("text", {"type": "string", "minLength": 1}, _text, is_text=True)
PATH: Final = Kind("the path of a file", TEXT.schema, _text, is_text=True, is_path=True)
SOURCES: Final = Kind("text, or a list of text", _TEXTS, _sources, is_path=True)
COMMAND: Final = Kind("a command or a URL: text, or a list of text", _TEXTS, _command)
FLAG: Final = Kind("true or false", {"type": "boolean"}, _flag)
PAIRS: Final = Kind(
    "a table of text", {"type": "object", "additionalProperties": {"type": "string"}}, _pairs
)
LIMIT: Final = Kind(
    "a number of rows, or a share such as 0.5%",
    {"anyOf": [{"type": "integer", "minimum": 0},
               {"type": "string", "pattern": r"^\d+(\.\d+)? *%$|^\d+$"}]},
    _limit,
)  # fmt: skip
POWER: Final = Kind(
    "a power of ten such as 100",
    {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": "^10{0,18}$"}]},
    _power,
)
DURATION: Final = Kind(
    "a time such as 30s, 5m or 2h",
    {"anyOf": [{"type": "number", "minimum": 0},
               {"type": "string", "pattern": r"^\d+(\.\d+)? *(ms|s|m|h|d)$"}]},
    _duration,
)  # fmt: skip
CRON: Final = Kind("a cron expression such as 30 2 * * 1-5", TEXT.schema, _cron, is_text=True)
ZONE: Final = Kind("a time zone such as America/New_York", TEXT.schema, _zone)

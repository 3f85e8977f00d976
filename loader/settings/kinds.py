"""The kinds of values that options hold: how each is read, named in errors, and declared to
editors."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Any, Final

from loader.lazy import dataclass

#: PostgreSQL's bigint.
LARGEST: Final = 2**63 - 1


@dataclass(frozen=True)
class Kind:
    """A kind of value.

    Attributes:
        word: completes "must be …".
        schema: the kind as JSON Schema, for editors; the command line takes its type from it.
        read: turns a value of mdload.toml into the program's. Raises ValueError: without a text
            where `word` says enough, else with a sentence of its own.
        is_text: whether any text is valid, so that `--set symbol=1` stays the text 1.
        is_path: whether it names files; relative paths start in the folder of mdload.toml.
    """

    word: str
    schema: Mapping[str, Any] = field(repr=False)
    read: Callable[[object], Any] = field(repr=False)
    is_text: bool = False
    is_path: bool = False


def text(value: object) -> str:
    """Raises:
    ValueError: `value` is empty or not a text.
    """
    if not isinstance(value, str) or not value:
        raise ValueError
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError
    return value


def _pairs(value: object) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise ValueError
    return {text(name): text(each) for name, each in value.items()}


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise ValueError
    return tuple(value)


def _table(value: object) -> dict[str, str]:
    if not isinstance(value, Mapping) or not all(isinstance(v, str) for v in value.values()):
        raise ValueError
    return dict(value)


def _limit(value: object) -> str:
    if isinstance(value, bool) or not re.fullmatch(r"\d+|\d+(\.\d+)? *%", str(value).strip()):
        raise ValueError
    return str(value).strip()


def _power(value: object) -> str:
    if isinstance(value, bool) or not re.fullmatch("10{0,18}", str(value)):
        raise ValueError
    return str(value)


def whole(least: int, most: int | None = None) -> Kind:
    """A whole number in a range; without `most` as far as the database counts."""
    last = LARGEST if most is None else most

    def read(value: object) -> int:
        if type(value) is not int or not least <= value <= last:
            raise ValueError
        return value

    span = f"of {least} or more" if most is None else f"from {least} to {most:,}"
    return Kind(
        f"a whole number {span}", {"type": "integer", "minimum": least, "maximum": last}, read
    )


def choice(*words: str) -> Kind:
    """One of some words."""

    def read(value: object) -> str:
        if value not in words:
            raise ValueError
        return str(value)

    return Kind(f"one of {', '.join(words)}", {"enum": list(words)}, read)


def _signs(value: object) -> tuple[str, ...]:
    if isinstance(value, tuple):  # read from mdload.toml already
        return value
    words = tuple(dict.fromkeys(word.strip() for word in text(value).split(",")))
    if unknown := [word for word in words if word not in _REFUSING]:
        raise ValueError(f"has {unknown[0]!r}: the kinds are {', '.join(_REFUSING)}")
    return words


#: Findings of the guard that refuse a file.
_REFUSING: Final = (
    "shift", "price_scale", "volume_scale", "other_series", "restated", "gone", "shorter",
    "period",
)  # fmt: skip
SIGNS: Final = Kind(
    f"some of {', '.join(_REFUSING)}, with commas between",
    {"type": "string", "pattern": f"^ *({'|'.join(_REFUSING)}) *(, *({'|'.join(_REFUSING)}) *)*$"},
    _signs,
)
TEXT: Final = Kind("text", {"type": "string", "minLength": 1}, text, is_text=True)
PATH: Final = Kind("the path of a file", TEXT.schema, text, is_text=True, is_path=True)
FLAG: Final = Kind("true or false", {"type": "boolean"}, _flag)
PAIRS: Final = Kind(
    "a table of text", {"type": "object", "additionalProperties": {"type": "string"}}, _pairs
)
TEXTS: Final = Kind("a list of text", {"type": "array", "items": {"type": "string"}}, _texts)
#: As `PAIRS`, with empty texts: a pattern of empty cells.
TABLE: Final = Kind(PAIRS.word, PAIRS.schema, _table)
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

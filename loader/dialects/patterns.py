"""What folders and names say of the bars below them: `symbol=AAPL/`, and patterns of the person's
such as `{symbol}_{interval}.csv`."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from functools import cache
from typing import Final
from urllib.parse import unquote

from loader.errors import SettingsError
from loader.lazy import regex

#: Fields of a pattern, each with what it can be in a name.
_FIELDS: Final[Mapping[str, str]] = {
    "symbol": r"[^/!]+?",
    "interval": r"[A-Za-z0-9]+",
    "provider": r"[^/!]+?",
    "date": r"\d{4}(?:[-_]?\d\d(?:[-_]?\d\d)?)?",
}
_FIELD: Final = regex(r"\{(\w*)\}")
_TOKEN: Final = regex(r"(\{\w*\}|\*)")
_FOLDER: Final = regex(r"([^=]+)=(.*)")
#: What Hive and Spark write for a null.
_NULL: Final = "__HIVE_DEFAULT_PARTITION__"
_DAY: Final = ("year", "month", "day")


def is_pattern(text: str) -> bool:
    """Whether `text` is such a pattern, not a regular expression."""
    return "(?P<" not in text and any(name in _FIELDS for name in _FIELD.findall(text))


@cache
def expression(pattern: str) -> str:
    """The regular expression, to be found in a path, of a pattern; its groups have the names of the
    fields. `*` stands for any part of one name. The pattern begins with a whole name of a file or
    folder and ends with the path, before the suffix of a compression.

    Raises:
        SettingsError: a field is not known, or braces do not match.
    """
    made, seen = [], set()
    for part in _TOKEN.split(pattern):
        name = part[1:-1] if _FIELD.fullmatch(part) else None
        if name is not None and name not in _FIELDS:
            near = difflib.get_close_matches(name, _FIELDS, n=1)
            raise SettingsError(
                f"{pattern!r} has the field {part}, which a name does not give",
                option="--name",
                hint=f"did you mean {{{near[0]}}}?" if near
                else f"fields are {', '.join(f'{{{field}}}' for field in _FIELDS)}; * is any text",
            )  # fmt: skip
        if name is not None:
            made.append(f"(?P={name})" if name in seen else f"(?P<{name}>{_FIELDS[name]})")
            seen.add(name)
        elif part == "*":
            made.append(r"[^/!]*")
        elif {"{", "}"} & set(part):
            hint = "for example '{symbol}_{interval}.csv'"
            raise SettingsError(f"{pattern!r} has a brace alone", option="--name", hint=hint)
        else:
            made.append(re.escape(part).replace("/", "[/!]"))
    return rf"(?:^|[/!]){''.join(made)}(?:\.(?:gz|zst|xz|bz2))?$"


def in_name(path: str, pattern: str) -> dict[str, str] | None:
    """The fields that a path has by the person's pattern; None if it does not fit.

    Raises:
        SettingsError: the pattern is wrong.
    """
    found = re.search(expression(pattern), path)
    return None if found is None else found.groupdict()


def in_folders(path: str) -> dict[str, str]:
    """The values of folders such as `symbol=AAPL`, by their keys, decoded as in a URL; `date` too
    where folders give year, month and day. The innermost of two counts."""
    found = {}
    for folder in re.split("[/!]", path)[:-1]:
        if (match := _FOLDER.fullmatch(folder)) and match[2] not in ("", _NULL):
            found[match[1]] = unquote(match[2])
    if "date" not in found and all(found.get(part, "").isdecimal() for part in _DAY):
        year, month, day = (found[part] for part in _DAY)
        found["date"] = f"{year:0>4}-{month:0>2}-{day:0>2}"
    return found

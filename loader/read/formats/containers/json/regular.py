"""Rows of JSON that are written alike: a pattern for them; and arrays under a row of names."""

from __future__ import annotations

import re
from typing import Any, Final

from loader.lazy import regex
from loader.read.formats.containers.json.values import DECODER, flat

_WIDEST: Final = 40  # columns that the pattern is faster for than the json module
_NUMBER: Final = r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?"
#: What a value may look like where all rows are regular, with a group that is unset for null. No
#: two alternatives begin alike: the engine would be ten times slower if it had to go back.
_STRING_CELL: Final = r'(?:"([ -!#-\[\]-~]+)?"|null)'
_OTHER_CELL: Final = rf"(?:({_NUMBER}|true|false)|null)"
_TOKEN: Final = regex(
    r'(?P<key>"[^"]*"\s*:)|(?P<string>"[^"]*")|(?P<other>-?[0-9][0-9.eE+-]*|true|false|null)'
)
#: Texts that are never names of columns.
_VALUE: Final = regex(r"\s*[-+]?[0-9].*|true|false|\s*", re.DOTALL)


def pattern(row: str, columns: list[str]) -> tuple[str, list[str]]:
    """A pattern for rows like `row`, without their outer brackets, and the columns of its groups;
    blank where there is none, or matching would be slow."""
    try:
        value = flat(DECODER.decode(row))
    except (ValueError, RecursionError):
        return "", []
    names = list(value) if isinstance(value, dict) else columns
    found, end, cells = "^", 1, 0
    for token in _TOKEN.finditer(row):
        found += re.escape(row[end : token.start()])
        end = token.end()
        if token["key"]:
            found += re.escape(token["key"])
        else:
            found += _STRING_CELL if token["string"] else _OTHER_CELL
            cells += 1
    fits = 0 < cells == len(value) == len(names) <= _WIDEST and set(names) <= set(columns)
    if not fits or "\\" in row:
        return "", []
    return f"{found}{re.escape(row[end:-1])}$", names


def head(rows: list[Any]) -> list[str]:
    """The first of the `rows` if it is an array of names, and the next one an array of values; else
    none. Numbers are text here, as everywhere."""
    first, second = rows[:2] if rows[1:] else ([], [])
    if not isinstance(first, list) or not isinstance(second, list):
        return []
    if not all(isinstance(cell, str) and not _VALUE.fullmatch(cell) for cell in first):
        return []
    filled = (cell for cell in second if isinstance(cell, str) and cell.strip())
    values = any(_VALUE.fullmatch(cell) for cell in filled)
    return first if values and len(set(first)) == len(first) == len(second) else []

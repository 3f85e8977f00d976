"""Finds the line of a key in a TOML text, which tomllib does not report."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from typing import Any, Final

from loader.lazy import regex

_KEY: Final = regex(r"""\s*((?:[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*'|[ \t]*\.[ \t]*)+?)[ \t]*=""")

Path = tuple[str, ...]


def line_of(text: str, path: Sequence[str]) -> int:
    """The line (from 1) of the key `path`, or of the nearest table around it that has one."""
    found: dict[Path, int] = {}
    table: Path = ()
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("["):
            table = _names(line) or table
            found.setdefault(table, number)
        elif match := _KEY.match(line):
            found.setdefault((*table, *_names(f"{match[1]} = 0")), number)
    for length in range(len(path), 0, -1):
        if (at := found.get(tuple(path[:length]))) is not None:
            return at
        inside = [n for key, n in found.items() if key[:length] == tuple(path[:length])]
        if inside:  # a table that exists only by dotted keys
            return min(inside)
    return 1


def _names(line: str) -> Path:
    """The keys in a header or an assignment, as TOML reads them."""
    try:
        inner: Any = tomllib.loads(line)
    except tomllib.TOMLDecodeError:  # a line of a list or of a text over several lines
        return ()
    names: list[str] = []
    while isinstance(inner, dict) and inner:
        name, inner = next(iter(inner.items()))
        names.append(name)
    return tuple(names)

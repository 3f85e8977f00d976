"""Hints for programs: options of the command line as arguments of Python."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from loader.errors import MdloadError
from loader.lazy import regex

#: Options that are arguments too.
_OPTION: Final = regex(
    r"--(provider|symbol|interval|timezone|dialect|stamp|name|pin|accept)(?: (?!and\b|or\b)"
    r"('[^']*'|[^\s,;]+))?"
)
_COLUMN: Final = regex(r"--column (\w+)=('[^']*'|\S+)")


@contextmanager
def in_python_terms() -> Iterator[None]:
    """Adds the hint of an error as a note (PEP 678), with arguments instead of options."""
    try:
        yield
    except MdloadError as error:
        if error.hint and not getattr(error, "__notes__", None):
            hint = _COLUMN.sub(_column, error.hint)
            error.add_note(_OPTION.sub(_argument, hint))
        raise


def _column(found: re.Match[str]) -> str:
    name = found[2].strip("'")
    return f"columns={{{found[1]!r}: {name!r}}}"


def _argument(found: re.Match[str]) -> str:
    value = (found[2] or "").strip("'")
    return f"{found[1]}={value!r}" if value else f"{found[1]}=…"

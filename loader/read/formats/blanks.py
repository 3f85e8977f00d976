"""Tables in which runs of blanks stand between the cells, as people and old programs write them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from loader.lazy import regex
from loader.read import bounds

#: What divides other tables, and what keeps blanks within a cell.
_OTHERS: Final = b',;\t|"'
#: A bar has a time and four prices.
_FEWEST_CELLS: Final = 5
#: A header and a row.
_FEWEST_LINES: Final = 2
_EDGES: Final = regex(rb"^ +| +(?=\r?$)", re.MULTILINE)
_RUN: Final = regex(rb" +")


def divide(head: bytes) -> bool:
    """Whether blanks, and nothing else, cut the whole lines `head` into equally many cells."""
    if b" " not in head or any(mark in head for mark in _OTHERS):
        return False
    widths = [len(line.split()) for line in head.splitlines() if line.strip()]
    alike = len(widths) >= _FEWEST_LINES and len(set(widths)) == 1
    return alike and widths[0] >= _FEWEST_CELLS


def as_tabs(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The text of `pieces` with a tab for each run of blanks, and none at the ends of lines."""
    rest = b""
    for piece in pieces:
        lines, end, rest = (rest + piece).rpartition(b"\n")
        if end:
            yield _with_tabs(lines) + end
        if len(rest) > bounds.ROW:  # refused as it is
            yield rest
            rest = b""
    if rest:
        yield _with_tabs(rest)


def _with_tabs(lines: bytes) -> bytes:
    return _RUN.sub(b"\t", _EDGES.sub(b"", lines))

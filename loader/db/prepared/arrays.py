"""Columns of bars as arrays of PostgreSQL, in its binary form: floats bit for bit, and neither side
writes or reads a number as text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from struct import Struct, error
from typing import Any, Final

from loader.bars.columns import Type

#: Number of dimensions, whether there are NULLs, type of the elements, their number, first index.
_HEAD: Final = Struct("!iiIii")
_LENGTH: Final = Struct("!i")
_NULL: Final = _LENGTH.pack(-1)
#: Times are microseconds since then.
EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_TEXT: Final = 25
#: The number of each type, and how Python packs a value of it, all of which have eight bytes.
_PACKED: Final[Mapping[Type, tuple[int, str]]] = {
    "timestamptz": (1184, "q"), "double precision": (701, "d"), "bigint": (20, "q"),
}  # fmt: skip


class Array(bytes):
    """A parameter of a prepared statement that is sent in the binary format."""

    __slots__ = ()


def microseconds(time: datetime) -> int:
    """A time with a zone, as the server counts."""
    return (time - EPOCH) // _MICROSECOND


def texts(words: Sequence[bytes]) -> Array:
    """An array of texts, each of which `text` has encoded."""
    return Array(_head(_TEXT, len(words)) + b"".join(words))


def text(word: str) -> bytes:
    """One element of `texts`."""
    encoded = word.encode()
    return _LENGTH.pack(len(encoded)) + encoded


def numbers(kind: Type, values: Sequence[float | None]) -> Array:
    """An array of numbers, or of times in `microseconds`. None is NULL."""
    oid, letter = _PACKED[kind]
    rows = len(values)
    cells: list[float | None] = [8] * (2 * rows)
    cells[1::2] = values
    try:
        return Array(_head(oid, rows) + _packer(letter, rows)(*cells))
    except error:  # of a NULL
        pack = _packer(letter, 1)
        packed = [_NULL if value is None else pack(8, value) for value in values]
        return Array(_head(oid, rows, nulls=True) + b"".join(packed))


def array(kind: Type, values: Sequence[Any]) -> Array:
    """The array of a column of bars, with values as Python has them."""
    if kind == "text":
        return texts([text(word) for word in values])
    if kind == "timestamptz":
        return numbers(kind, [microseconds(time) for time in values])
    return numbers(kind, values)


@lru_cache(64)
def _packer(letter: str, rows: int) -> Callable[..., bytes]:
    return Struct("!" + f"i{letter}" * rows).pack


def _head(oid: int, rows: int, *, nulls: bool = False) -> bytes:
    return _HEAD.pack(1, nulls, oid, rows, 1)

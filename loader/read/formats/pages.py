"""How large the pages of a Parquet file are once they are unpacked, read from their headers.

PyArrow unpacks a page at once, and a page of a few kilobytes may say that it holds two gigabytes.
The headers are in Thrift's compact protocol, see parquet-format and its `parquet.thrift`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

#: Bytes read at a page: a header with statistics of short values fits.
_LOOK: Final = 512
#: Bytes that a header may have.
_LONGEST: Final = 1 << 20
#: Thrift's types.
_STOP, _TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = (
    0, 1, 2, 3, 7, 8, 9, 10, 11, 12,
)  # fmt: skip
_NUMBERS: Final = (4, 5, 6)
_DEEPEST: Final = 16


class _TooShort(Exception):
    """The bytes end inside the header."""


class _Strange(Exception):
    """It is not a header, or one of a kind that is not known here."""


def largest_page(file: Any, chunk: Any) -> int:
    """Bytes that the largest page of a column chunk unpacks to.

    Args:
        file: a seekable file of PyArrow's.
        chunk: the metadata of the chunk, a `ColumnChunkMetaData`.

    Looks no further than a page whose header it does not understand: PyArrow will not either.
    """
    return max((unpacked for unpacked, _ in _pages(file, chunk)), default=0)


def _pages(file: Any, chunk: Any) -> Iterator[tuple[int, int]]:
    at = chunk.data_page_offset
    if chunk.has_dictionary_page and 0 < (chunk.dictionary_page_offset or 0) < at:
        at = chunk.dictionary_page_offset
    end = at + chunk.total_compressed_size
    while at < end:
        header = _header(file, at, end)
        if header is None:
            return
        length, unpacked, packed = header
        yield unpacked, packed
        at += length + packed


def _header(file: Any, at: int, end: int) -> tuple[int, int, int] | None:
    """The length of the header at `at`, and the sizes of its page: unpacked, packed."""
    look = _LOOK
    while look <= _LONGEST:
        file.seek(at)
        data = file.read(min(look, end - at))
        try:
            fields, length = _struct(data, 0, 0)
        except _TooShort:
            if len(data) < look:
                return None
            look *= 8
        except _Strange:
            return None
        else:
            unpacked, packed = fields.get(2), fields.get(3)
            if unpacked is None or packed is None or unpacked < 0 or packed < 0:
                return None
            return length, unpacked, packed
    return None


def _struct(data: bytes, at: int, depth: int) -> tuple[dict[int, int], int]:
    """The integers of a struct by their numbers, and where it ends."""
    if depth > _DEEPEST:
        raise _Strange
    found: dict[int, int] = {}
    number = 0
    while True:
        head = _byte(data, at)
        at += 1
        kind = head & 15
        if kind == _STOP:
            return found, at
        if head >> 4:
            number += head >> 4
        else:
            number, at = _zigzag(data, at)
        if kind in _NUMBERS:
            found[number], at = _zigzag(data, at)
        else:
            at = _after(data, at, kind, depth)


def _after(data: bytes, at: int, kind: int, depth: int) -> int:
    """Where a value of another type ends."""
    if kind in (_TRUE, _FALSE):
        return at
    if kind == _BYTE:
        return at + 1
    if kind == _DOUBLE:
        return at + 8
    if kind == _BINARY:
        size, at = _varint(data, at)
        return at + size
    if kind == _STRUCT:
        return _struct(data, at, depth + 1)[1]
    if kind in (_LIST, _SET):
        head = _byte(data, at)
        size, at = (head >> 4, at + 1) if head >> 4 < 15 else _varint(data, at + 1)
        for _ in range(size):
            of = head & 15
            at = _zigzag(data, at)[1] if of in _NUMBERS else _after(data, at, of, depth + 1)
            if at > len(data):
                raise _TooShort
        return at
    raise _Strange


def _byte(data: bytes, at: int) -> int:
    if at >= len(data):
        raise _TooShort
    return data[at]


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while shift < 64:
        byte = _byte(data, at)
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
    raise _Strange


def _zigzag(data: bytes, at: int) -> tuple[int, int]:
    value, at = _varint(data, at)
    return (value >> 1) ^ -(value & 1), at

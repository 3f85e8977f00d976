"""How large the pages of a Parquet file are once they are unpacked, read from their headers.

PyArrow unpacks a page at once, and a page of a few kilobytes may say that it holds two gigabytes.
It also spells out the words of a dictionary, and one long word may stand in every row. The headers
are in Thrift's compact protocol, see parquet-format and its `parquet.thrift`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
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
#: The type of a page that holds a dictionary.
_DICTIONARY: Final = 2
#: Bytes of a dictionary whose words are measured; the usual limit of writers is 1 MB.
_MEASURED: Final = 4 << 20


class _TooShort(Exception):
    """The bytes end inside the header."""


class _Strange(Exception):
    """It is not a header, or one of a kind that is not known here."""


@dataclass(frozen=True, slots=True)
class Page:
    """Where the page's bytes begin, behind its header, and what that says of them."""

    kind: int
    start: int
    packed: int
    unpacked: int


def longest_word(file: Any, chunk: Any) -> int:
    """Bytes of the longest word in the dictionary of a chunk of text; 0 where it has none. An upper
    bound for a dictionary that is large, or packed in a way that is not known here."""
    first = next(_pages(file, chunk), None)
    if first is None or first.kind != _DICTIONARY:
        return 0
    if first.unpacked > _MEASURED:
        return first.unpacked
    file.seek(first.start)
    data = _unpacked(bytes(file.read(first.packed)), chunk.compression, first.unpacked)
    longest = at = 0
    while data is not None and at + 4 <= len(data):
        size = int.from_bytes(data[at : at + 4], "little")
        longest = max(longest, size)
        at += 4 + size
    return longest if data is not None and at == len(data) else first.unpacked


def _unpacked(data: bytes, compression: str, size: int) -> bytes | None:
    import pyarrow as pa  # noqa: PLC0415 - so that containers are discovered quickly

    if compression == "UNCOMPRESSED":
        return data
    try:
        return bytes(pa.Codec(compression.lower()).decompress(data, size))
    except (pa.ArrowException, OSError, ValueError):
        return None


def largest_page(file: Any, chunk: Any) -> int:
    """Bytes that the largest page of a column chunk unpacks to.

    Args:
        file: a seekable file of PyArrow's.
        chunk: the metadata of the chunk, a `ColumnChunkMetaData`.

    Looks no further than a page whose header it does not understand: PyArrow will not either.
    """
    return max((page.unpacked for page in _pages(file, chunk)), default=0)


def has_late_dictionary(file: Any, chunk: Any) -> bool:
    """Whether a page other than the first is a dictionary, so that `longest_word` missed it."""
    return any(
        number and page.kind == _DICTIONARY for number, page in enumerate(_pages(file, chunk))
    )


def _pages(file: Any, chunk: Any) -> Iterator[Page]:
    at = chunk.data_page_offset
    if chunk.has_dictionary_page and 0 < (chunk.dictionary_page_offset or 0) < at:
        at = chunk.dictionary_page_offset
    end = at + chunk.total_compressed_size
    while at < end:
        page = _page(file, at, end)
        if page is None:
            return
        yield page
        at = page.start + page.packed


def _page(file: Any, at: int, end: int) -> Page | None:
    """The page that the header at `at` describes."""
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
            return Page(fields.get(1, 0), at + length, packed, unpacked)
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

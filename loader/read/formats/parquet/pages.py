"""What the pages of a Parquet file say of themselves: how large they are once they are unpacked.

PyArrow unpacks a page at once, and a page of a few kilobytes may say that it holds two gigabytes.
It also spells out the words of a dictionary, and one long word may stand in every row; and over
some headers that it cannot read it takes gigabytes as well. What the fields are is in
parquet-format's `parquet.thrift`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from loader.lazy import dataclass
from loader.read.formats.parquet import thrift
from loader.read.formats.parquet.footer import Chunk

#: Bytes read at a page: a header with statistics of short values fits.
_LOOK: Final = 512
#: Bytes that a header may have.
_LONGEST: Final = 1 << 20
#: Bytes by which old writers understate a chunk that has a dictionary (PARQUET-816).
_UNDERSTATED: Final = 100
#: The types of pages: two kinds of values, and a dictionary; each with the field that has more.
_VALUES: Final = {0: 5, 3: 8}
_DICTIONARY: Final = 2
_FIELDS: Final[thrift.Fields] = {5: {}, 7: {}, 8: {}}
#: Bytes of a dictionary whose words are measured; the usual limit of writers is 1 MB.
_MEASURED: Final = 4 << 20


class Damaged(Exception):
    """A page cannot be what its header says; the message is the end of a sentence."""


@dataclass(frozen=True, slots=True)
class Page:
    """Where the page's bytes begin, behind its header, and what that says of them."""

    is_dictionary: bool
    values: int
    start: int
    packed: int
    unpacked: int


def pages(file: Any, chunk: Chunk) -> Iterator[Page]:
    """The pages of a chunk, as far as they have its values: PyArrow reads no further.

    Args:
        file: a seekable file of PyArrow's.

    Raises:
        Damaged: a header cannot be read, or is not followed by so much; a dictionary has more
            words than bytes, or stands behind another page.
    """
    at, end = chunk.start, chunk.start + chunk.packed + _UNDERSTATED
    seen, first = 0, True
    while seen < chunk.values:
        page = _page(file, at, end)
        if page.is_dictionary:
            if not first:
                raise Damaged("has a dictionary behind its first page")
            if page.values > page.unpacked:
                raise Damaged(f"has a dictionary of {page.values:,} words in {page.unpacked} bytes")
        else:
            seen += page.values
        yield page
        at, first = page.start + page.packed, False


def dictionary_size(file: Any, chunk: Chunk) -> int:
    """Bytes of the dictionary of a chunk; 0 where it has none, or none that can be read."""
    first = _first(file, chunk)
    return first.unpacked if first is not None and first.is_dictionary else 0


def longest_word(file: Any, chunk: Chunk) -> int:
    """Bytes of the longest word in the dictionary of a chunk of text; 0 where it has none, or none
    that can be read. An upper bound for a dictionary that is large, or packed in a way that is not
    known here."""
    first = _first(file, chunk)
    if first is None or not first.is_dictionary:
        return 0
    if first.unpacked > _MEASURED:
        return first.unpacked
    file.seek(first.start)
    data = _unpacked(bytes(file.read(first.packed)), chunk.codec, first.unpacked)
    longest = at = 0
    while data is not None and at + 4 <= len(data):
        size = int.from_bytes(data[at : at + 4], "little")
        longest = max(longest, size)
        at += 4 + size
    return longest if data is not None and at == len(data) else first.unpacked


def _first(file: Any, chunk: Chunk) -> Page | None:
    try:
        return next(pages(file, chunk), None)
    except Damaged:
        return None


def _unpacked(data: bytes, codec: str, size: int) -> bytes | None:
    import pyarrow as pa  # noqa: PLC0415 - so that containers are discovered quickly

    if not codec:
        return data
    try:
        return bytes(pa.Codec(codec).decompress(data, size))
    except (pa.ArrowException, OSError, ValueError):
        return None


def _page(file: Any, at: int, end: int) -> Page:
    """The page that the header at `at` describes."""
    look = _LOOK
    while True:
        file.seek(at)
        data = file.read(max(min(look, end - at), 0))
        try:
            fields, length = thrift.struct(data, 0, _FIELDS)
        except thrift.TooShort:
            if len(data) < look or look > _LONGEST:
                raise Damaged(f"has a page at byte {at:,} that does not end") from None
            look *= 8
        except thrift.Strange:
            raise Damaged(f"has a page at byte {at:,} that cannot be read") from None
        else:
            break
    kind, unpacked, packed = fields.get(1, 0), fields.get(2, -1), fields.get(3, -1)
    values = fields.get(_VALUES.get(kind, 7), {}).get(1, 0)
    if min(unpacked, packed, values) < 0 or packed > end - at - length:
        raise Damaged(f"has a page at byte {at:,} that is larger than its place")
    return Page(kind == _DICTIONARY, values, at + length, packed, unpacked)

"""The footer of a Parquet file: how many values each column has in each row group, and where.

PyArrow reads it too, and says what is wrong with it. But where it is asked for a column of a row
group, it ends the process over some damage; so that it is not asked.
"""

from __future__ import annotations

from typing import Any, Final

from loader.errors import Unfinished
from loader.lazy import dataclass
from loader.read.bounds import refuse_pair
from loader.read.formats.parquet import thrift

_MARK: Final = b"PAR1"
#: The length of the footer and the mark, at the end of the file.
_TAIL: Final = 8
#: Read from a file's end at first: mostly all of the footer.
_LOOK: Final = 1 << 16
#: Of the row groups the columns, of these the metadata, of this the statistics.
_FIELDS: Final[thrift.Fields] = {4: [{1: [{3: {12: {5: bytes, 6: bytes}}}]}]}
_CODECS: Final = ("", "snappy", "gzip", "lzo", "brotli", "lz4", "zstd", "lz4_raw")


@dataclass(frozen=True, slots=True)
class Chunk:
    """What the footer says of one column in one row group.

    Attributes:
        start: where its first page begins: its dictionary, if it has one.
        packed, unpacked: bytes of its pages with their headers.
        end: the place behind its pages, its indexes and its Bloom filter.
        codec: the name of its compression as PyArrow has it; empty where it has none.
        span: its lowest and its highest value, as they are in the pages; None where some are null,
            or nothing is known of them.
    """

    values: int
    start: int
    packed: int
    unpacked: int
    end: int
    codec: str
    span: tuple[bytes, bytes] | None


@dataclass(frozen=True, slots=True)
class Group:
    """A row group, with a chunk for each column."""

    rows: int
    chunks: list[Chunk]


def footer(file: Any) -> bytes:
    """The footer as a file of its own, which PyArrow can read; all of `file`, which is seekable,
    where it has none."""
    file.seek(0, 2)
    size = file.tell()
    data = _end(file, size, _LOOK)
    long = int.from_bytes(data[-_TAIL:-4], "little") + _TAIL
    if data[-4:] != _MARK or long + len(_MARK) > size:
        return data
    if long > len(data):
        data = _end(file, size, long)
    return _MARK + data[-long:]


def _end(file: Any, size: int, wanted: int) -> bytes:
    file.seek(max(size - wanted, 0))
    return bytes(file.read(wanted))


def groups(data: bytes, columns: int, name: str) -> list[Group]:
    """The row groups, each with as many `columns`, from what `footer` gives.

    Raises:
        Unfinished: it cannot be read, or a group has other columns.
    """
    try:
        found, _ = thrift.struct(data, len(_MARK), _FIELDS)
    except (thrift.TooShort, thrift.Strange) as exc:
        raise _damaged(name, "its footer cannot be read") from exc
    read = [
        Group(group.get(3, 0), [_chunk(column) for column in group.get(1, [])])
        for group in found.get(4, [])
    ]
    for number, group in enumerate(read, start=1):
        if len(group.chunks) != columns:
            has = f"{len(group.chunks):,} of {columns:,} columns"
            raise _damaged(name, f"row group {number:,} has {has}")
        if any(chunk.start < 0 or chunk.packed < 0 for chunk in group.chunks):
            raise _damaged(name, f"a column of row group {number:,} is nowhere in the file")
    return read


def refuse_joined(file: Any, data: bytes, found: list[Group], name: str) -> None:
    """A file behind another one: the places in its footer lie in the first one, and what only one
    of them has would be lost.

    Args:
        data: from `footer`.

    Raises:
        UnreadableFile: the end of one file and the start of the next stand where this one begins.
    """
    file.seek(0, 2)
    begins = file.tell() - len(data) + len(_MARK)
    begins -= max((chunk.end for group in found for chunk in group.chunks), default=len(_MARK))
    if begins > _TAIL:
        file.seek(begins - len(_MARK))
        refuse_pair(file.read(2 * len(_MARK)), _MARK, "Parquet files", name)


def _damaged(name: str, what: str) -> Unfinished:
    return Unfinished.of(
        name,
        f"is damaged or cut short: {what}",
        hint="get the file again from where it came, or write it again",
    )


def _chunk(column: dict[int, Any]) -> Chunk:
    about = column.get(3, {})
    first, dictionary, codec = about.get(9, 0), about.get(11, 0), about.get(4, 0)
    about_values = about.get(12, {})
    known = about_values.get(3, -1) == 0 and {5, 6} <= about_values.keys()
    start = dictionary if 0 < dictionary < first else first
    packed = about.get(7, 0)
    beside = ((column, 4, 5), (column, 6, 7), (about, 14, 15))  # offsets, values, Bloom filter
    ends = (part.get(at, 0) + part.get(size, 0) for part, at, size in beside)
    return Chunk(
        values=about.get(5, 0),
        start=start,
        packed=packed,
        end=max(start + packed, *ends),
        unpacked=about.get(6, 0),
        codec=_CODECS[codec] if 0 <= codec < len(_CODECS) else "",
        span=(about_values[6], about_values[5]) if known else None,
    )

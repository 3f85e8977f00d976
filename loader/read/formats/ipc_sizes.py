"""How large the record batches of Arrow IPC are once they are unpacked.

PyArrow unpacks a batch at once. In its message each compressed buffer begins with the size that it
unpacks to. The messages are FlatBuffers, see `Message.fbs` and `File.fbs` of the Arrow format.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from loader.read import bounds

#: A batch may unpack to this much in any case, or to so many times its own size.
_LEAST: Final = 512 << 20
_TIMES: Final = 16
_CONTINUED: Final = b"\xff\xff\xff\xff"
_MAGIC: Final = b"ARROW1"
#: Between the last message and the footer.
_END: Final = b"\xff\xff\xff\xff\0\0\0\0"
_DICTIONARY, _BATCH = 2, 3
#: Bytes of a footer or a message: names and types of columns, places of batches.
_LONGEST: Final = 256 << 20


def refuse_large(metadata: bytes, body: Any, name: str) -> None:
    """
    Args:
        metadata: what stands in place of the metadata of a message; any bytes.
        body: gives the bytes that follow it, by `body(place, size)`.

    Raises:
        UnreadableFile: the message is a batch that unpacks to far more than it is.
    """
    try:
        unpacked, size = _unpacked(metadata, body)
    except (IndexError, ValueError):
        return  # no such message: PyArrow says what is wrong with it
    if unpacked > max(_LEAST, _TIMES * size):
        what, hint = "one of its record batches", "write it again in batches of 100,000 rows"
        raise bounds.too_large_unpacked(name, what, unpacked, hint)


def refuse_large_in(file: Any, name: str) -> None:
    """The same for every batch of an IPC file, a seekable file of PyArrow's."""
    try:
        places = list(_blocks(file))
    except (IndexError, ValueError):
        return
    end = file.size()
    _refuse_joined(file, places, name)
    for at, length, _ in places:
        if at + length > end:  # PyArrow says what is wrong with it
            continue
        file.seek(at)
        metadata = file.read(min(length, _LONGEST))
        start = 8 if metadata.startswith(_CONTINUED) else 4

        def body(place: int, size: int, begin: int = at + length) -> bytes:
            if begin + place > end:
                return b""
            file.seek(begin + place)
            return bytes(file.read(size))

        refuse_large(metadata[start:], body, name)


def _refuse_joined(file: Any, places: list[tuple[int, int, int]], name: str) -> None:
    """
    Raises:
        UnreadableFile: it is one IPC file behind another one, which has the places of its batches.
    """
    end = file.size()
    file.seek(end - 10)
    footer = end - 10 - int.from_bytes(file.read(4), "little")
    last = max((sum(place) for place in places), default=_schema_end(file))
    for mark in (len(_END), 0):  # old writers have none
        begins = footer - mark - last
        if begins > len(_MAGIC):
            file.seek(begins - len(_MAGIC))
            bounds.refuse_pair(file.read(2 * len(_MAGIC)), _MAGIC, "Arrow files", name)


def _schema_end(file: Any) -> int:
    """Where the first message ends: a file without batches has no other."""
    file.seek(8)
    head = file.read(8)
    start = 8 if head.startswith(_CONTINUED) else 4
    return 8 + start + int.from_bytes(head[start - 4 : start], "little")


def _blocks(file: Any) -> Iterator[tuple[int, int, int]]:
    """Where each message of a file begins, and how long its metadata and its body are."""
    end = file.size()
    file.seek(max(end - 10, 0))
    tail = file.read(10)
    size = int.from_bytes(tail[:4], "little", signed=True)
    if tail[4:] != _MAGIC or not 0 < size <= min(end - 10, _LONGEST):
        raise ValueError
    file.seek(end - 10 - size)
    footer = file.read(size)
    root = _number(footer, 0, 4)
    for field in (2, 3):  # dictionaries, recordBatches
        for each in _structs(footer, root, field, 24):
            yield (
                _number(footer, each, 8),
                _number(footer, each + 8, 4),
                _number(footer, each + 16, 8),
            )


def _unpacked(metadata: bytes, body: Any) -> tuple[int, int]:
    """Bytes that a batch unpacks to, and those of its body; zeros for other messages."""
    message = _number(metadata, 0, 4)
    kind = _field(metadata, message, 1)
    header, length = _field(metadata, message, 2), _field(metadata, message, 3)
    if not kind or not header or metadata[kind] not in (_DICTIONARY, _BATCH):
        return 0, 0
    batch = header + _number(metadata, header, 4)
    if metadata[kind] == _DICTIONARY:
        data = _field(metadata, batch, 1)
        batch = data + _number(metadata, data, 4)
    if not _field(metadata, batch, 3):  # not compressed
        return 0, 0
    total = 0
    for each in _structs(metadata, batch, 2, 16):
        place, size = _number(metadata, each, 8), _number(metadata, each + 8, 8)
        if size > 8:
            total += max(int.from_bytes(body(place, 8), "little", signed=True), 0)
    return total, _number(metadata, length, 8) if length else 0


def _structs(data: bytes, table: int, field: int, size: int) -> Iterator[int]:
    """Where the structs of a vector begin, the field of a table."""
    at = _field(data, table, field)
    if not at:
        return
    vector = at + _number(data, at, 4)
    for index in range(_number(data, vector, 4)):
        yield vector + 4 + size * index


def _field(data: bytes, table: int, number: int) -> int:
    """Where a field of a table is; 0 where it is absent."""
    numbers = table - _number(data, table, 4, signed=True)
    if _number(data, numbers, 2) < 6 + 2 * number:
        return 0
    offset = _number(data, numbers + 4 + 2 * number, 2)
    return table + offset if offset else 0


def _number(data: bytes, at: int, size: int, *, signed: bool = False) -> int:
    """
    Raises:
        IndexError: there are no such bytes.
    """
    if not 0 <= at <= len(data) - size:
        raise IndexError(at)
    return int.from_bytes(data[at : at + size], "little", signed=signed)

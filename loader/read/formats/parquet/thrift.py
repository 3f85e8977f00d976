"""Thrift's compact protocol, in which Parquet writes its footer and the headers of its pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_STOP, _TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LIST, _SET, _STRUCT = (
    0, 1, 2, 3, 7, 8, 9, 10, 12,
)  # fmt: skip
_NUMBERS: Final = (4, 5, 6)
#: Types of fields that are their own values.
_VALUES: Final = (_TRUE, _FALSE)
_DEEPEST: Final = 16
_ALL_64: Final = (1 << 64) - 1

#: The fields of a struct that are looked into, by number: structs, lists of structs, or bytes.
Fields = Mapping[int, "Fields | list[Fields] | type[bytes]"]


class TooShort(Exception):
    """The bytes end inside the struct."""


class Strange(Exception):
    """It is not such a struct, or one of a kind that is not known here."""


def struct(data: bytes, at: int, fields: Fields, depth: int = 0) -> tuple[dict[int, Any], int]:
    """The struct that begins at `at`, and where it ends: its integers by the numbers of their
    fields, and what `fields` names. All else is passed over.

    Raises:
        TooShort, Strange: it cannot be read.
    """
    if depth > _DEEPEST:
        raise Strange
    found: dict[int, Any] = {}
    number = 0
    try:
        while True:
            head = data[at]
            at += 1
            kind = head & 15
            if kind == _STOP:
                return found, at
            if head > 15:
                number += head >> 4
            else:
                number, at = _zigzag(data, at)
            if number in fields:
                found[number], at = _wanted(data, at, kind, fields[number], depth + 1)
            elif kind in _NUMBERS:
                low = data[at]
                if low < 128:  # most are small
                    at += 1
                    found[number] = (low >> 1) ^ -(low & 1)
                elif (high := data[at + 1]) < 128:
                    at += 2
                    found[number] = (low >> 1 & 63 | high << 6) ^ -(low & 1)
                else:
                    found[number], at = _zigzag(data, at)
            elif kind not in _VALUES:
                at = _after(data, at, kind, depth)
    except IndexError:  # faster than to compare each place with the end
        raise TooShort from None


def _passed(data: bytes, at: int, depth: int) -> int:
    """Where a struct ends of which nothing is wanted: most of what stands in front of a page."""
    if depth > _DEEPEST:
        raise Strange
    while True:
        head = data[at]
        at += 1
        kind = head & 15
        if kind == _STOP:
            return at
        if head < 16:
            at = _varint(data, at)[1]
        if kind in _NUMBERS and data[at] < 128:
            at += 1
        elif kind == _BINARY and data[at] < 128:
            at += 1 + data[at]
        elif kind not in _VALUES:
            at = _after(data, at, kind, depth)


def _wanted(
    data: bytes, at: int, kind: int, of: Fields | list[Fields] | type[bytes], depth: int
) -> tuple[Any, int]:
    """A value that is looked into, and where it ends."""
    if isinstance(of, list):
        if kind != _LIST:
            raise Strange
        return _structs(data, at, of[0], depth)
    if isinstance(of, type):
        if kind != _BINARY:
            raise Strange
        size, at = _varint(data, at)
        if size > len(data) - at:
            raise TooShort
        return data[at : at + size], at + size
    if kind != _STRUCT:
        raise Strange
    return struct(data, at, of, depth)


def _structs(data: bytes, at: int, fields: Fields, depth: int) -> tuple[list[dict[int, Any]], int]:
    kind, size, at = _list(data, at)
    if kind != _STRUCT and size:
        raise Strange
    found = []
    for _ in range(size):
        each, at = struct(data, at, fields, depth)
        found.append(each)
    return found, at


def _list(data: bytes, at: int) -> tuple[int, int, int]:
    """The type of a list's items, how many there are, and where they begin."""
    head = data[at]
    size, at = (head >> 4, at + 1) if head >> 4 < 15 else _varint(data, at + 1)
    if size > len(data) - at:  # an item has a byte at least
        raise TooShort
    return head & 15, size, at


def _after(data: bytes, at: int, kind: int, depth: int) -> int:
    """Where a value ends."""
    if kind in _NUMBERS:
        return at + 1 if data[at] < 128 else _varint(data, at)[1]
    if kind == _BINARY:
        size, at = _varint(data, at)
        return at + size
    if kind == _STRUCT:
        return _passed(data, at, depth + 1)
    if kind in (_LIST, _SET):
        if depth > _DEEPEST:
            raise Strange
        kind, size, at = _list(data, at)
        for _ in range(size):
            at = _after(data, at, kind, depth + 1)
        return at
    if kind in _VALUES or kind == _BYTE:
        return at + 1
    if kind == _DOUBLE:
        return at + 8
    raise Strange


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while shift < 64:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value & _ALL_64, at
        shift += 7
    raise Strange


def _zigzag(data: bytes, at: int) -> tuple[int, int]:
    value, at = _varint(data, at)
    return (value >> 1) ^ -(value & 1), at

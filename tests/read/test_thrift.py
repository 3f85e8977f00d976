"""Thrift's compact protocol: structs that a small writer of this module encodes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from loader.read.formats.parquet import thrift

LIST, STRUCT = 9, 12


def varint(value: int) -> bytes:
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes([*found, value])


def zigzag(value: int) -> bytes:
    return varint(value * 2 if value >= 0 else -value * 2 - 1)


def encoded(value: Any) -> tuple[int, bytes]:
    """The type of a value and its bytes."""
    match value:
        case int():
            return 6, zigzag(value)
        case float():
            return 7, bytes(8)
        case bytes():
            return 8, varint(len(value)) + value
        case dict():
            return STRUCT, struct(value)
        case list():
            kinds = {encoded(each)[0] for each in value} or {6}
            size = bytes([len(value) << 4]) if len(value) < 15 else b"\xf0" + varint(len(value))
            head = bytes([size[0] | kinds.pop()]) + size[1:]
            return LIST, head + b"".join(encoded(each)[1] for each in value)
    raise TypeError(value)


def struct(fields: dict[int, Any]) -> bytes:
    found, last = b"", 0
    for number, value in fields.items():
        if isinstance(value, bool):
            kind, data = 1 if value else 2, b""
        else:
            kind, data = encoded(value)
        step = number - last
        found += bytes([step << 4 | kind]) if 0 < step < 16 else bytes([kind]) + zigzag(number)
        found, last = found + data, number
    return found + b"\0"


NUMBERS = st.one_of(
    st.integers(-70, 70), st.integers(-9_000, 9_000), st.integers(-(2**63), 2**63 - 1)
)
PLAIN = st.one_of(NUMBERS, st.booleans(), st.just(0.5), st.binary(max_size=200))
VALUES = st.recursive(
    PLAIN,
    lambda inner: st.one_of(
        st.lists(NUMBERS, max_size=20),
        st.lists(st.binary(max_size=200), max_size=20),
        st.lists(st.dictionaries(st.integers(1, 40), inner, max_size=3), max_size=3),
        st.dictionaries(st.integers(1, 40), inner, max_size=5),
    ),
    max_leaves=12,
)
STRUCTS = st.dictionaries(st.integers(1, 300), VALUES, max_size=8)


def numbers(fields: dict[int, Any]) -> dict[int, int]:
    return {at: v for at, v in fields.items() if isinstance(v, int) and not isinstance(v, bool)}


@given(STRUCTS, st.binary(max_size=9))
@example({1: 63, 2: 64, 3: -64, 4: -65, 5: 8_191, 6: 8_192, 7: -8_192, 8: -8_193}, b"")
def test_numbers_are_read_and_all_else_is_passed_over(fields: dict[int, Any], more: bytes) -> None:
    data = b"ab" + struct(fields)
    assert thrift.struct(data + more, 2, {}) == (numbers(fields), len(data))


@given(STRUCTS, STRUCTS, st.binary(max_size=300))
def test_what_is_wanted_is_looked_into(
    first: dict[int, Any], second: dict[int, Any], word: bytes
) -> None:
    data = struct({1: [first, second], 2: second, 3: word, 4: 5})
    found, end = thrift.struct(data, 0, {1: [{}], 2: {}, 3: bytes})
    inner = numbers(first), numbers(second)
    assert (found, end) == ({1: [*inner], 2: inner[1], 3: word, 4: 5}, len(data))


@given(STRUCTS)
def test_every_beginning_of_one_is_too_short(fields: dict[int, Any]) -> None:
    data = struct(fields)
    for end in range(len(data)):
        with pytest.raises(thrift.TooShort):
            thrift.struct(data[:end], 0, {})


def test_a_number_of_more_than_64_bits_and_structs_that_nest_without_end() -> None:
    with pytest.raises(thrift.Strange):
        thrift.struct(b"\x16" + b"\xff" * 10 + b"\x01\0", 0, {})
    with pytest.raises(thrift.Strange):
        thrift.struct(b"\x1c" * 100, 0, {})
    with pytest.raises(thrift.Strange):
        thrift.struct(b"\x1f\0", 0, {})

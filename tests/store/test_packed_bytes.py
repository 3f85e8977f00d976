"""Packed bars as bytes written out by hand; that the server writes them so is tests/db's."""

from __future__ import annotations

from datetime import UTC, datetime

import pyarrow as pa
import pytest

from loader.store.packed import counts, repeated, unpacked, unpacked_times

#: 2000-01-01 and a microsecond, and a microsecond before it: counted from there, big-endian.
AFTER, BEFORE = bytes(7) + b"\x01", b"\xff" * 8
ONE, TWO, HALF = (bytes.fromhex(f"{start}000000000000") for start in ("3ff0", "4000", "3fe0"))


def packed(*stretches: tuple[object, ...]) -> pa.RecordBatch:
    names = ("sid", "ts", "prices", "volume", "vwap", "trade_count",
             "no_volume", "no_vwap", "no_trade_count")  # fmt: skip
    types = [pa.int32(), *[pa.binary()] * 8]
    columns = zip(*stretches, strict=True) if stretches else [[]] * len(names)
    arrays = [pa.array(cells, kind) for cells, kind in zip(columns, types, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, names)


PRICES = ONE + TWO + HALF + ONE
FULL = (7, AFTER, PRICES, TWO, HALF, bytes(7) + b"\x05", None, None, None)
BARE = (9, BEFORE + AFTER, PRICES * 2, None, ONE, None, BEFORE + AFTER, BEFORE, BEFORE + AFTER)
JUST_AFTER = datetime(2000, 1, 1, 0, 0, 0, 1, tzinfo=UTC)
JUST_BEFORE = datetime(1999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
BARS = [
    (7, JUST_AFTER, 1.0, 2.0, 0.5, 1.0, 2.0, 0.5, 5),
    (9, JUST_BEFORE, 1.0, 2.0, 0.5, 1.0, None, None, None),
    (9, JUST_AFTER, 1.0, 2.0, 0.5, 1.0, None, 1.0, None),
]


def test_values_nulls_and_times() -> None:
    batch = packed(FULL, BARE)
    assert unpacked(batch).rows() == BARS
    assert unpacked_times(batch).rows() == [row[:2] for row in BARS]
    assert counts(batch) == [1, 2]


@pytest.mark.parametrize(("at", "expected"), [(0, BARS[:1]), (1, BARS[1:])])
def test_a_stretch_of_a_batch(at: int, expected: list[tuple[object, ...]]) -> None:
    stretch = packed(FULL, BARE).slice(at, 1)
    assert unpacked(stretch).rows() == expected
    assert counts(stretch) == [len(expected)]


def test_no_stretches() -> None:
    assert unpacked(packed()).rows() == []
    assert counts(packed()) == []


def test_repeated() -> None:
    assert repeated([3, 4, 5], [2, 0, 1]).to_list() == [3, 3, 5]
    assert repeated([], []).to_list() == []

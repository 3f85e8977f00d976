"""Files of records of one size; their layout is declared as data."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from io import BufferedReader
from types import MappingProxyType
from typing import Final, Literal

import polars as pl

from loader.errors import Unfinished
from loader.lazy import dataclass
from loader.read.batch import NO_ROWS, Reading, batches
from loader.read.formats.format import Opened
from loader.read.streams.compression import damage

#: Decoded at a time: large enough to be fast, small enough for flat memory.
BLOCK_ROWS: Final = 1 << 16

Number = type[pl.DataType]
BYTES: Final[Mapping[Number, int]] = {
    pl.UInt8: 1, pl.UInt16: 2, pl.UInt32: 4, pl.UInt64: 8,
    pl.Int32: 4, pl.Int64: 8, pl.Float32: 4, pl.Float64: 8,
}  # fmt: skip

#: Finishes a block of rows; the number is how many rows came before. Also called without rows.
Finish = Callable[[pl.DataFrame, int], pl.DataFrame]


@dataclass(frozen=True, slots=True)
class Records:
    """How the records of one container are laid out.

    Attributes:
        name: of the container.
        size: bytes of one record.
        fields: each column with its first byte in the record and its type; bytes of no field are
            left out.
        skip: bytes of header before the first record.
        metadata: what the header says of the table.
    """

    name: str
    size: int
    fields: Mapping[str, tuple[int, Number]]
    endianness: Literal["little", "big"] = "little"
    skip: int = 0
    metadata: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def frame(self, data: bytes) -> pl.DataFrame:
        """The rows of `data`, which is whole records."""
        import pyarrow as pa  # noqa: PLC0415 - so that containers are discovered quickly

        count = len(data) // self.size
        array = pa.Array.from_buffers(pa.binary(self.size), count, [None, pa.py_buffer(data)])
        record = pl.col("record").bin
        return pl.DataFrame({"record": array}).select(
            record.slice(start, BYTES[number])
            .bin.reinterpret(dtype=number, endianness=self.endianness)
            .alias(name)
            for name, (start, number) in self.fields.items()
        )


def in_a_row(number: Number, names: str, start: int) -> dict[str, tuple[int, Number]]:
    """Fields of one type that follow one another from the byte `start`."""
    return {name: (start + BYTES[number] * at, number) for at, name in enumerate(names.split())}


def read(
    records: Records,
    opened: Opened,
    finish: Finish = lambda frame, done: frame,
    notes: tuple[str, ...] = (),
) -> Reading:
    """The rows of the stream, which stands behind the header.

    Raises:
        UnreadableFile: its last record is not whole, or `finish` raises it; also while its batches
            are read.
    """
    stream, name, rows = opened.stream, opened.source.name, None
    if opened.size is not None:
        rows, left = divmod(max(opened.size - records.skip, 0), records.size)
        _check_whole(records, name, rows, left)
    with damage(name):
        if not stream.peek(1):
            rows = 0
    if rows == 0:
        notes = (*notes, NO_ROWS)

    def frames() -> Iterator[pl.DataFrame]:
        done = 0
        with damage(name, lambda: f" after row {done:,}"):
            while data := stream.read(BLOCK_ROWS * records.size):
                count, left = divmod(len(data), records.size)
                _check_whole(records, name, done + count, left)
                yield finish(records.frame(data), done)
                done += count

    return Reading(
        container=records.name,
        columns=tuple(finish(records.frame(b""), 0).columns),
        batches=batches(frames(), name, opened.batch_rows),
        rows=rows,
        notes=notes,
        metadata=records.metadata,
    )


def header(stream: BufferedReader, size: int, name: str) -> bytes:
    """The first `size` bytes.

    Raises:
        UnreadableFile: there are fewer, or the stream is damaged.
    """
    with damage(name):
        data = stream.read(size)
    if len(data) < size:
        raise _cut_short(f"{name} ends after {len(data):,} of the {size:,} bytes of its header")
    return data


def _check_whole(records: Records, name: str, rows: int, left: int) -> None:
    if left:
        raise _cut_short(
            f"{name} ends in the middle of row {rows + 1:,}, after {left} of its "
            f"{records.size} bytes"
        )


def _cut_short(what: str) -> Unfinished:
    return Unfinished.at(
        what,
        "it is cut short",
        hint="it was not written, copied or downloaded to the end: get it again",
    )

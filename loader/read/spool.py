"""Frames set aside on local disk until the end of a file's transaction."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from types import TracebackType
from typing import IO, Any, Self

import polars as pl
import pyarrow as pa

from loader.read.scratch import room, scratch_file

_OLDEST = pl.CompatLevel.oldest()


class Spool:
    """Append frames of one schema; iterate them in the order they came. Memory stays flat.

    They are in a scratch file, as an Arrow IPC stream.

    Args:
        at_once: rows that a frame has at most when it comes back; longer ones are cut.

    Raises:
        NoRoom: there is no room for them.
    """

    def __init__(self, schema: dict[str, pl.DataType], at_once: int | None = None) -> None:
        self.schema = schema
        self._at_once = at_once
        self.rows = 0
        self._file: IO[bytes] | None = None
        self._writer: pa.RecordBatchStreamWriter | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.close()

    def append(self, frame: pl.DataFrame) -> None:
        if frame.height == 0:
            return
        table = frame.to_arrow(compat_level=_OLDEST)
        with room():
            if self._writer is None:
                self._file = scratch_file()
                self._writer = pa.ipc.new_stream(self._file, table.schema)
            self._writer.write_table(table, max_chunksize=self._at_once)
        self.rows += frame.height

    def __iter__(self) -> Iterator[pl.DataFrame]:
        """All frames so far; appending ends here."""
        for batch in self.batches():
            frame = pl.from_arrow(batch)
            assert isinstance(frame, pl.DataFrame)
            yield frame.cast(pl.Schema(self.schema))

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The same as Arrow has them, for who needs no frames: making one takes a copy."""
        if self._writer is None or self._file is None:
            return
        with room():
            self._writer.close()
            self._file.seek(0)
        with pa.ipc.open_stream(self._file) as reader:
            yield from reader

    def close(self) -> None:
        if self._file is not None:
            with suppress(OSError):  # what would not fit is not wanted any more
                self._file.close()
            self._file = None


class Partitions:
    """Frames of one schema set aside by the key of a partition, in one file like a spool's."""

    def __init__(self, schema: dict[str, pl.DataType]) -> None:
        self._empty = pl.DataFrame(schema=schema)
        self._schema = self._empty.to_arrow(compat_level=_OLDEST).schema
        self._places: dict[tuple[Any, ...], list[tuple[int, int]]] = {}
        self._end = 0

    def __enter__(self) -> Partitions:
        self._file = scratch_file(1 << 20)
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._file.close()

    def frames(self, rows: int) -> Iterator[pl.DataFrame]:
        """All of them in the order of their keys, joined until they have `rows` at least."""
        joined: list[pl.DataFrame] = []
        for partition in sorted(self._places):
            joined.append(self.read(partition))
            if sum(frame.height for frame in joined) >= rows:
                yield pl.concat(joined)
                joined = []
        if joined:
            yield pl.concat(joined)

    def append(self, partition: tuple[Any, ...], frame: pl.DataFrame) -> None:
        places = self._places.setdefault(partition, [])
        for batch in frame.to_arrow(compat_level=_OLDEST).to_batches():
            message = batch.serialize()
            with room():
                self._file.write(message)
            places.append((self._end, message.size))
            self._end += message.size

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        """The partitions, in the order of their first rows."""
        return iter(self._places)

    def pieces(self, partition: tuple[Any, ...]) -> Iterator[pl.DataFrame]:
        """The rows of a partition, in the order they came, as many at a time as were appended."""
        return (self._framed([batch]) for batch in self._batches(partition))

    def read(self, partition: tuple[Any, ...]) -> pl.DataFrame:
        """All rows of a partition, in the order they came."""
        return self._framed(list(self._batches(partition)))

    def _batches(self, partition: tuple[Any, ...]) -> Iterator[pa.RecordBatch]:
        for place, size in self._places[partition]:
            with room():  # the last writes may only now reach the disk
                self._file.seek(place)
            yield pa.ipc.read_record_batch(pa.py_buffer(self._file.read(size)), self._schema)

    def _framed(self, batches: list[pa.RecordBatch]) -> pl.DataFrame:
        frame = pl.from_arrow(pa.Table.from_batches(batches, self._schema))
        assert isinstance(frame, pl.DataFrame)
        return frame.cast(self._empty.schema)

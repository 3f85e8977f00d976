"""Arrow IPC (Feather 2), file and stream."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO, Final

import polars as pl

from loader.errors import Unfinished, UnreadableFile
from loader.read import bounds
from loader.read.batch import NO_ROWS, Reading, batches
from loader.read.formats import ipc_sizes
from loader.read.formats.format import Format, Opened
from loader.read.streams.source import Source

_FILE: Final = b"ARROW1"
_STREAM: Final = b"\xff\xff\xff\xff"
_END: Final = b"\xff\xff\xff\xff\0\0\0\0"


def _read(opened: Opened) -> Reading:
    if opened.stream.peek(len(_FILE)).startswith(_FILE):
        return read_file(opened.seekable(), opened.source, opened.batch_rows)
    return read_stream(opened.stream, opened.source, opened.batch_rows)


def read_file(file: Any, source: Source, batch_rows: int) -> Reading:
    """The record batches of an IPC file, a seekable file. The caller closes it.

    Raises:
        UnreadableFile: the footer is absent or damaged, or a batch is too large.
    """
    import pyarrow as pa  # noqa: PLC0415 - so that containers are discovered quickly

    from loader.read.formats.translation import damaged  # noqa: PLC0415

    with damaged(source.name):
        ipc_sizes.refuse_large_in(file, source.name)
        file.seek(0)
        table = pa.ipc.open_file(file)
        rows = table.count_rows()
    numbers = range(table.num_record_batches)
    return _reading(table.schema, map(table.get_batch, numbers), source, batch_rows, rows)


def read_stream(stream: BinaryIO, source: Source, batch_rows: int) -> Reading:
    """The record batches of an IPC stream.

    Raises:
        UnreadableFile: the schema message is damaged.
    """
    import pyarrow as pa  # noqa: PLC0415 - so that containers are discovered quickly

    from loader.read.formats.translation import damaged  # noqa: PLC0415

    watched = _Watched(stream, source.name)
    with damaged(source.name):
        table = pa.ipc.open_stream(pa.PythonFile(watched, "r"))

    def record_batches() -> Iterator[Any]:
        yield from table
        watched.check_end()

    return _reading(table.schema, record_batches(), source, batch_rows, None)


class _Watched:
    """The bytes of an IPC stream, as PyArrow asks for them.

    PyArrow takes the end of the file for the end of the stream, and ignores what follows the
    stream's own end. It asks for the metadata of a message, then for its body.
    """

    closed = False

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self._stream, self._name = stream, name
        self._last, self._metadata = b"", b""

    def read(self, size: int) -> bytes:
        data = self._read(size)
        if size > len(_END) and data:
            ipc_sizes.refuse_large(self._metadata, lambda at, n: data[at : at + n], self._name)
            self._metadata = data
        self._last = (self._last + data[-len(_END) :])[-len(_END) :]
        return data

    def _read(self, size: int) -> bytes:
        """In pieces, because a damaged stream may ask for any size, and memory is taken first."""
        if size <= bounds.PIECE:
            return self._stream.read(size)
        found = bytearray()
        while len(found) < size:
            piece = self._stream.read(min(size - len(found), bounds.PIECE))
            if not piece:
                break
            found += piece
        return bytes(found)

    def check_end(self) -> None:
        """
        Raises:
            UnreadableFile: the stream has no end mark, or something follows it.
        """
        if self._last != _END:
            raise Unfinished.of(
                self._name,
                "is cut short: an Arrow stream ends with a mark, and this one does not",
                hint="get the file again from where it came, or close its writer",
            )
        if self._stream.read(1):
            raise UnreadableFile.of(
                self._name,
                "goes on after the end of its Arrow stream",
                hint="give each stream a file of its own",
            )


def _reading(
    schema: Any, record_batches: Iterator[Any], source: Source, batch_rows: int, rows: int | None
) -> Reading:
    from loader.read.formats.translation import Translation, damaged  # noqa: PLC0415 - with pyarrow

    with damaged(source.name):
        translation = Translation(schema, source.name)

    def frames() -> Iterator[pl.DataFrame]:
        done = 0
        with damaged(source.name, lambda: f" after row {done:,}"):
            for batch in record_batches:
                yield from translation.frames(batch)
                done += batch.num_rows

    return Reading(
        container="arrow",
        columns=translation.columns,
        rows=rows,
        notes=translation.notes if rows != 0 else (*translation.notes, NO_ROWS),
        metadata=translation.metadata,
        batches=batches(frames(), source.name, batch_rows),
    )


FORMAT: Final = Format(
    names=("arrow",),
    read=_read,
    magic=(_FILE, _STREAM),
    suffixes=(".arrow", ".feather", ".ipc"),
)

"""HDF5 files with one table per instrument; a process of its own reads them."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from typing import Final

import polars as pl

from loader.errors import UnreadableFile
from loader.read.batch import NO_ROWS, Reading, batches, unique_names
from loader.read.formats.format import Format, Opened


def read(opened: Opened) -> Reading:
    """The tables, one after the other in the order of their names.

    `key` is the name of the table that a row stands in, `place` the group that has them all;
    numbers are of the types that the file gives them.

    Raises:
        UnreadableFile: no group or more than one has such tables, their columns differ or are no
            numbers, their rows are not in the file, pandas wrote it, it is damaged, or h5py is not
            there; also while its batches are read.
    """
    # So that containers are discovered quickly.
    import pyarrow as pa  # noqa: PLC0415

    from loader.read.apart.process import answer  # noqa: PLC0415

    name = opened.source.name
    if importlib.util.find_spec("h5py") is None:
        raise UnreadableFile.of(
            name, "is an HDF5 file, which needs the extra", hint="pip install 'mdload[hdf5]'"
        )
    told = opened.stack.enter_context(answer(opened.file(), name))
    columns, notes = unique_names(("key", *(column for column, _ in told.columns)))
    kinds = [getattr(pa, kind)() for _, kind in told.columns]

    def frames() -> Iterator[pl.DataFrame]:
        for key, block in told.blocks():
            arrays = [
                pa.Array.from_buffers(
                    kind, len(data) * 8 // kind.bit_width, [None, pa.py_buffer(data)]
                )
                for kind, data in zip(kinds, block, strict=True)
            ]
            frame = pl.from_arrow(pa.RecordBatch.from_arrays(arrays, columns[1:]))
            assert isinstance(frame, pl.DataFrame)  # for mypy: a record batch gives no Series
            yield frame.select(pl.lit(key).alias("key"), pl.all())

    return Reading(
        container="hdf5",
        columns=columns,
        batches=batches(frames(), name, opened.batch_rows),
        rows=told.rows,
        notes=notes if told.rows else (*notes, NO_ROWS),
        place=told.place,
    )


FORMAT: Final = Format(
    names=("hdf5",),
    read=read,
    magic=(b"\x89HDF",),
    suffixes=(".h5", ".hdf5"),
    vendor=True,
)

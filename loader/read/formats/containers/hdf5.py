"""HDF5 files with one table per instrument, side by side in one group."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final

import polars as pl

from loader.errors import UnreadableFile
from loader.read import bounds
from loader.read.batch import NO_ROWS, Reading, batches, unique_names
from loader.read.formats.format import Format
from loader.read.streams.source import Source

#: What a damaged file makes of h5py: sizes beyond a number, types that there are not, no memory.
_FOUND: Final = (
    ArithmeticError, AttributeError, LookupError, MemoryError, OSError, RuntimeError, TypeError,
    ValueError,
)  # fmt: skip
_BLOCK_ROWS: Final = 1 << 16
#: A table of bars has a time and four prices; an index into one has less.
_LEAST_COLUMNS: Final = 5


def read(file: Any, source: Source, batch_rows: int, stack: ExitStack) -> Reading:
    """The tables in `file`, which is seekable, one after the other in the order of their names.

    `key` is the name of the table that a row stands in, `place` the group that has them all;
    numbers are of the types that the file gives them.

    Raises:
        UnreadableFile: no group or more than one has such tables, their columns differ or are no
            numbers, their rows are in other files, pandas wrote it, it is damaged, or h5py is not
            there; also while its batches are read.
    """
    name = source.name
    try:
        import h5py  # noqa: PLC0415  # an extra
    except ImportError:
        raise UnreadableFile.of(
            name, "is an HDF5 file, which needs the extra", hint="pip install 'mdload[hdf5]'"
        ) from None
    with _damaged(name):
        # No cache: each table would have one of its own.
        opened = stack.enter_context(h5py.File(file, "r", rdcc_nbytes=0))
        tables = _tables(opened, h5py, name)
    fields = tables[0].dtype.names
    columns, notes = unique_names(("key", *fields))
    rows = sum(len(table) for table in tables)

    def frames() -> Iterator[pl.DataFrame]:
        with _damaged(name):
            for table in tables:
                key = pl.lit(table.name.rpartition("/")[2]).alias("key")
                step = _rows_at_once(table, name)
                for at in range(0, len(table), step):
                    block = table[at : at + step]
                    cells = (block[c].astype(block.dtype[c].newbyteorder("=")) for c in fields)
                    frame = pl.DataFrame(dict(zip(columns[1:], cells, strict=True)))
                    yield frame.select(key, pl.all())

    return Reading(
        container="hdf5",
        columns=columns,
        batches=batches(frames(), name, batch_rows),
        rows=rows,
        notes=notes if rows else (*notes, NO_ROWS),
        place=tables[0].parent.name.strip("/"),
    )


def _tables(file: Any, h5py: Any, name: str) -> list[Any]:
    """The tables of bars, all of the same columns."""
    found: list[Any] = []

    def look(_: str, thing: Any) -> None:
        if "pandas_type" in thing.attrs:
            raise UnreadableFile.of(
                name,
                "is an HDF5 file that pandas wrote, in a form of its own",
                hint="write it again from pandas: pandas.read_hdf('…').to_parquet('….parquet')",
            )
        table = isinstance(thing, h5py.Dataset) and thing.ndim == 1 and thing.dtype.names
        if table and len(table) >= _LEAST_COLUMNS:
            # HDF5 would read any file that this account may read, as if it were numbers.
            if thing.external or thing.is_virtual:
                raise UnreadableFile.of(
                    name,
                    f"cannot be read: the rows of {thing.name} are in other files, which it names",
                    hint="load those files, or write one that has the rows in itself: h5repack",
                )
            found.append(thing)

    file.visititems(look)
    if not all(isinstance(table.name, str) for table in found):  # h5py gives bytes for others
        raise UnreadableFile.of(name, "is damaged: the name of a table in it is not UTF-8 text")
    groups = sorted({table.parent.name for table in found})
    if len(groups) != 1:
        raise UnreadableFile.of(
            name,
            f"is an HDF5 file with tables of bars in {', '.join(groups) or 'no group'}, "
            "where one group is to have them all",
            hint="write the bars as Parquet or CSV, and load those",
        )
    kind = found[0].dtype
    other = next((table.name for table in found if table.dtype != kind), None)
    if other is not None:
        raise UnreadableFile.of(
            name, f"is not one table: {found[0].name} and {other} have different columns"
        )
    odd = next((c for c in kind.names if kind[c].kind not in "iuf"), None)
    if odd is not None:
        raise UnreadableFile.of(
            name, f"cannot be read: column {odd!r} of {found[0].name} is not of numbers"
        )
    return found


def _rows_at_once(table: Any, name: str) -> int:
    """Rows of whole chunks, which HDF5 unpacks at once.

    Raises:
        UnreadableFile: its rows or chunks are too large.
    """
    width = table.dtype.itemsize
    chunk = table.chunks[0] if table.chunks else 1
    if width * chunk > bounds.UNPACKED:
        what = f"a chunk of {table.name}"
        hint = f"write it again in smaller chunks: h5repack -l {table.name}:CHUNK=65536"
        raise bounds.too_large_unpacked(name, what, width * chunk, hint)
    fit = max(min(_BLOCK_ROWS, bounds.PIECE // width), 1)
    return int(max(fit - fit % chunk, chunk))


@contextmanager
def _damaged(name: str) -> Iterator[None]:
    """
    Raises:
        UnreadableFile: what h5py raises.
    """
    try:
        yield
    except _FOUND as exc:
        why = next(iter(str(exc).splitlines()), type(exc).__name__)
        raise UnreadableFile.of(
            name,
            f"is damaged or cut short: {why}",
            hint="get the file again from where it came",
        ) from exc


FORMAT: Final = Format(
    names=("hdf5",),
    read=lambda opened: read(opened.seekable(), opened.source, opened.batch_rows, opened.stack),
    magic=(b"\x89HDF",),
    suffixes=(".h5", ".hdf5"),
    vendor=True,
)

"""HDF5 files with one table per instrument, side by side in one group."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from loader.errors import UnreadableFile
from loader.read import bounds

#: What a damaged file makes of h5py: sizes beyond a number, types that there are not, no memory.
_FOUND: Final = (
    ArithmeticError, AttributeError, LookupError, MemoryError, OSError, RuntimeError, TypeError,
    ValueError,
)  # fmt: skip
_MARK: Final = b"\x89HDF\r\n\x1a\n"
_VERSION: Final = len(_MARK)
#: By the version of the superblock: where it has the place behind the file's last byte.
_ENDS: Final = {0: 40, 1: 44, 2: 28, 3: 28}
_BLOCK_ROWS: Final = 1 << 16
#: A table of bars has a time and four prices; an index into one has less.
_LEAST_COLUMNS: Final = 5
#: Kinds and bytes of the numbers that Arrow has too.
_KINDS: Final = "iuf"
_WIDEST: Final = 8


def imported(name: str) -> Any:
    """h5py, with all that it imports later, when the process cannot open files any more.

    Raises:
        UnreadableFile: it cannot be imported.
    """
    try:
        import h5py  # noqa: PLC0415  # an extra
    except ImportError as exc:
        raise UnreadableFile.of(
            name,
            f"is an HDF5 file, and the library for it cannot be imported: {exc}",
            hint="pip install --force-reinstall h5py",
        ) from exc
    for encoding in ("ascii", "utf-8"):
        codecs.lookup(encoding)
    return h5py


def read(
    file: Any, name: str, h5py: Any, begin: Callable[[dict[str, Any]], None]
) -> Iterator[tuple[str, list[Any]]]:
    """The tables in `file`, which is seekable, in the order of their names: of each the name and
    its columns in blocks of rows, in one piece of memory each and in the machine's byte order.

    `begin` gets what is known before the first row: `columns` with names and dtypes, `rows`, and
    the `place`, the group that has them all.

    Raises:
        UnreadableFile: no group or more than one has such tables, their columns differ or are no
            numbers, their rows are not in the file, pandas wrote it, or it is damaged.
    """
    with _damaged(name):
        _refuse_joined(file, name)
    # Without a cache, which each table would have for itself.
    with _damaged(name), h5py.File(file, "r", rdcc_nbytes=0) as opened:
        tables = _tables(opened, h5py, name)
        kind = tables[0].dtype
        native = {column: kind[column].newbyteorder("=") for column in kind.names}
        begin({
            "columns": [(column, number.name) for column, number in native.items()],
            "rows": sum(len(table) for table in tables),
            "place": tables[0].parent.name.strip("/"),
        })  # fmt: skip
        for table in tables:
            key = table.name.rpartition("/")[2]
            step = _rows_at_once(table, name)
            for at in range(0, len(table), step):
                block = table[at : at + step]
                yield key, [block[column].astype(number) for column, number in native.items()]


def _refuse_joined(file: Any, name: str) -> None:
    """
    Raises:
        UnreadableFile: another HDF5 file follows where the first one says that it ends.
    """
    file.seek(0)
    head = file.read(64)
    if not head.startswith(_MARK) or head[_VERSION] not in _ENDS:
        return
    at = _ENDS[head[_VERSION]]
    file.seek(int.from_bytes(head[at : at + 8], "little") % (1 << 62))
    if file.read(len(_MARK)) == _MARK:
        raise UnreadableFile.of(
            name,
            "consists of several HDF5 files, one behind the other, of which only one would be read",
            hint="load the files that were joined",
        )
    file.seek(0)


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
    odd = next((c for c in kind.names if not _is_number(kind[c])), None)
    if odd is not None:
        raise UnreadableFile.of(
            name, f"cannot be read: column {odd!r} of {found[0].name} is not of numbers"
        )
    for table in found:
        _refuse_absent(table, h5py, name)
    return found


def _is_number(kind: Any) -> bool:
    return kind.kind in _KINDS and kind.itemsize <= _WIDEST


def _refuse_absent(table: Any, h5py: Any, name: str) -> None:
    """HDF5 makes up rows that nobody wrote: zeros, as many as a number in the file says.

    Raises:
        UnreadableFile: some rows of the table are not in the file.
    """
    rows = len(table)
    if table.id.get_create_plist().get_layout() == h5py.h5d.CHUNKED:
        there = table.id.get_num_chunks() * table.chunks[0] if rows else 0
    else:
        there = table.id.get_storage_size() // table.id.get_type().get_size()
    if there < rows:
        raise UnreadableFile.of(
            name,
            f"is damaged or was not written to its end: {table.name} is to have {rows:,} rows, "
            f"and {there:,} are in the file",
            hint="get the file again, or write it again",
        )


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
    except BrokenPipeError:
        raise  # the reader of the answer has gone
    except _FOUND as exc:
        why = next(iter(str(exc).splitlines()), type(exc).__name__)
        raise UnreadableFile.of(
            name,
            f"is damaged or cut short: {why}",
            hint="get the file again from where it came",
        ) from exc

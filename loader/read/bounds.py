"""What one file may ask of memory: more than a table of bars ever needs, far less than a machine
has. Compressed files can be thousands of times larger than they look."""

from __future__ import annotations

from typing import Final

from loader.errors import UnreadableFile

_MB: Final = 1 << 20

#: Bytes of one cell of text: a cell is a number, a time, a name or a remark.
CELL: Final = _MB
#: Bytes of one row of delimited text.
ROW: Final = 16 * _MB
#: Columns of one table.
COLUMNS: Final = 20_000
#: Bytes of a batch, where its rows are so wide that this comes before its number of rows.
BATCH: Final = 64 * _MB
#: Bytes that a reader makes of its file at a time, where it can choose.
PIECE: Final = 16 * _MB
#: Bytes of what a file has packed in one piece, so that nothing less can be unpacked.
UNPACKED: Final = 128 * _MB
#: Bytes that a stream may ask for to be decompressed (xz: its dictionary).
DECOMPRESSOR: Final = 256 * _MB

#: For what is larger in a file that was written by a program.
HINT: Final = "write it again without that column, or take only the columns of the bars"


def megabytes(size: int) -> str:
    """`300 MB`; at least 1."""
    return f"{max(size // _MB, 1):,} MB"


def cell_too_long(name: str, row: int, column: str, size: int) -> UnreadableFile:
    """The error for a cell of `size` bytes."""
    return UnreadableFile.of(
        name,
        f"has a cell of {size:,} bytes in row {row:,}, column {column!r}, where a cell may have "
        f"{CELL:,}",
        row=row,
        column=column,
        hint=HINT,
    )


def too_large_unpacked(name: str, what: str, size: int, hint: str = HINT) -> UnreadableFile:
    """The error for `what` (`the record batch 3`), which unpacks to `size` bytes at once."""
    return UnreadableFile.of(
        name,
        f"would take too much memory: {what} unpacks to {megabytes(size)} in one piece",
        hint=hint,
    )


def refuse_too_wide(name: str, columns: int) -> None:
    """
    Raises:
        UnreadableFile: a table of so many `columns` is not read.
    """
    if columns > COLUMNS:
        raise UnreadableFile.of(
            name,
            f"has {columns:,} columns, where a table may have {COLUMNS:,}",
            hint=HINT,
        )


def refuse_pair(data: bytes, mark: bytes, what: str, name: str) -> None:
    """
    Args:
        data: what stands where one file may end and another one begin.
        mark: begins and ends each of them.

    Raises:
        UnreadableFile: `what` (`Parquet files`) have been written one behind the other.
    """
    if data == mark + mark:
        raise UnreadableFile.of(
            name,
            f"consists of several {what}, one behind the other, of which only one would be read",
            hint="load the files that were joined",
        )

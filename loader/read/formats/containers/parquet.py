"""Parquet, page by page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import polars as pl

from loader.errors import UnreadableFile
from loader.read import bounds
from loader.read.batch import NO_ROWS, RawBatch, Reading, Window, batches
from loader.read.formats import pages
from loader.read.formats.format import Format
from loader.read.streams.source import Source

_TEXT: Final = "BYTE_ARRAY"  # the physical type
#: Items of lists that a column may have beyond one per row. No bar is read from lists.
_LISTED: Final = 4 << 20


def read(file: Any, source: Source, batch_rows: int) -> Reading:
    """The table in `file`, a seekable file. The caller closes it.

    `pre_buffer=False` with a buffer reads pages as they are needed, so that a row group of any size
    passes in flat memory. The default takes all bytes of a row group at once, and Polars' own scan
    decodes it at once: for 8 million rows in one row group 300, 490 and 1,100 MB. From a remote
    object each column reads megabytes at a time.

    Raises:
        UnreadableFile: the footer is absent or damaged, or a page is too large.
    """
    import pyarrow.parquet as pq  # noqa: PLC0415  # no other container needs it

    # Both import pyarrow.
    from loader.read.formats.row_groups import RowGroups  # noqa: PLC0415
    from loader.read.formats.translation import Translation, damaged  # noqa: PLC0415

    local = isinstance(source.path, Path)
    with damaged(source.name):
        footer = pq.read_metadata(file)
        bounds.refuse_too_wide(source.name, footer.num_columns)
        table = pq.ParquetFile(
            file,
            metadata=footer,
            read_dictionary=_long_words(file, footer, batch_rows, local=local),
            pre_buffer=False,
            buffer_size=1 << 16 if local else 4 << 20,
            coerce_int96_timestamp_unit="us",  # as ns a date of the year 9999 would wrap around
            page_checksum_verification=True,
        )
        lists = _long_lists(footer)
        schema = table.schema_arrow
        taken = [name for name in schema.names if name not in lists] if lists else None
        if taken is not None:
            schema = schema.empty_table().select(taken).schema
        translation = Translation(schema, source.name)
    left_out = (f"column {name!r}: left out, it is a list with millions of items" for name in lists)

    window = Window()

    def frames() -> Iterator[pl.DataFrame]:
        rows = 0
        with damaged(source.name, lambda: f" after row {rows:,}"):
            for group in range(footer.num_row_groups):
                _refuse_large_page(file, footer.row_group(group), group, source.name, local=local)
            for batch in table.iter_batches(batch_rows, columns=taken):
                yield from translation.frames(batch)
                rows += batch.num_rows

    def raw_batches() -> Iterator[RawBatch]:
        if not window.is_part:
            return batches(frames(), source.name, batch_rows)

        def check(group: int) -> None:
            _refuse_large_page(file, footer.row_group(group), group, source.name, local=local)

        groups = RowGroups(table, translation, window, taken, check)
        return groups.batches(source.name, batch_rows)

    notes = (*translation.notes, *left_out)
    return Reading(
        container="parquet",
        columns=translation.columns,
        rows=footer.num_rows,
        notes=notes if footer.num_rows != 0 else (*notes, NO_ROWS),
        metadata=translation.metadata,
        batches=_on_demand(raw_batches),
        window=window,
    )


def _on_demand(open_batches: Callable[[], Iterator[RawBatch]]) -> Iterator[RawBatch]:
    """The same, asked for with the first batch: then it is known which rows are wanted."""
    yield from open_batches()


def _long_words(file: Any, footer: Any, rows: int, *, local: bool) -> list[str]:
    """The paths of columns of text (in no list) that are read as dictionaries: where `rows` rows of
    the longest word take too much memory. Others are faster as they are. Of a file far away each
    look is a question to a server: all of its text is read so."""
    found = []
    for at in range(footer.num_columns):
        column = footer.schema.column(at)
        if column.physical_type != _TEXT or column.max_repetition_level:
            continue
        chunks = (footer.row_group(group).column(at) for group in range(footer.num_row_groups))
        if not local or any(_has_long_words(file, chunk, rows) for chunk in chunks):
            found.append(column.path)
    return found


def _has_long_words(file: Any, chunk: Any, rows: int) -> bool:
    times = min(rows, chunk.num_values)
    return bool(times * pages.longest_word(file, chunk) > bounds.PIECE)


def _long_lists(footer: Any) -> dict[str, None]:
    """The names of columns that hold lists with more items than any bar needs."""
    found: dict[str, None] = {}
    for at in range(footer.num_columns):
        column = footer.schema.column(at)
        if column.max_repetition_level:
            groups = (footer.row_group(group) for group in range(footer.num_row_groups))
            if any(group.column(at).num_values > max(group.num_rows, _LISTED) for group in groups):
                found[column.path.partition(".")[0]] = None
    return found


def _refuse_large_page(file: Any, group: Any, number: int, name: str, *, local: bool) -> None:
    """
    Raises:
        UnreadableFile: a page unpacks to more than is unpacked at once.
    """
    for at in range(group.num_columns):
        chunk = group.column(at)
        if not local and chunk.total_uncompressed_size <= bounds.UNPACKED:
            continue  # each look is a question to a server; what the footer says has to do
        column = chunk.path_in_schema
        if chunk.physical_type == _TEXT and local and pages.has_late_dictionary(file, chunk):
            raise UnreadableFile.of(
                name,
                f"is damaged: a dictionary of column {column!r} stands behind its first page",
                hint="get the file again from where it came, or write it again",
            )
        size = pages.largest_page(file, chunk)
        if size > bounds.UNPACKED:
            what = f"a page of column {column!r} in row group {number + 1:,}"
            raise bounds.too_large_unpacked(name, what, size)


FORMAT: Final = Format(
    names=("parquet",),
    read=lambda opened: read(opened.seekable(in_place=True), opened.source, opened.batch_rows),
    magic=(b"PAR1",),
    suffixes=(".parquet", ".pq", ".parq"),
)

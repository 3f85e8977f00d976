"""Parquet, page by page."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from itertools import accumulate
from pathlib import Path
from typing import Any, Final

import polars as pl

from loader.errors import Unfinished
from loader.read import bounds
from loader.read.batch import NO_ROWS, RawBatch, Reading, Window, batches
from loader.read.formats.format import Format
from loader.read.formats.parquet import pages
from loader.read.formats.parquet.footer import Chunk, Group, footer, groups, refuse_joined
from loader.read.streams.source import Source

_TEXT: Final = "BYTE_ARRAY"  # the physical type
#: Rows of a file for which PyArrow's threads take more of the processors than they save.
_FEW: Final = 20_000
#: Bytes of a dictionary that is small beside the rows that it stands for, as one of symbols is.
#: With one of 90,000 bytes PyArrow takes longer than with the text, and seven times as long where
#: it did not hold all words.
_SMALL: Final = 4_096
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
    import pyarrow as pa  # noqa: PLC0415 - so that containers are discovered quickly
    import pyarrow.parquet as pq  # noqa: PLC0415  # no other container needs it

    # Both import pyarrow.
    from loader.read.formats.parquet.row_groups import RowGroups  # noqa: PLC0415
    from loader.read.formats.translation import Translation, damaged  # noqa: PLC0415

    local = isinstance(source.path, Path)
    with damaged(source.name):
        data = footer(file)
        metadata = pq.read_metadata(pa.BufferReader(data))
        bounds.refuse_too_wide(source.name, metadata.num_columns)
        columns = [metadata.schema.column(at) for at in range(metadata.num_columns)]
        row_groups = groups(data, len(columns), source.name)
        refuse_joined(file, data, row_groups, source.name)
        words = [
            column.path
            for at, column in enumerate(columns)
            if _is_text(column)
            and not column.max_repetition_level
            and _as_words(file, [group.chunks[at] for group in row_groups], batch_rows, local=local)
        ]
        table = pq.ParquetFile(
            file,
            metadata=metadata,
            read_dictionary=words,
            pre_buffer=False,
            buffer_size=1 << 16 if local else 4 << 20,
            coerce_int96_timestamp_unit="us",  # as ns a date of the year 9999 would wrap around
            page_checksum_verification=True,
        )
        lists = _long_lists(columns, row_groups)
        schema = table.schema_arrow
        taken = [name for name in schema.names if name not in lists] if lists else None
        if taken is not None:
            schema = schema.empty_table().select(taken).schema
        translation = Translation(schema, source.name)
    left_out = (f"column {name!r}: left out, it is a list with millions of items" for name in lists)

    window = Window()

    def check(number: int) -> None:
        if not local and all(c.unpacked <= bounds.UNPACKED for c in row_groups[number].chunks):
            return  # far away each look takes long
        for column, chunk in zip(columns, row_groups[number].chunks, strict=True):
            where = f"column {column.path!r} in row group {number + 1:,}"
            _check_pages(file, chunk, where, source.name)

    def frames() -> Iterator[pl.DataFrame]:
        rows = 0
        starts = accumulate((group.rows for group in row_groups), initial=0)
        unchecked = deque(zip(starts, range(len(row_groups)), strict=False))

        def batches_of_arrow() -> Iterator[Any]:
            threads = metadata.num_rows > _FEW
            reader = table.iter_batches(batch_rows, columns=taken, use_threads=threads)
            while True:
                # Those of the next batch, and of the one after it, if the reader begins with that.
                while unchecked and unchecked[0][0] <= rows + 2 * batch_rows:
                    check(unchecked.popleft()[1])
                if (batch := next(reader, None)) is None:
                    return
                yield batch

        with damaged(source.name, lambda: f" after row {rows:,}"):
            for batch in batches_of_arrow():
                yield from translation.frames(batch)
                rows += batch.num_rows

    def raw_batches() -> Iterator[RawBatch]:
        if not window.is_part:
            return batches(frames(), source.name, batch_rows)
        wanted = RowGroups(table, row_groups, translation, window, taken, check)
        return wanted.batches(source.name, batch_rows)

    notes = (*translation.notes, *left_out)
    return Reading(
        container="parquet",
        columns=translation.columns,
        rows=metadata.num_rows,
        notes=notes if metadata.num_rows != 0 else (*notes, NO_ROWS),
        metadata=translation.metadata,
        batches=_on_demand(raw_batches),
        window=window,
    )


def _on_demand(open_batches: Callable[[], Iterator[RawBatch]]) -> Iterator[RawBatch]:
    """The same, asked for with the first batch: then it is known which rows are wanted."""
    yield from open_batches()


def _is_text(column: Any) -> bool:
    return bool(column.physical_type == _TEXT)


def _as_words(file: Any, chunks: list[Chunk], rows: int, *, local: bool) -> bool:
    """Whether a column of text is read as dictionaries: where `rows` rows of its longest word take
    too much memory, and where small ones stand for many rows, which is faster then. Of a file far
    away each look is a question to a server: all of its text is read so."""
    if not local:
        return True
    sizes = [pages.dictionary_size(file, chunk) for chunk in chunks]
    values = [chunk.values for chunk in chunks]
    if sum(values) > _FEW and all(0 < size <= _SMALL for size in sizes):
        return True
    return any(  # no word is longer than its dictionary
        min(rows, count) * size > bounds.PIECE
        and min(rows, count) * pages.longest_word(file, chunk) > bounds.PIECE
        for chunk, count, size in zip(chunks, values, sizes, strict=True)
    )


def _long_lists(columns: list[Any], row_groups: list[Group]) -> dict[str, None]:
    """The names of columns that hold lists with more items than any bar needs."""
    return {
        column.path.partition(".")[0]: None
        for at, column in enumerate(columns)
        if column.max_repetition_level
        and any(group.chunks[at].values > max(group.rows, _LISTED) for group in row_groups)
    }


def _check_pages(file: Any, chunk: Chunk, where: str, name: str) -> None:
    """
    Raises:
        UnreadableFile: they cannot be read, or one unpacks to more than is unpacked at once.
    """
    try:
        size = max((page.unpacked for page in pages.pages(file, chunk)), default=0)
    except pages.Damaged as exc:
        raise Unfinished.of(
            name,
            f"is damaged or cut short: {where} {exc}",
            hint="get the file again from where it came, or write it again",
        ) from exc
    if size > bounds.UNPACKED:
        raise bounds.too_large_unpacked(name, f"a page of {where}", size)


FORMAT: Final = Format(
    names=("parquet",),
    read=lambda opened: read(opened.seekable(in_place=True), opened.source, opened.batch_rows),
    magic=(b"PAR1",),
    suffixes=(".parquet", ".pq", ".parq"),
)

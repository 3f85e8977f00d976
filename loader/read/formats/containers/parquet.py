"""Parquet, page by page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import polars as pl

from loader.read.batch import NO_ROWS, Reading, batches
from loader.read.formats.format import Format
from loader.read.streams.source import Source


def read(file: Any, source: Source, batch_rows: int) -> Reading:
    """The table in `file`, a seekable file. The caller closes it.

    `pre_buffer=False` with a buffer reads pages as they are needed, so that a row group of any size
    passes in flat memory. The default takes all bytes of a row group at once, and Polars' own scan
    decodes it at once: for 8 million rows in one row group 300, 490 and 1,100 MB. From a remote
    object each column reads megabytes at a time.

    Raises:
        UnreadableFile: the footer is absent or damaged.
    """
    import pyarrow.parquet as pq  # noqa: PLC0415  # no other container needs it

    from loader.read.formats.translation import Translation, damaged  # noqa: PLC0415 - with pyarrow

    with damaged(source.name):
        table = pq.ParquetFile(
            file,
            pre_buffer=False,
            buffer_size=1 << 16 if isinstance(source.path, Path) else 4 << 20,
            coerce_int96_timestamp_unit="us",  # as ns a date of the year 9999 would wrap around
            page_checksum_verification=True,
        )
        translation = Translation(table.schema_arrow, source.name)

    def frames() -> Iterator[pl.DataFrame]:
        rows = 0
        with damaged(source.name, lambda: f" after row {rows:,}"):
            for batch in table.iter_batches(batch_rows):
                yield translation.frame(batch)
                rows += batch.num_rows

    return Reading(
        container="parquet",
        columns=translation.columns,
        rows=table.metadata.num_rows,
        notes=translation.notes if table.metadata.num_rows != 0 else (*translation.notes, NO_ROWS),
        metadata=translation.metadata,
        batches=batches(frames(), source.name, batch_rows),
    )


FORMAT: Final = Format(
    names=("parquet",),
    read=lambda opened: read(opened.seekable(in_place=True), opened.source, opened.batch_rows),
    magic=(b"PAR1",),
    suffixes=(".parquet", ".pq", ".parq"),
)

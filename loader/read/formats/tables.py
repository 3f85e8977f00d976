"""A version of a table as batches, whichever format it has."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import polars as pl
import pyarrow as pa

from loader.read.batch import NO_ROWS, Reading, batches
from loader.read.formats.translation import Translation
from loader.read.streams.source import Source
from loader.read.tables import Kind, TableVersion, opened

#: Schema, batches, and the number of rows where the table has it.
Rows = Callable[[TableVersion, str], tuple[pa.Schema, Iterator[pa.RecordBatch], int | None]]


def read(source: Source, batch_rows: int, kind: Kind, rows_of: Rows) -> Reading:
    """The rows of the version that `source` is.

    Raises:
        UnreadableFile: see `rows` of `loader.read.tables.delta` and `.iceberg`.
    """
    table = opened(source, kind)
    schema, found, rows = rows_of(table, source.name)
    translation = Translation(schema, source.name)

    def frames() -> Iterator[pl.DataFrame]:
        for batch in found:
            yield from translation.frames(batch)

    return Reading(
        container=kind.name.lower(),
        columns=translation.columns,
        rows=rows,
        notes=translation.notes if rows != 0 else (*translation.notes, NO_ROWS),
        batches=batches(frames(), source.name, batch_rows),
    )

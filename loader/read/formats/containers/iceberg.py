"""A version of a table of Apache Iceberg."""

from __future__ import annotations

from typing import Final

from loader.read.batch import Reading
from loader.read.formats.format import Format, Opened
from loader.read.tables import Kind
from loader.read.tables.version import MARK


def _read(opened: Opened) -> Reading:
    from loader.read.formats.tables import read  # noqa: PLC0415 - with pyarrow
    from loader.read.tables.iceberg import rows  # noqa: PLC0415 - an extra

    return read(opened.source, opened.batch_rows, Kind.ICEBERG, rows)


FORMAT: Final = Format(
    names=("iceberg",),
    read=_read,
    suffixes=(),
    magic=(MARK[Kind.ICEBERG],),
)

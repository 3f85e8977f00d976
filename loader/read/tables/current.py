"""The version of a table that is loaded now, whatever its format."""

from __future__ import annotations

from pathlib import Path

from loader.read.tables import refusals
from loader.read.tables.folders import Kind
from loader.read.tables.version import TableVersion


def version_at(folder: Path, kind: Kind, name: str, at: Path | None = None) -> TableVersion:
    """The table's current version; of an Iceberg table the one that the file `at` describes.

    Raises:
        UnreadableFile: it cannot be read, is not read, or the extra is not installed.
    """
    if kind is Kind.DELTA:
        from loader.read.tables.delta import current  # noqa: PLC0415 - an extra

        return current(folder, name)
    if kind is Kind.ICEBERG:
        from loader.read.tables.iceberg import current as snapshot  # noqa: PLC0415 - an extra

        return snapshot(folder, name, at)
    raise refusals.hudi(name)

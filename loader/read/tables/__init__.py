"""Tables that are folders: Delta Lake, Apache Iceberg, Apache Hudi. Their files are not loose: the
table's own log says which of them count."""

from loader.read.tables.current import version_at
from loader.read.tables.folders import (
    Kind,
    forget,
    has_rows,
    is_metadata,
    kind_at,
    kind_of_name,
    table_around,
)
from loader.read.tables.refusals import in_bucket, inside_archive, one_of_its_files
from loader.read.tables.version import TableVersion, opened

__all__ = [
    "Kind",
    "TableVersion",
    "forget",
    "has_rows",
    "in_bucket",
    "inside_archive",
    "is_metadata",
    "kind_at",
    "kind_of_name",
    "one_of_its_files",
    "opened",
    "table_around",
    "version_at",
]

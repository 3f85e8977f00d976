"""Delta Lake, by deltalake."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from loader.read.tables import refusals
from loader.read.tables.folders import Kind
from loader.read.tables.version import TableVersion, described, inside

if TYPE_CHECKING:
    from deltalake import DeltaTable

#: Files one after the other, as the log lists them: the rows come in one order, and one file at a
#: time is decoded.
_SETTINGS: Final = {"datafusion.execution.target_partitions": "1"}
_DELETES: Final = "deletionVectors"


def current(folder: Path, name: str) -> TableVersion:
    """The newest version of the table in `folder`.

    Raises:
        UnreadableFile: its log is damaged, a file is elsewhere, or deltalake is not installed.
    """
    table = _table(folder, None, name)
    with _troubled(name):
        version = table.version()
        identity: dict[str, object] = {"table": str(table.metadata().id), "version": version}
        actions = pa.table(table.get_add_actions()).select(["path", "size_bytes"]).to_pylist()
    files = []
    for action in actions:
        path = inside(folder, os.path.join(folder.absolute(), action["path"]))
        if path is None or "://" in action["path"]:
            raise refusals.moved(name, Kind.DELTA, action["path"])
        files.append((path, action["size_bytes"]))
    text, size_bytes = described(Kind.DELTA, identity, files)
    return TableVersion(Kind.DELTA, folder, str(version), size_bytes, text)


def rows(table: TableVersion, name: str) -> tuple[pa.Schema, Iterator[pa.RecordBatch], int | None]:
    """The rows of a version: their schema, the batches as they are decoded, and their number, if
    the log has it.

    Raises:
        UnreadableFile: a file is missing or damaged, or the table needs what deltalake does not
            have; also while the batches are read.
    """
    opened = _table(table.folder, int(table.version), name)
    with _troubled(name):
        from deltalake import QueryBuilder  # noqa: PLC0415 - an extra

        query = QueryBuilder(_SETTINGS).register("bars", opened)
        found = pa.RecordBatchReader.from_stream(query.execute("SELECT * FROM bars"))
        number = _number(opened)

    def batches() -> Iterator[pa.RecordBatch]:
        with _troubled(name):
            yield from found

    return found.schema, batches(), number


def _number(table: DeltaTable) -> int | None:
    """A deleted row is still counted in its file, and a writer need not count."""
    if _DELETES in (table.protocol().reader_features or ()):
        return None
    actions = pa.table(table.get_add_actions())
    if "num_records" not in actions.column_names:
        return None
    counted = actions.column("num_records").to_pylist()
    return None if None in counted else sum(counted)


def _table(folder: Path, version: int | None, name: str) -> DeltaTable:
    try:
        from deltalake import DeltaTable  # noqa: PLC0415 - an extra
    except ImportError:
        raise refusals.without_extra(name, Kind.DELTA, "delta") from None
    with _troubled(name):
        return DeltaTable(folder.absolute(), version=version)


@contextmanager
def _troubled(name: str) -> Iterator[None]:
    """Raises what deltalake and Arrow raise as mdload's."""
    from deltalake.exceptions import DeltaError  # noqa: PLC0415 - an extra

    try:
        yield
    except (DeltaError, pa.ArrowException, OSError, ValueError, RuntimeError) as error:
        raise refusals.damaged(name, Kind.DELTA, error) from error

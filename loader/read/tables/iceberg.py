"""Apache Iceberg, planned by pyiceberg and decoded by Polars."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

import polars as pl

from loader.errors import UnreadableFile
from loader.lazy import regex
from loader.read.tables import refusals
from loader.read.tables.folders import METADATA, Kind
from loader.read.tables.version import TableVersion, described, inside

if TYPE_CHECKING:
    import pyarrow as pa
    from pyiceberg.table import StaticTable

_NUMBER: Final = regex(r"v?(\d+)\b")
#: The version of a table that has no snapshot yet.
_EMPTY: Final = "0"
_CHUNK_ROWS: Final = 1 << 16


def current(folder: Path, name: str, at: Path | None) -> TableVersion:
    """The snapshot that the metadata file `at` has for the current one, or else the newest metadata
    file in the folder.

    Raises:
        UnreadableFile: two files may be the newest, one is damaged, the table's files are not in
            its folder, or pyiceberg is not installed.
    """
    at = (at or _newest(folder, name)).absolute()
    table = _table(at, name)
    files: list[tuple[str, int]] = []
    with _troubled(name):
        metadata, snapshot = table.metadata, table.current_snapshot()
        if snapshot is not None:
            _insist_inside(folder, [metadata.location, snapshot.manifest_list], name)
            manifests = [each.manifest_path for each in snapshot.manifests(table.io)]
            _insist_inside(folder, manifests, name)
            for task in table.scan().plan_files():
                files += [
                    (each.file_path, each.file_size_in_bytes)
                    for each in (task.file, *task.delete_files)
                ]
    version = _EMPTY if snapshot is None else str(snapshot.snapshot_id)
    places = _insist_inside(folder, [path for path, _ in files], name)
    identity: dict[str, object] = {
        "table": str(metadata.table_uuid), "version": version, "schema": metadata.current_schema_id
    }  # fmt: skip
    named = {(place, size) for place, (_, size) in zip(places, files, strict=True)}
    text, size_bytes = described(Kind.ICEBERG, identity, named)
    return TableVersion(Kind.ICEBERG, folder, version, size_bytes, text, at)


def rows(table: TableVersion, name: str) -> tuple[pa.Schema, Iterator[pa.RecordBatch], int | None]:
    """The rows of a version: their schema, the batches as they are decoded, and their number, if
    the metadata has it.

    Raises:
        UnreadableFile: a file is missing or damaged, or is of a kind that neither library reads;
            also while the batches are read.
    """
    assert table.at is not None
    # Polars' own planner is one more package, and Polars warns where it is not installed.
    os.environ.setdefault("POLARS_ICEBERG_PLANNER", "pyiceberg")
    opened = _table(table.at, name)
    with _troubled(name):
        number = _number(opened)
        frame = pl.scan_iceberg(opened)
        schema = pl.DataFrame(schema=frame.collect_schema()).to_arrow().schema

    def batches() -> Iterator[pa.RecordBatch]:
        if number == 0:
            return
        with _troubled(name):
            for chunk in frame.collect_batches(chunk_size=_CHUNK_ROWS, maintain_order=True):
                yield from chunk.to_arrow().to_batches()

    return schema, batches(), number


def _number(table: StaticTable) -> int | None:
    """A deleted row is still counted in its file."""
    if table.current_snapshot() is None:
        return 0
    tasks = list(table.scan().plan_files())
    return None if any(t.delete_files for t in tasks) else sum(t.file.record_count for t in tasks)


def _newest(folder: Path, name: str) -> Path:
    """The file with the highest number, which is the current one unless a catalog went back."""
    metadata = folder / "metadata"
    with _troubled(name):
        hint = metadata / "version-hint.text"
        hinted = hint.read_text(encoding="utf-8").strip() if hint.is_file() else ""
        found: dict[int, list[Path]] = {}
        for path in metadata.iterdir():
            if path.name.endswith(METADATA) and (number := _NUMBER.match(path.name)):
                found.setdefault(int(number[1]), []).append(path)
    newest = found.get(int(hinted), []) if hinted.isdecimal() else found.get(max(found, default=0))
    if not newest or len(newest) > 1:
        names = " and ".join(path.name for path in sorted(newest or ()))
        raise UnreadableFile.of(
            name,
            f"is an Iceberg table with two newest versions: {names}"
            if newest
            else "is an Iceberg table with no metadata file of a known number",
            hint="name the metadata file that its catalog has for the current one: "
            f"mdload backfill '{metadata}/NAME.metadata.json'",
        )
    return newest[0]


def _table(at: Path, name: str) -> StaticTable:
    try:
        from pyiceberg.catalog.noop import NoopCatalog  # noqa: PLC0415 - an extra
        from pyiceberg.io.pyarrow import PyArrowFileIO  # noqa: PLC0415
        from pyiceberg.serializers import FromInputFile  # noqa: PLC0415
        from pyiceberg.table import StaticTable  # noqa: PLC0415
    except ImportError:
        raise refusals.without_extra(name, Kind.ICEBERG, "iceberg") from None
    with _troubled(name):
        # Not StaticTable.from_metadata: there the table's own properties name a class to load.
        io = PyArrowFileIO()
        return StaticTable(
            identifier=("table", at.name),
            metadata=FromInputFile.table_metadata(io.new_input(at.as_posix())),
            metadata_location=at.as_posix(),
            io=io,
            catalog=NoopCatalog("none"),
        )


def _insist_inside(folder: Path, locations: list[str], name: str) -> list[str]:
    """The paths that the `locations` have in the table's folder.

    Raises:
        UnreadableFile: one is not in there. Iceberg writes down where each file is.
    """
    found = []
    for location in locations:
        local = re.match(r"(file:(?:/(?=/))*)?(/.*)", location, re.DOTALL)
        path = local and inside(folder, unquote(local[2]) if local[1] else local[2])
        if path is None:
            raise refusals.moved(name, Kind.ICEBERG, location)
        found.append(path)
    return found


@contextmanager
def _troubled(name: str) -> Iterator[None]:
    """Raises what pyiceberg, Polars and Arrow raise as mdload's: they have no class in common."""
    try:
        yield
    except UnreadableFile:
        raise
    except Exception as error:
        raise refusals.damaged(name, Kind.ICEBERG, error) from error

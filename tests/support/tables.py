"""Tables in folders, written file by file; Delta's log by hand."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

_TYPES = {pa.string(): "string", pa.float64(): "double", pa.int64(): "long"}


def bars(minutes: Sequence[int], price: float, symbol: str | None = "AAA") -> pa.Table:
    """One bar a minute of 2024-03-04 14:00Z, of four equal prices, without volume."""
    stamps = [1_709_560_800_000_000 + 60_000_000 * minute for minute in minutes]
    columns: dict[str, Any] = {} if symbol is None else {"symbol": [symbol] * len(stamps)}
    columns["ts"] = pa.array(stamps, pa.timestamp("us", "UTC"))
    columns |= {name: [price] * len(stamps) for name in ("open", "high", "low", "close")}
    return pa.table(columns)


@dataclass
class Delta:
    """A Delta table in `folder`; each method is a commit, and so a version."""

    folder: Path
    partition: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    version: int = -1
    _parts: int = field(default=0)

    def put(self, rows: pa.Table, *, instead_of: Sequence[str] = (), **cells: str) -> str:
        """Adds a file with `rows` of the partition `cells`. Returns its path."""
        actions: list[Mapping[str, Any]] = []
        if self.version < 0:
            actions = [self._protocol(), self._metadata(rows)]
        below = "".join(f"{key}={value}/" for key, value in cells.items())
        path = f"{below}part-{self._parts:05d}.snappy.parquet"
        self._parts += 1
        (self.folder / below).mkdir(parents=True, exist_ok=True)
        pq.write_table(rows, self.folder / path)
        actions += [self._removed(old) for old in instead_of]
        actions.append(self._added(path, rows.num_rows, cells))
        self._commit(actions)
        return path

    def delete(self, path: str, rows: Sequence[int], of: int) -> None:
        """Deletes rows of a file of `of` rows by a deletion vector inside the log."""
        from pyroaring import BitMap

        vector = struct.pack("<IQI", 1681511377, 1, 0) + BitMap(rows).serialize()
        vector += b"\0" * (-len(vector) % 4)
        stored = {
            "storageType": "i", "pathOrInlineDv": _z85(vector), "sizeInBytes": len(vector),
            "cardinality": len(rows),
        }  # fmt: skip
        added = self._added(path, of, {})
        added["add"]["deletionVector"] = stored
        self._commit([self._removed(path), added])

    def _commit(self, actions: Sequence[Mapping[str, Any]]) -> None:
        self.version += 1
        log = self.folder / "_delta_log"
        log.mkdir(parents=True, exist_ok=True)
        text = "".join(json.dumps(action) + "\n" for action in actions)
        (log / f"{self.version:020d}.json").write_text(text)

    def _protocol(self) -> dict[str, Any]:
        if not self.features:
            return {"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}}
        names = list(self.features)
        return {"protocol": {"minReaderVersion": 3, "minWriterVersion": 7,
                             "readerFeatures": names, "writerFeatures": names}}  # fmt: skip

    def _metadata(self, rows: pa.Table) -> dict[str, Any]:
        names = [*rows.schema.names, *self.partition]
        kinds = [_TYPES.get(kind, "timestamp") for kind in rows.schema.types]
        kinds += ["string"] * len(self.partition)
        fields = [
            {"name": name, "type": kind, "nullable": True, "metadata": {}}
            for name, kind in zip(names, kinds, strict=True)
        ]
        return {"metaData": {
            "id": "5fba94ed-9794-4965-ba6e-6ee3c0d22af9", "configuration": {}, "createdTime": 1,
            "format": {"provider": "parquet", "options": {}},
            "schemaString": json.dumps({"type": "struct", "fields": fields}),
            "partitionColumns": list(self.partition),
        }}  # fmt: skip

    def _added(self, path: str, rows: int, cells: Mapping[str, str]) -> dict[str, Any]:
        size = (self.folder / path).stat().st_size
        return {"add": {
            "path": path, "partitionValues": dict(cells), "size": size, "modificationTime": 1,
            "dataChange": True, "stats": json.dumps({"numRecords": rows}),
        }}  # fmt: skip

    def _removed(self, path: str) -> dict[str, Any]:
        return {"remove": {"path": path, "deletionTimestamp": 1, "dataChange": True}}


def iceberg(folder: Path, *versions: pa.Table) -> Path:
    """An Iceberg table, which each of `versions` overwrites. Returns its folder."""
    from pyiceberg.catalog.sql import SqlCatalog

    catalog = SqlCatalog("c", uri=f"sqlite:///{folder}/catalog.db", warehouse=f"file://{folder}")
    catalog.create_namespace("market")
    table = catalog.create_table("market.bars", schema=versions[0].schema)
    table.append(versions[0])
    for version in versions[1:]:
        table.overwrite(version)
    catalog.close()
    return folder / "market" / "bars"


_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"


def _z85(data: bytes) -> str:
    found = []
    for at in range(0, len(data), 4):
        (value,) = struct.unpack(">I", data[at : at + 4])
        found += [_DIGITS[value // 85**power % 85] for power in (4, 3, 2, 1, 0)]
    return "".join(found)

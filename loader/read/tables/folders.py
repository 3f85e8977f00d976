"""Which folders are tables, and which files belong to one."""

from __future__ import annotations

import os
from enum import Enum
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Final

#: What a table of Iceberg calls the files that describe it, plain or compressed.
METADATA: Final = (".metadata.json", ".metadata.json.gz", ".gz.metadata.json")
#: The files that a table keeps rows in; others beside them do not belong to it.
_ROWS: Final = (".parquet", ".orc", ".avro")


class Kind(Enum):
    """The format of a table, as a person knows it."""

    DELTA = "a Delta table"
    ICEBERG = "an Iceberg table"
    HUDI = "a Hudi table"


def kind_at(folder: Path) -> Kind | None:
    """The kind of the table in `folder`, or None if it is none. Raises nothing."""
    if not os.path.isdir(folder):  # one question in place of three for each of many files
        return None
    if (folder / "_delta_log").is_dir():
        return Kind.DELTA
    if (folder / ".hoodie").is_dir():
        return Kind.HUDI
    metadata = folder / "metadata"
    try:
        named = metadata.is_dir() and any(m.name.endswith(METADATA) for m in metadata.iterdir())
    except OSError:
        return None
    return Kind.ICEBERG if named else None


def is_metadata(file: Path) -> bool:
    """Whether it describes a version of an Iceberg table; a person may name such a file."""
    return file.parent.name == "metadata" and file.name.endswith(METADATA)


def table_around(file: Path) -> tuple[Path, Kind] | None:
    """The table that `file` keeps rows of, by the folders that it is in; None if there is none."""
    if not has_rows(file.name):
        return None
    return _around(file.absolute().parent)


def has_rows(name: str) -> bool:
    """Whether a table keeps rows in files of such a name."""
    return name.lower().endswith(_ROWS)


@lru_cache(maxsize=4096)
def _around(folder: Path) -> tuple[Path, Kind] | None:
    if kind := kind_at(folder):
        return folder, kind
    return None if folder == folder.parent else _around(folder.parent)


def forget() -> None:
    """Forgets which folders were tables: they may be others when files are looked for again."""
    _around.cache_clear()


def kind_of_name(name: str) -> tuple[str, Kind] | None:
    """The table that a member of an archive, or an object, describes by its name: its folder (with
    `/` at the end, empty for the outermost one) and kind; None for all other names."""
    parts = PurePosixPath(name).parts
    for at, part in enumerate(parts[:-1]):
        kind = {"_delta_log": Kind.DELTA, ".hoodie": Kind.HUDI}.get(part)
        if part == "metadata" and parts[-1].endswith(METADATA):
            kind = Kind.ICEBERG
        if kind is not None:
            return "".join(f"{above}/" for above in parts[:at]), kind
    return None

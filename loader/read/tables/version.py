"""One version of a table, as a source that can be hashed and read like a file."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import field, replace
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final, Self

from loader.errors import UnreadableFile
from loader.lazy import dataclass
from loader.read.streams.source import Source
from loader.read.tables.folders import Kind

#: What the description of a table begins with: no file of rows has a zero byte there.
MARK: Final = {Kind.DELTA: b"\0mdload Delta table\n", Kind.ICEBERG: b"\0mdload Iceberg table\n"}


@dataclass(frozen=True, slots=True)
class TableVersion:
    """A `Place`. Its bytes are a description: the identity of the version, and the path and size of
    each of its files. Equal descriptions have equal rows.

    Attributes:
        folder: of the table.
        version: as the table counts its versions: a number, or the id of a snapshot.
        size_bytes: of all its files.
        at: the file that describes the version, where one has to be opened to read it.
    """

    kind: Kind
    folder: Path
    version: str
    size_bytes: int
    described: bytes = field(repr=False)
    at: Path | None = None

    @property
    def name(self) -> str:
        return self.folder.name

    def absolute(self) -> Self:
        return replace(self, folder=self.folder.absolute())

    def as_posix(self) -> str:
        return self.folder.as_posix()

    def stat(self) -> Any:
        """A version never changes."""
        return SimpleNamespace(st_size=self.size_bytes, st_mtime_ns=0)

    def open(self, mode: Any = "rb", buffering: int = -1) -> Any:
        return BytesIO(self.described)


def described(
    kind: Kind, identity: dict[str, object], files: Iterable[tuple[str, int]]
) -> tuple[bytes, int]:
    """The bytes of a `TableVersion`, and the size of all its files."""
    named = sorted(files)
    text = json.dumps({**identity, "files": named}, sort_keys=True)
    return MARK[kind] + text.encode(), sum(size for _, size in named)


def inside(folder: Path, path: str) -> str | None:
    """`path` relative to the table's folder, or None if it is not in there."""
    relative = os.path.relpath(os.path.normpath(path), folder.absolute())
    return None if relative == ".." or relative.startswith(f"..{os.sep}") else relative


def opened(source: Source, kind: Kind) -> TableVersion:
    """The version that `source` is.

    Raises:
        UnreadableFile: it only looks like one.
    """
    if isinstance(source.path, TableVersion) and source.path.kind is kind:
        return source.path
    raise UnreadableFile.of(source.name, "is binary data of a kind that mdload does not know")

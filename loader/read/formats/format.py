"""How a container is declared: how to recognise its files, and how to read them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import field
from io import BufferedReader
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any

from loader.lazy import dataclass
from loader.read.batch import Reading
from loader.read.scratch import copy, scratch_file
from loader.read.streams.compression import damage
from loader.read.streams.source import Source


@dataclass(frozen=True, slots=True)
class Opened:
    """A source with a known container, at its first byte.

    Attributes:
        stream: its plain bytes, peekable.
        layers: the compressions that were taken off, outermost first.
        batch_rows: rows of each batch that is wanted.
        stack: closes what the reader opens.
    """

    stream: BufferedReader
    source: Source
    layers: tuple[str, ...]
    batch_rows: int
    stack: ExitStack

    @property
    def size(self) -> int | None:
        """Bytes of the stream, where they are known before it is read."""
        return None if self.layers else self.source.size_bytes

    def seekable(self, *, in_place: bool = False) -> Any:
        """A file for containers that are read from their end: the source itself, or a nameless
        temporary copy where it is inside an archive or compressed as a whole.

        An object far away is copied too, unless it is to be read `in_place`: by a reader that asks
        for few and large pieces.
        """
        import pyarrow as pa  # noqa: PLC0415 - so that containers are discovered quickly

        if self._is_plain:
            if isinstance(self.source.path, Path):
                return self.stack.enter_context(pa.OSFile(os.fsencode(self.source.path)))
            if in_place:
                far = self.stack.enter_context(self.source.path.open("rb", buffering=0))
                return self.stack.enter_context(pa.PythonFile(far, "r"))
        return self.stack.enter_context(pa.PythonFile(self._copied(), "r"))

    def file(self) -> IO[bytes]:
        """A file of the system's, for another process: the source itself, or a nameless temporary
        copy."""
        if self._is_plain and isinstance(self.source.path, Path):
            file: IO[bytes] = self.stack.enter_context(self.source.path.open("rb"))
            return file
        return self._copied()

    @property
    def _is_plain(self) -> bool:
        return self.source.member is None and not self.layers

    def _copied(self) -> IO[bytes]:
        kept = self.stack.enter_context(scratch_file())
        with damage(self.source.name):
            copy(self.stream, kept)
        return kept


@dataclass(frozen=True, slots=True)
class Format:
    """One container that is read. Each module of `containers` has one, as `FORMAT`.

    Attributes:
        names: what `Reading.container` may say of such a file, and `Shape.containers` asks for.
        read: opens the table; raises UnreadableFile, also while its batches are read.
        suffixes: of the files that are taken out of a folder or an archive, in lower case.
        magic: the first bytes of such files, of binary containers that have a mark.
        text: pattern of the first characters, of containers that are text.
        file_name: pattern that is found in the name of such files (without the suffixes of
            compressions), of binary containers without a mark.
        layer: the compression that a file known by its name has to be in.
        empty: whether a file known by its name may have no bytes.
        no_bars: pattern of the names of related files that cannot be loaded, to the reason.
        vendor: whether only one kind of dump comes in this container, so that the container alone
            says which.
    """

    names: tuple[str, ...]
    read: Callable[[Opened], Reading]
    suffixes: tuple[str, ...]
    magic: tuple[bytes, ...] = ()
    text: bytes | None = None
    file_name: str | None = None
    layer: str | None = None
    empty: bool = False
    no_bars: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    vendor: bool = False

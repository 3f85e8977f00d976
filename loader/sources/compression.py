"""gzip, Zstandard, xz and bzip2: recognised by their first bytes, decompressed as they are read."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import BinaryIO, Final, cast

from loader.errors import UnreadableFile

PEEK: Final = 1 << 16
#: A file is not wrapped deeper than this but by malice.
_DEPTH: Final = 3


def _zstd(stream: BinaryIO) -> BinaryIO:
    import pyarrow as pa  # noqa: PLC0415  # Python has Zstandard from 3.14 on; pyarrow is here anyway

    return cast(BinaryIO, pa.CompressedInputStream(pa.PythonFile(stream, "r"), "zstd"))


#: Each compression by its first bytes: its name, and what reads it.
_FORMATS: Final[dict[bytes, tuple[str, Callable[[BinaryIO], BinaryIO]]]] = {
    b"\x1f\x8b\x08": ("gzip", lambda s: cast(BinaryIO, gzip.GzipFile(fileobj=s))),
    b"\x28\xb5\x2f\xfd": ("zstd", _zstd),
    b"\xfd7zXZ\x00": ("xz", lambda s: cast(BinaryIO, lzma.LZMAFile(s))),
    b"BZh": ("bzip2", lambda s: cast(BinaryIO, bz2.BZ2File(s))),
}


def unwrap(
    stream: BinaryIO, name: str, stack: ExitStack
) -> tuple[io.BufferedReader, tuple[str, ...]]:
    """The plain bytes of `stream`, peekable, and the compressions taken off, outermost first.

    Raises:
        UnreadableFile: a compressed stream is damaged from its start.
    """
    layers: list[str] = []
    while True:
        buffered = stack.enter_context(io.BufferedReader(cast(io.RawIOBase, stream), PEEK))
        with damage(name):
            head = buffered.peek(8)[:8]
        match = next((f for magic, f in _FORMATS.items() if head.startswith(magic)), None)
        if match is None or len(layers) == _DEPTH:
            return buffered, tuple(layers)
        layer, opener = match
        layers.append(layer)
        stream = stack.enter_context(opener(cast(BinaryIO, buffered)))


@contextmanager
def damage(name: str, done: Callable[[], str] = str) -> Iterator[None]:
    """Translates what readers of compressed and archived streams raise.

    `done` says how far the reading came, for the message.

    Raises:
        UnreadableFile: the stream ends too early, or is damaged.
    """
    try:
        yield
    except (EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, OSError) as exc:
        at = done()
        if isinstance(exc, EOFError) or "truncated" in str(exc).lower():
            raise UnreadableFile(
                f"{name} ends in the middle{at}: its compressed data is cut short",
                hint="it was not copied or downloaded to the end: get it again",
            ) from exc
        raise UnreadableFile(
            f"{name} is damaged{at}: {exc}", hint="get it again from where it came"
        ) from exc

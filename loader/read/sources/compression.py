"""gzip, Zstandard, xz, LZMA and bzip2: recognised by their first bytes, decompressed as read."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final

from loader.errors import Unfinished, UnreadableFile

PEEK: Final = 1 << 16
#: A file is not wrapped deeper than this but by malice.
_DEPTH: Final = 3


def _zstd(stream: Any) -> Any:
    import pyarrow as pa  # noqa: PLC0415  # Python has no Zstandard before 3.14

    return pa.CompressedInputStream(pa.PythonFile(stream, "r"), "zstd")


#: Each compression by its first bytes: its name, and what reads it.
_FORMATS: Final[dict[bytes, tuple[str, Callable[[Any], Any]]]] = {
    rb"\x1f\x8b\x08": ("gzip", gzip.open),
    rb"\x28\xb5\x2f\xfd": ("zstd", _zstd),
    rb"\xfd7zXZ\x00": ("xz", lzma.open),
    rb"\x5d\x00\x00": ("lzma", lzma.open),  # xz's forerunner, without a mark of its own
    rb"BZh[1-9](1AY&SY|\x17rE8P)": ("bzip2", bz2.open),
}


def unwrap(stream: Any, name: str, stack: ExitStack) -> tuple[io.BufferedReader, tuple[str, ...]]:
    """The plain bytes of `stream`, peekable, and the compressions taken off, outermost first.

    Raises:
        UnreadableFile: a compressed stream is damaged from its start.
    """
    layers: list[str] = []
    while True:
        buffered: io.BufferedReader = stack.enter_context(io.BufferedReader(stream, PEEK))
        with damage(name):
            head = buffered.peek(16)
        match = next((f for magic, f in _FORMATS.items() if re.match(magic, head)), None)
        if match is None or len(layers) == _DEPTH:
            return buffered, tuple(layers)
        layer, opener = match
        layers.append(layer)
        stream = stack.enter_context(opener(buffered))


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
            raise Unfinished.of(
                name,
                f"ends in the middle{at}: its compressed data is cut short",
                hint="it was not copied or downloaded to the end: get it again",
            ) from exc
        raise UnreadableFile.of(
            name, f"is damaged{at}: {exc}", hint="get it again from where it came"
        ) from exc

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
from loader.read import bounds

PEEK: Final = 1 << 16
#: A file is not wrapped deeper than this but by malice.
_DEPTH: Final = 3


def _zstd(stream: Any) -> Any:
    import pyarrow as pa  # noqa: PLC0415  # Python has no Zstandard before 3.14

    return pa.CompressedInputStream(pa.PythonFile(stream, "r"), "zstd")


class _Streams(io.RawIOBase):
    """The plain bytes of all compressed streams in `file`, one after the other.

    Python's own readers for xz and bzip2 silently stop where the bytes after a stream are not
    another stream. Here only zeros, which pad xz files and tapes, may stand between streams or at
    the end.
    """

    def __init__(self, file: io.BufferedIOBase, new: Callable[[], Any]) -> None:
        self._file, self._new, self._stream = file, new, new()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def _read(self, size: int) -> bytes:
        """Some bytes, at most `size`; none at the end.

        Raises:
            EOFError: the last stream is cut short.
            OSError, lzma.LZMAError: a stream is damaged, or followed by something else.
        """
        while True:
            given = b""
            if self._stream.eof:
                given = self._next_stream()
                if not given:
                    return b""
                self._stream = self._new()
            elif self._stream.needs_input:
                given = self._file.read(PEEK)
                if not given:
                    raise EOFError
            data: bytes = self._stream.decompress(given, size)
            if data:
                return data

    def _next_stream(self) -> bytes:
        """The first bytes of the next stream; none where there is no other."""
        given: bytes = self._stream.unused_data.lstrip(b"\0")
        while not given and (more := self._file.read(PEEK)):
            given = more.lstrip(b"\0")
        return given


def _xz(file: io.BufferedIOBase) -> _Streams:
    return _Streams(file, lambda: lzma.LZMADecompressor(memlimit=bounds.DECOMPRESSOR))


def _bzip2(file: io.BufferedIOBase) -> _Streams:
    return _Streams(file, bz2.BZ2Decompressor)


#: Each compression by its first bytes: its name, and what reads it.
_FORMATS: Final[dict[bytes, tuple[str, Callable[[Any], Any]]]] = {
    rb"\x1f\x8b\x08": ("gzip", gzip.open),
    rb"\x28\xb5\x2f\xfd": ("zstd", _zstd),
    rb"\xfd7zXZ\x00": ("xz", _xz),
    rb"\x5d\x00\x00": ("lzma", _xz),  # xz's forerunner, without a mark of its own
    rb"BZh[1-9](1AY&SY|\x17rE8P)": ("bzip2", _bzip2),
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
        if "Memory usage limit" in str(exc) or "Frame requires too much memory" in str(exc):
            raise UnreadableFile.of(
                name,
                "is compressed with a window so large that unpacking it takes more memory than "
                "mdload gives it",
                hint="unpack it, and load what it holds; or compress it with a usual level",
            ) from exc
        raise UnreadableFile.of(
            name, f"is damaged{at}: {exc}", hint="get it again from where it came"
        ) from exc

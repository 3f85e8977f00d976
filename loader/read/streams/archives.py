"""Zip archives: what is in them, and a member's bytes as a stream. Nothing is extracted to disk."""

from __future__ import annotations

import struct
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from io import BufferedIOBase
from pathlib import Path
from typing import Final, cast

from loader.errors import Unfinished, UnreadableFile
from loader.read.streams.place import Place

#: What zipfile raises over a damaged archive beside its own error: names that are not UTF-8, places
#: before the file's start, numbers cut short.
_DAMAGE: Final = (
    zipfile.BadZipFile, EOFError, LookupError, OSError, OverflowError, ValueError, struct.error,
)  # fmt: skip


def is_zip(head: bytes) -> bool:
    return head.startswith((b"PK\x03\x04", b"PK\x05\x06"))


def members(path: Place, name: str) -> list[zipfile.ZipInfo]:
    """The files in the archive, in its own order.

    Raises:
        UnreadableFile: it is damaged, empty or an office document, or two members share a name.
    """
    # Not `is_dir`, which fails over a member without a name.
    listed = _archive(path, name).infolist()
    infos = [info for info in listed if not info.filename.endswith("/")]
    if listed and min(info.header_offset for info in listed) > 0:
        raise UnreadableFile.of(
            name,
            "has members at its start that its directory does not list: is it two archives, one "
            "behind the other?",
            hint="load the archives that were joined, or unpack it and load the folder",
        )
    names = Counter(info.filename for info in infos)
    if not infos:
        raise UnreadableFile.of(name, "is an empty zip archive")
    if "[Content_Types].xml" in names:
        raise UnreadableFile.of(
            name,
            "is an Excel or other office document",
            hint="save the sheet as CSV, and load that",
        )
    twice = next((member for member, count in names.items() if count > 1), None)
    if twice is not None:
        raise UnreadableFile.of(
            name,
            f"holds {names[twice]} members called {twice!r}",
            hint="unpack it, tell them apart by name, and load the folder",
        )
    return infos


@contextmanager
def open_member(path: Place, member: str, name: str) -> Iterator[BufferedIOBase]:
    """The member's bytes, inflated as they are read.

    Raises:
        UnreadableFile: the archive is damaged, or the member is gone, encrypted or packed in a way
            that Python's zipfile does not know.
    """
    archive = _archive(path, name)
    try:
        info = archive.getinfo(member)
    except KeyError:
        raise UnreadableFile.of(name, "is no longer in its archive") from None
    try:
        stream = archive.open(info)
    except NotImplementedError as exc:
        raise UnreadableFile.of(
            name, f"cannot be unpacked: {exc}", hint="unpack it with 7z, and load the folder"
        ) from exc
    except RuntimeError as exc:  # zipfile's word for "password required"
        raise UnreadableFile.of(
            name, "is encrypted", hint="unpack it with its password, and load the folder"
        ) from exc
    except _DAMAGE as exc:
        raise UnreadableFile.of(name, f"is damaged: {exc}", hint="get the archive again") from exc
    with stream:
        yield cast(BufferedIOBase, stream)


def _archive(path: Place, name: str) -> zipfile.ZipFile:
    try:
        at = path.stat()
        return _opened(path, at.st_mtime_ns, at.st_size)
    except OSError as exc:
        raise UnreadableFile.of(name, f"cannot be read: {exc.strerror or exc}") from exc
    except (*_DAMAGE, NotImplementedError) as exc:
        raise Unfinished.of(
            name,
            f"is a damaged zip archive: {exc}",
            hint="it was not copied or downloaded to the end, or is one part of several",
        ) from exc


@lru_cache(maxsize=4)
def _opened(path: Place, mtime_ns: int, size: int) -> zipfile.ZipFile:
    """Kept open, because reading the directory of 10,000 members 10,000 times takes many minutes.

    A ZipFile takes its own lock around each read, so several threads may read members of one.
    """
    return zipfile.ZipFile(path if isinstance(path, Path) else path.open("rb"))


def close_all() -> None:
    """Lets go of every archive; members still being read keep their own handle."""
    _opened.cache_clear()

"""One thing to load, its bytes and their hash."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BufferedIOBase
from pathlib import Path
from typing import Final

from loader.errors import NotThere, UnreadableFile
from loader.lazy import dataclass
from loader.read.streams import archives
from loader.read.streams.compression import damage
from loader.read.streams.place import Place

Identity = tuple[int, int]

#: Bytes that are read at a time, and of a source that does not say its size.
_AT_ONCE, _LEAST = 1 << 20, 1 << 16
#: Too many files are open, of this process or of the machine.
_FULL: Final = (errno.EMFILE, errno.ENFILE)


@dataclass(frozen=True, slots=True)
class Source:
    """A file, an object in a bucket or on the web, or one member of a zip archive.

    Attributes:
        path: where it is, or the archive that it is in.
        name: how people and the ledger know it: the path as it was given, the URL without what
            gives access, `stdin`, or `dump.zip!AAPL.csv`; always printable.
        member: the member's own name inside the archive, or None.
        size_bytes: of the file on disk; of a member, uncompressed.
        trouble: why it cannot be loaded, where that is known before its turn comes.
        copied_from: if `path` is a file of mdload's own, with what came through a pipe or the web:
            the path that this has there, with the host of a URL as the first folder.
    """

    path: Place
    name: str
    member: str | None
    size_bytes: int
    trouble: UnreadableFile | None = None
    copied_from: str | None = None

    @property
    def file_name(self) -> str:
        """What it is called, with or without its folders but without the query of a URL."""
        return self.member or (self.path.name if "://" in self.name else self.name)

    @property
    def full_path(self) -> str:
        """Its absolute path, with `/` between folders; a member of an archive after `!`. The path
        of a copy says nothing."""
        member = f"!{self.member}" if self.member is not None else ""
        return (self.copied_from or self.path.absolute().as_posix()) + member

    @property
    def is_copy(self) -> bool:
        """Whether `path` is a file of mdload's own."""
        return self.copied_from is not None

    @property
    def key(self) -> tuple[object, str | None]:
        """Equal for two that are the same, however they were named."""
        place = os.path.realpath(self.path) if isinstance(self.path, Path) else self.path
        return place, self.member


@contextmanager
def open_source(source: Source) -> Iterator[BufferedIOBase]:
    """The source's own bytes, from the start; a member's are inflated as they are read.

    Raises:
        UnreadableFile: it is gone, may not be read, or the archive is damaged or encrypted; or its
            `trouble`.
    """
    if source.trouble is not None:
        raise source.trouble
    if source.member is not None:
        with archives.open_member(source.path, source.member, source.name) as stream:
            yield stream
        return
    try:
        file = source.path.open("rb")
    except OSError as exc:
        raise no_access(source.name, exc) from exc
    with file:
        yield file


def content_hash(source: Source, check: Callable[[], None] = lambda: None) -> str:
    """`sha256:` and the hex digest of the source's own bytes (of a compressed file: as on disk).
    Calls `check` now and then, which may raise to end it.

    Raises:
        UnreadableFile: as `open_source`.
    """
    digest = hashlib.sha256()
    # One buffer: the system clears the pages of a new one.
    data = memoryview(bytearray(min(max(source.size_bytes, _LEAST), _AT_ONCE)))
    with open_source(source) as stream, damage(source.name):
        while size := stream.readinto(data):
            check()
            digest.update(data[:size])
    return "sha256:" + digest.hexdigest()


def identity(source: Source) -> Identity:
    """Size in bytes and time of the last change in ns, to notice a file that is still written to.

    Raises:
        UnreadableFile: the file is not there.
    """
    try:
        stat = source.path.stat()
    except OSError as exc:
        raise no_access(source.name, exc) from exc
    return stat.st_size, stat.st_mtime_ns


def _here() -> str:
    try:
        return str(Path.cwd())
    except FileNotFoundError:
        return "the current directory, which has been deleted"


def no_access(name: str, exc: OSError) -> UnreadableFile:
    """Why a file could not be opened, in one sentence."""
    if isinstance(exc, FileNotFoundError) and os.path.islink(exc.filename or ""):
        return UnreadableFile.of(
            name,
            f"is a symbolic link to {os.readlink(exc.filename)}, which does not exist",
            hint="mend the link, or name the file itself",
        )
    if isinstance(exc, FileNotFoundError):
        return NotThere.of(
            name,
            "does not exist",
            hint=f"relative paths start in {_here()}; check the spelling",
        )
    if isinstance(exc, PermissionError):
        return UnreadableFile.of(
            name,
            "may not be read: permission denied",
            hint=f"give this user the right to read it: ls -ld '{name}' shows who has it",
        )
    hint = "allow this process more open files: ulimit -n 1024" if exc.errno in _FULL else None
    return UnreadableFile.of(name, f"cannot be read: {exc.strerror or exc}", hint=hint)

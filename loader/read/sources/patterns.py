"""From the patterns a person gives to the files, and the members of archives, that they name."""

from __future__ import annotations

import glob
import os
import re
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, NamedTuple
from zipfile import ZipInfo

from loader.errors import NotThere, SettingsError, UnreadableFile
from loader.lazy import regex
from loader.read import objects, tables
from loader.read.formats.known import suffixes
from loader.read.formats.plain_text import printable
from loader.read.panics import panics
from loader.read.scratch import copy, room
from loader.read.streams import archives
from loader.read.streams.place import Place
from loader.read.streams.source import Source, no_access

COMPRESSED = frozenset({".gz", ".zst", ".xz", ".bz2"})
#: Names of text files that lie beside data.
_BESIDE = frozenset({"readme", "license", "licence", "changelog", "notice", "checksums", "md5sums"})
#: HistData's list of gaps beside its bars.
_GAPS = regex(r"DAT_[A-Z]+_[A-Z0-9]+_(M1|T)\w*_\d{4,6}")
#: What browsers add to the name of a file that they download again.
_DOWNLOAD = regex(r" ?\(([0-9]+)\)(?=\.|$)")
#: Folders that archivers and writers of tables keep for themselves.
_ASIDE = frozenset({"__MACOSX", "_temporary", "_delta_log"})


class _Named(NamedTuple):
    """A file, with the name it is known by; of a copy, `Source.copied_from`."""

    path: Place
    name: str
    copied_from: str | None = None


@contextmanager
def find(patterns: Sequence[str]) -> Iterator[list[Source]]:
    """The sources that `patterns` name: in the patterns' order, within one in natural order (`f2`
    before `f10`), none twice.

    A pattern is a path, a glob (`**` too), a folder (searched to the bottom for files that a reader
    knows, without hidden and temporary ones), a URL, or `-`. A folder that is a table is one
    source, its current version. What cannot be read from its place again (stdin, a pipe, a file on
    a server that gives no parts) is kept in a private temporary file until the context ends.

    Raises:
        NotThere: a pattern names nothing.
        UnreadableFile: it names something that is not a file, or cannot be reached.
        SettingsError: it is empty, or a URL of a kind that is not read.
        NoRoom: the temporary file does not fit.
    """
    found: dict[tuple[object, str | None], Source] = {}
    with ExitStack() as stack:
        stack.callback(archives.close_all)
        tables.forget()
        for pattern in patterns:
            for path, name, copied_from in _paths(pattern, stack):
                place = None
                for each in _members(path, name):
                    source = replace(each, copied_from=copied_from) if copied_from else each
                    # Looked up once: an archive may have hundreds of thousands of members.
                    place = place or source.key[0]
                    found.setdefault((place, source.member), source)
        yield list(found.values())


def _paths(pattern: str, stack: ExitStack) -> list[_Named]:
    """Each file that one pattern names."""
    if not pattern.strip():
        raise SettingsError(
            "a source is empty: it names nothing",
            hint="is the variable set? name a path, a glob, a folder, a URL, or - for stdin",
        )
    if pattern == "-":
        if sys.stdin is None:
            raise UnreadableFile("standard input is closed", hint="pipe a file into mdload")
        return [_Named(_spool(sys.stdin.buffer, stack), "stdin", "/stdin")]
    if objects.is_url(pattern):
        from loader.read.objects.find import find as find_objects  # noqa: PLC0415 - takes its time

        found = find_objects(pattern, known)
        return [_kept(at, stack) for at in sorted(found, key=lambda at: _natural(str(at)))]
    path = Path(os.path.expanduser(pattern))
    try:
        mode = path.stat().st_mode
    except OSError as exc:
        if glob.has_magic(pattern):
            return _globbed(pattern, str(path))
        raise no_access(pattern, exc) from exc
    if stat.S_ISDIR(mode):
        files = list(_walk(path))
        if not files:
            raise NotThere(
                f"the folder {pattern} holds no file that mdload reads",
                hint=f"it looks for {', '.join(sorted(suffixes()))}, these compressed, and .zip",
            )
        return _named(files)
    if stat.S_ISFIFO(mode):
        with path.open("rb") as pipe:
            origin = path.absolute().as_posix()
            return [_Named(_spool(pipe, stack), printable(pattern), origin)]
    if not stat.S_ISREG(mode):
        raise UnreadableFile.of(pattern, "is neither a file nor a folder nor a pipe")
    return [_Named(path, printable(str(path)))]


def _kept(at: objects.ObjectPath, stack: ExitStack) -> _Named:
    if at.head.ranges:
        return _Named(at, printable(str(at)))
    name = re.sub(r"[^\w.-]", "_", at.name)[-100:].lstrip(".") or "page"
    with at.remote.whole() as stream:
        return _Named(_spool(stream, stack, name), printable(str(at)), at.as_posix())


def _globbed(pattern: str, expanded: str) -> list[_Named]:
    if os.path.basename(expanded) == "**":  # a folder, to the bottom
        expanded = os.path.dirname(expanded) or "."
    matches = [Path(match) for match in glob.iglob(expanded, recursive=True)]
    files = [path for path in matches if path.is_file()]
    if "." not in os.path.basename(expanded):  # `data/*` means the data, not the README beside it
        files = [path for path in files if known(path.name)]
    files += [file for path in matches if path.is_dir() for file in _walk(path)]
    if not files:
        raise NotThere(
            f"nothing matches {pattern}",
            hint="what it matches are folders without a file that mdload reads"
            if matches
            else "check the pattern, and quote it so that the shell leaves it alone",
        )
    return _named(files)


def _walk(folder: Path) -> Iterator[Path]:
    """Files below `folder` that a reader knows, and the folders of tables; follows links, but into
    no folder twice."""
    seen = set()

    def refuse(exc: OSError) -> None:
        raise no_access(str(exc.filename), exc) from exc

    for root, folders, files in os.walk(folder, followlinks=True, onerror=refuse):
        at = os.stat(root)
        if (at.st_dev, at.st_ino) in seen:
            folders.clear()
            continue
        seen.add((at.st_dev, at.st_ino))
        if tables.kind_at(Path(root)):
            folders.clear()
            yield Path(root)
            continue
        folders[:] = [name for name in folders if not name.startswith(".") and name not in _ASIDE]
        found = (Path(root, name) for name in files if known(name))
        yield from (path for path in found if not _is_device(path))


def _is_device(path: Path) -> bool:
    """Whether it is a pipe, a socket, a device or a link to one: opening it might wait for ever. A
    file that is gone or out of reach is not; it is reported when its turn comes."""
    try:
        return not stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return False


def known(name: str) -> bool:
    """Whether a file of this name, found in a folder or an archive, counts as data."""
    path = Path(name)
    if path.name.startswith((".", "~$")) or not _ASIDE.isdisjoint(path.parts):
        return False
    suffix = path.suffix.lower()
    if suffix in COMPRESSED:
        inner = Path(path.stem)
        return inner.suffix.lower() in suffixes() or not inner.suffix
    if suffix == ".txt" and (path.stem.lower() in _BESIDE or _GAPS.fullmatch(path.stem)):
        return False
    return suffix in suffixes() or suffix == ".zip"


def _members(path: Place, name: str) -> Iterator[Source]:
    """`path` itself, or the data in it if it is a table or a zip archive that can be opened."""
    if isinstance(path, Path) and (table := _table(path, name)):
        yield table
        return
    size = 0
    infos: list[ZipInfo] = []
    with suppress(OSError, UnreadableFile):  # reported when its turn comes; the others still load
        if isinstance(path, objects.ObjectPath):  # a look into each of a thousand would take long
            size, zipped = path.head.st_size, path.name.lower().endswith(".zip")
        else:
            size = path.stat().st_size
            with path.open("rb") as file:
                zipped = archives.is_zip(file.read(4))
        infos = archives.members(path, name) if zipped else []
    if not infos:
        yield Source(path, name, None, size)
        return
    if found := next(filter(None, (tables.kind_of_name(i.filename) for i in infos)), None):
        yield Source(path, name, None, size, tables.inside_archive(name, *found))
        return
    visible = [i for i in infos if not i.filename.split("/")[-1].startswith(".")]
    wanted = [i for i in visible if known(i.filename)] or visible or infos
    for info in sorted(wanted, key=lambda i: _natural(i.filename)):
        member = printable(info.filename)
        yield Source(path, f"{name}!{member}", info.filename, info.file_size)


def _table(path: Path, name: str) -> Source | None:
    """The version of the table that `path` is the folder of, or describes, or is a file of."""
    try:
        if (kind := tables.kind_at(path)) is not None:
            with panics(name):
                version = tables.version_at(path, kind, name)
        elif tables.is_metadata(path):
            version = tables.version_at(path.parent.parent, tables.Kind.ICEBERG, name, path)
            name = printable(str(path.parent.parent))
        elif (around := tables.table_around(path)) is not None:
            raise tables.one_of_its_files(name, *around)
        else:
            return None
    except UnreadableFile as trouble:
        return Source(path, name, None, 0, trouble)
    return Source(version, f"{name}@{version.version}", None, version.size_bytes)


def _spool(stream: BinaryIO, stack: ExitStack, name: str = "stdin") -> Path:
    with room():
        folder = Path(tempfile.mkdtemp(prefix="mdload-"))  # mode 0700
    stack.callback(shutil.rmtree, folder, ignore_errors=True)
    path = folder / name
    with path.open("wb") as file:
        copy(stream, file)
    return path


def _named(paths: Iterable[Path]) -> list[_Named]:
    return [_Named(p, printable(str(p))) for p in sorted(paths, key=lambda p: _natural(str(p)))]


def _natural(text: str) -> tuple[list[tuple[int, str]], list[int]]:
    """A key that sorts numbers by their size, and a later download, `KILO (1).csv`, after
    `KILO.csv`."""
    parts = re.split(r"([0-9]+)", _DOWNLOAD.sub("", text))
    numbers = [(int(part), "") if part.isdecimal() else (-1, part) for part in parts if part]
    return numbers, [int(number) for number in _DOWNLOAD.findall(text)]

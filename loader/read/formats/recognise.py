"""Recognises the container of a source by its first bytes, or says why it cannot be read."""

from __future__ import annotations

import codecs
import re
from itertools import chain
from typing import Final

from loader.errors import UnreadableFile
from loader.lazy import regex
from loader.read.formats.format import Format
from loader.read.formats.known import delimited, formats
from loader.read.formats.plain_text import ASK_AGAIN, CONTROL, text_encoding
from loader.read.streams.source import Source

_COMPRESSED: Final = regex(r"(\.(gz|zst|xz|bz2))+$", re.IGNORECASE)
_NOT_YET: Final = {b"FEA1": "Feather version 1"}
_BINARY: Final = {
    b"PARE": "an encrypted Parquet file",
    b"PK\x03\x04": "a zip archive inside another archive",
    b"Rar!": "a RAR archive",
    b"7z\xbc\xaf": "a 7z archive",
    b"\x7fELF": "a program",
    b"MZ": "a Windows program (a self-extracting archive is one too)",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"SQLite format 3": "an SQLite database",
    b"\xd0\xcf\x11\xe0": "an old Excel or other office document",
    b"Obj\x01": "an Avro file",
    b"ORC": "an ORC file",
    b"\x93NUMPY": "a NumPy array",
}
_PAGE: Final = "a web page or XML"
_TEXT: Final = {
    rb"%PDF-": "a PDF document",
    rb"#!": "a script",
    rb"version https://git-lfs": "a Git LFS pointer, not the file that it stands for",
    rb"\s*<(!doctype|html|head|body|\?xml|!--|error\b)": _PAGE,
}


def container(head: bytes, source: Source, layers: tuple[str, ...] = ()) -> Format:
    """The container that a source beginning with `head` is in; delimited text where no other fits.
    `layers` are the compressions that were taken off.

    Raises:
        UnreadableFile: it is in none of them; the message says what it looks like.
    """
    encoding = text_encoding(head)
    text = head if encoding == "utf-8" else head.decode(encoding, "ignore").encode()
    if not head and (named := _by_name(source)) and named.empty:
        return named
    if CONTROL.search(text):
        return _binary(head, source, layers)
    text = text.removeprefix(codecs.BOM_UTF8)
    for pattern, kind in _TEXT.items():
        if re.match(pattern, text, re.IGNORECASE):
            raise _no_table(source.name, kind)
    found = (each for each in formats() if each.text and re.match(each.text, text))
    return next(found, delimited())


def _binary(head: bytes, source: Source, layers: tuple[str, ...]) -> Format:
    for each in formats():
        if head.startswith(each.magic):
            return each
    named = _by_name(source)
    if named and (named.layer is None or named.layer in layers):
        return named
    raise _refusal(head, source.name)


def _by_name(source: Source) -> Format | None:
    """The container that the file's name says, of those that have no mark.

    Raises:
        UnreadableFile: it is related to one, and holds no bars or is not read.
    """
    plain = _COMPRESSED.sub("", source.file_name)

    def has(pattern: str) -> bool:
        return re.search(pattern, plain, re.IGNORECASE) is not None

    for pattern, what in chain.from_iterable(each.no_bars.items() for each in formats()):
        if has(pattern):
            raise UnreadableFile.of(
                source.name, f"{what}", hint="get bars from where it came, and load those"
            )
    return next((each for each in formats() if each.file_name and has(each.file_name)), None)


def _refusal(head: bytes, name: str) -> UnreadableFile:
    for magic, kind in _NOT_YET.items():
        if head.startswith(magic):
            return _not_yet(name, kind)
    if head.startswith(b"%PDF-"):
        return _no_table(name, "a PDF document")
    if head[257:262] == b"ustar":
        return _no_table(name, "a tar archive")
    if encoding := _unmarked_utf16(head):
        return UnreadableFile.of(
            name,
            f"is text in {encoding} without the mark that says so",
            hint=f"convert it: iconv -f {encoding} -t UTF-8 '{name}' > converted.csv",
        )
    kinds = (kind for magic, kind in _BINARY.items() if head.startswith(magic))
    return _no_table(name, next(kinds, "binary data of a kind that mdload does not know"))


def _unmarked_utf16(head: bytes) -> str | None:
    """The name of the encoding: every second byte of most letters, digits and marks is zero."""
    even, odd = head[0::2], head[1::2]
    for zeros, letters, name in ((odd, even, "UTF-16LE"), (even, odd, "UTF-16BE")):
        half = len(zeros) // 2
        if half > 2 and zeros.count(0) > half and not letters.count(0):
            return None if CONTROL.search(letters) else name
    return None


def _not_yet(name: str, kind: str) -> UnreadableFile:
    return UnreadableFile.of(
        name,
        f"is {kind}, which mdload does not read yet",
        hint="convert it to Parquet or CSV, and load that",
    )


def _no_table(name: str, kind: str) -> UnreadableFile:
    read = "mdload reads Parquet, Arrow IPC and delimited text, also compressed or in a zip"
    hint = ASK_AGAIN if kind == _PAGE else read
    return UnreadableFile.of(name, f"is not a table: it looks like {kind}", hint=hint)

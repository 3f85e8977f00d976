"""What a source is, by its first bytes: a container that is read, or why it cannot be."""

from __future__ import annotations

import codecs
import re
from typing import Final

from loader.errors import UnreadableFile
from loader.read.sources import Source

#: Binary containers that are read, by their first bytes.
_READ: Final = {
    b"PAR1": "parquet",
    b"ARROW1": "arrow",
    b"\xff\xff\xff\xff": "arrow stream",
    b"DBN": "dbn",
    b"SCID": "scid",
    b"\x89HDF": "hdf5",
}
#: Binary containers without a mark of their own, by the name of the file.
_NAMED: Final = {
    r"\.bi5$|_candles_(min|hour|day)_1$": "bi5",
    r"\.day$": "tdx",
    r"\.hst$": "hst",
}
_NO_BARS: Final = {
    r"_ticks\.bi5$": "holds Dukascopy's ticks, not bars",
    r"\.lc[15]?$": "is one of TDX's minute files, which mdload does not read",
    r"\.dbn\.frag$": "is a fragment of Databento's DBN, without the start that says what is in it",
}
_COMPRESSED: Final = re.compile(r"(\.(gz|zst|xz|bz2))+$", re.IGNORECASE)
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
ASK_AGAIN: Final = "ask the provider again, and keep what it sends only if the request succeeded"
_PAGE: Final = "a web page or XML"
_TEXT: Final = {
    rb"%PDF-": "a PDF document",
    rb"#!": "a script",
    rb"version https://git-lfs": "a Git LFS pointer, not the file that it stands for",
    rb"\s*<(!doctype|html|head|body|\?xml|!--|error\b)": _PAGE,
}
_JSON: Final = re.compile(rb'\s*(\{\s*["}]|\[\s*([\[{\]"0-9-]|null|true|false))')
#: Control characters that no text has; Ctrl-Z (DOS end of file) and Escape may stand in one.
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0e-\x19\x1c-\x1f]")


def container(head: bytes, source: Source, layers: tuple[str, ...] = ()) -> str:
    """`parquet`, `arrow`, `arrow stream`, `hdf5`, `dbn`, `scid`, `bi5`, `tdx`, `hst`, `json` (lines
    of it too) or `csv`, which is any text that may be delimited. `layers` are the compressions that
    were taken off.

    Raises:
        UnreadableFile: it is something else; the message says what it looks like.
    """
    name = source.name
    encoding = text_encoding(head)
    text = head if encoding == "utf-8" else head.decode(encoding, "ignore").encode()
    if not head and _by_name(source) == "bi5":  # Dukascopy's word for a time without trading
        return "bi5"
    if _CONTROL.search(text):
        for magic, kind in _READ.items():
            if head.startswith(magic):
                return kind
        named = _by_name(source)
        if named and (named != "bi5" or "lzma" in layers):
            return named
        raise _refusal(head, name)
    for pattern, kind in _TEXT.items():
        if re.match(pattern, text.removeprefix(codecs.BOM_UTF8), re.IGNORECASE):
            raise _no_table(name, kind)
    if _JSON.match(text.removeprefix(codecs.BOM_UTF8)):
        return "json"
    return "csv"


def text_encoding(head: bytes) -> str:
    """By the byte order mark: `utf-16-le`, `utf-16-be`, else `utf-8`."""
    marks = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
    return marks.get(head[:2], "utf-8")


def _by_name(source: Source) -> str | None:
    """The container that a file of this name is, if it is binary.

    Raises:
        UnreadableFile: it is one that holds no bars, or is not read.
    """
    plain = _COMPRESSED.sub("", source.file_name)
    for pattern, what in _NO_BARS.items():
        if re.search(pattern, plain, re.IGNORECASE):
            raise UnreadableFile.of(
                source.name, f"{what}", hint="get bars from where it came, and load those"
            )
    found = (kind for pattern, kind in _NAMED.items() if re.search(pattern, plain, re.IGNORECASE))
    return next(found, None)


def _refusal(head: bytes, name: str) -> UnreadableFile:
    for magic, kind in _NOT_YET.items():
        if head.startswith(magic):
            return _not_yet(name, kind)
    if head.startswith(b"%PDF-"):
        return _no_table(name, "a PDF document")
    if head[257:262] == b"ustar":
        return _no_table(name, "a tar archive")
    kinds = (kind for magic, kind in _BINARY.items() if head.startswith(magic))
    return _no_table(name, next(kinds, "binary data of a kind that mdload does not know"))


def _not_yet(name: str, kind: str) -> UnreadableFile:
    return UnreadableFile.of(
        name,
        f"is {kind}, which mdload does not read yet",
        hint="convert it to Parquet or CSV, and load that",
    )


def _no_table(name: str, kind: str) -> UnreadableFile:
    read = "mdload reads Parquet, Arrow IPC and delimited text, also compressed or in a zip"
    hint = ASK_AGAIN if kind == _PAGE else read
    return UnreadableFile.of(name, f"is no table: it looks like {kind}", hint=hint)

"""Delimited text, whatever its name: encoding and layout from its first lines, then its rows."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import replace
from io import BufferedReader
from itertools import chain
from typing import Final

import polars as pl

from loader.errors import UnreadableFile
from loader.read.batch import NO_ROWS, Reading, batches
from loader.read.formats import blanks
from loader.read.formats.format import Format
from loader.read.formats.plain_text import not_utf8, text_encoding
from loader.read.formats.rows import Rows
from loader.read.formats.sniff import sniff
from loader.read.streams.compression import damage
from loader.read.streams.source import Source

#: Parsed at a time: large enough for Polars to be fast, small enough for flat memory.
BLOCK: Final = 2 << 20
#: The layout is judged by this much.
_HEAD: Final = 1 << 18


def read(stream: BufferedReader, source: Source, batch_rows: int, block: int = BLOCK) -> Reading:
    """The table in `stream`: every column String, every cell as it stands, an empty one null.

    Nothing else is null: `NA`, `NULL` and `TRUE` are tickers. Rows with more or fewer cells than
    columns are in the batches' `ragged`. Blank lines are skipped. The metadata has the
    `delimiter`, and as `banner` what stands above the table.

    Raises:
        UnreadableFile: it is not a table, neither UTF-8 nor UTF-16 with its mark, damaged, or ends
            in the middle of a row; also while its batches are read.
    """
    name = source.name
    encoding = text_encoding(stream.peek(2))
    pieces = _pieces(stream, block, name)
    if encoding != "utf-8":
        pieces = _recoded(pieces, encoding, name)
    begun = b""
    while len(begun) < _HEAD and (piece := next(pieces, None)) is not None:
        begun += piece
    mark = len(codecs.BOM_UTF8) if begun.startswith(codecs.BOM_UTF8) else 0
    begun = begun[mark:]
    if b"\n" not in begun and b"\r" in begun:  # lines as old Macs ended them
        begun = begun.replace(b"\r", b"\n")
        pieces = (piece.replace(b"\r", b"\n") for piece in pieces)
    whole = len(begun) < _HEAD - mark
    head = begun if whole else begun[: begun.rfind(b"\n", 0, _HEAD) + 1]
    if not whole and not head.strip():
        raise UnreadableFile.of(
            name, f"is not a table: its first {_HEAD:,} bytes are blank or one single line"
        )
    blank = blanks.divide(head)
    if blank:
        pieces = blanks.as_tabs(chain([begun], pieces))
        begun = b"".join(pieces) if whole else next(pieces)
        head = begun if whole else begun[: begun.rfind(b"\n", 0, _HEAD) + 1]
    form = sniff(head, name)
    if form is not None and blank:
        form = replace(form, notes=("cells are separated by blanks", *form.notes[1:]))
    if form is None:
        return Reading("csv", (), iter(()), rows=0, notes=("the file is empty",))
    try:
        begun[: form.start].decode()
    except UnicodeDecodeError as exc:
        raise not_utf8(name, exc, mark, "the header") from exc
    notes = form.notes if encoding == "utf-8" else (f"encoded in {encoding}", *form.notes)
    if whole and not begun[form.start :].strip():
        notes = (*notes, NO_ROWS)
    rows = Rows(form, name, mark + form.start)
    parts = (begun[at : at + block] for at in range(form.start, len(begun), block))
    frames = rows.frames(chain(parts, pieces))
    if form.banner.startswith("#"):
        frames = _one_table(frames, name)
    return Reading(
        container="csv",
        columns=form.columns,
        batches=batches(frames, name, batch_rows),
        notes=notes,
        header=form.header,
        metadata={"delimiter": form.delimiter, **({"banner": form.banner} if form.banner else {})},
    )


def _one_table(frames: Iterator[pl.DataFrame], name: str) -> Iterator[pl.DataFrame]:
    """Refuses a second table with its own annotations, as InfluxDB writes them: its columns may
    stand in another order."""
    done = 0
    for frame in frames:
        again = frame.to_series().str.contains("^#(datatype|group|default)$").fill_null(False)
        if again.any():
            row = done + (again.arg_true()[0]) + 1
            raise UnreadableFile.of(
                name,
                f"holds several tables: annotations of another one stand in row {row:,}",
                hint="write each table to a file of its own, for example one query per symbol",
            )
        done += frame.height
        yield frame


def _pieces(stream: BufferedReader, size: int, name: str) -> Iterator[bytes]:
    done = 0
    with damage(name, lambda: f" after {done:,} bytes of text"):
        while piece := stream.read(size):
            done += len(piece)
            yield piece


def _recoded(pieces: Iterator[bytes], encoding: str, name: str) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        for piece in pieces:
            yield decoder.decode(piece).encode()
        yield decoder.decode(b"", final=True).encode()
    except UnicodeError as exc:
        raise UnreadableFile.of(
            name,
            f"begins as {encoding} but does not go on so: {exc}",
            hint="it is cut short, or two files were joined into one: get it again",
        ) from exc


FORMAT: Final = Format(
    names=("csv",),
    read=lambda opened: read(opened.stream, opened.source, opened.batch_rows),
    suffixes=(".csv", ".tsv", ".tab", ".psv", ".txt"),
)

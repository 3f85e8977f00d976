"""From blocks of UTF-8 text to frames of strings: fast where text is plain, exact where it is not.

Polars parses a block and refuses irregular ones: a row with too many cells, a quote inside a cell.
Only such a block goes through Python's csv module. Rows with more or fewer cells
than columns are marked; see `RawBatch.ragged`.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from typing import Final

import polars as pl

from loader.errors import Unfinished, UnreadableFile
from loader.lazy import regex
from loader.read import bounds
from loader.read.batch import marked
from loader.read.formats.plain_text import control_character, not_utf8
from loader.read.formats.sniff import Record, TextFormat

_QUOTED: Final = regex(rb'"[^"]*"')
_BLANK_LINES: Final = regex(rb"(?:\A|(?<=\n))(?:\r?\n)+")
#: A last line for the csv module: where it comes back inside a cell, a quote is still open.
_END: Final = "\x00end\x00"


class Rows:
    """The rows of one text, which begin `offset` bytes into it."""

    def __init__(self, form: TextFormat, name: str, offset: int) -> None:
        self._delimiter = form.delimiter
        edge = re.escape(form.delimiter.encode())
        self._regular = re.compile(
            rb"""(?: [^"]*+ (?<![^%b\n])" [^"]*+ (?:""[^"]*+)*+ "(?=[%b\n]|\r\n) )*+ [^"]*+"""
            % (edge, edge),
            re.VERBOSE,
        )
        self._columns = form.columns
        self._schema = dict.fromkeys(form.columns, pl.String())
        self._name = name
        self._offset = offset
        self._rows = 0

    def frames(self, pieces: Iterable[bytes]) -> Iterator[pl.DataFrame]:
        """The rows of the text that `pieces` make up, wherever it is cut into them.

        Raises:
            UnreadableFile: it is not UTF-8, has a control character that no text has, ends in the
                middle of a row, or a cell does not end.
        """
        rest = b""
        for piece in pieces:
            block = rest + piece
            if (at := control_character(piece)) is not None:
                raise self._control(block, len(rest) + at)
            frame, used = self._parse(block)
            rest = block[used:]
            del piece, block
            self._offset += used
            self._rows += frame.height
            if frame.height:
                yield frame
            del frame
            if len(rest) > bounds.ROW:
                raise UnreadableFile.of(
                    self._name,
                    f"is not a table: row {self._rows + 1:,} does not end within "
                    f"{bounds.ROW:,} bytes",
                    row=self._rows + 1,
                    hint="does a quote open there that nothing closes?",
                )
        frame = self._tail(rest.rstrip(b"\x1a"))  # Ctrl-Z, with which DOS ended texts
        if frame.height:
            yield frame

    def _parse(self, block: bytes) -> tuple[pl.DataFrame, int]:
        """The block's whole rows, and how many bytes of it they are."""
        lines = regular = block.rfind(b"\n") + 1
        if not block[:lines].strip(b"\r\n"):  # gigabytes of blank lines fit into a few kilobytes
            return self._frame([]), lines
        quoted = b'"' in block
        if quoted and (match := self._regular.match(block, 0, lines)):
            # short of `lines` where a cell is still open, or a quote stands where none belongs
            regular = lines if match.end() == lines else block.rfind(b"\n", 0, match.end()) + 1
        if regular:
            text = block[:regular]
            self._check_encoding(text)
            frame = self._fast(text, quoted=quoted)
            if frame is not None:
                return frame, regular
        self._check_encoding(block[:lines])
        records, used = self._records(block[:lines].decode())
        return self._frame(records), used

    def _fast(self, text: bytes, *, quoted: bool) -> pl.DataFrame | None:
        """The rows of `text`, which are whole, or None where they are not regular."""
        if not quoted and b"\n\n" in text:  # Polars would make a row of each blank line
            text = _BLANK_LINES.sub(b"", text)
        try:
            frame = pl.read_csv(
                text,
                has_header=False,
                schema=self._schema,
                separator=self._delimiter,
                quote_char='"' if quoted else None,
                missing_columns="insert",
            )
        except (pl.exceptions.PolarsError, OSError):  # OSError: it takes `x^` for compressed data
            return None
        if not quoted and frame.height != text.count(b"\n"):
            return None
        if all(column.null_count() for column in frame) and _BLANK_LINES.search(text):
            # Polars makes rows of blank lines
            return None if quoted else self._fast(_BLANK_LINES.sub(b"", text), quoted=False)
        short = self._has_short_rows(frame, text, quoted=quoted)
        if quoted:
            frame = frame.with_columns(pl.when(pl.all() != "").then(pl.all()))
            return None if short else frame
        return marked(frame, self._short(text)) if short else frame

    def _has_short_rows(self, frame: pl.DataFrame, text: bytes, *, quoted: bool) -> bool:
        """Polars fills rows up in silence, and refuses those with too many cells."""
        if not frame.to_series(-1).null_count():
            return False
        plain = _QUOTED.sub(b"", text) if quoted else text
        return plain.count(self._delimiter.encode()) != frame.height * (frame.width - 1)

    def _short(self, text: bytes) -> pl.DataFrame:
        lines = pl.DataFrame({"line": text.decode().split("\n")[:-1]}).with_row_index("at")
        cells = pl.col("line").str.count_matches(self._delimiter, literal=True) + 1
        counted = lines.select("at", cells.alias("cells"), pl.col("line").str.strip_suffix("\r"))
        return counted.filter(pl.col("cells") < len(self._columns))

    def _records(self, text: str) -> tuple[list[Record], int]:
        """The whole rows of `text`, by the csv module, and how many bytes of it they are."""
        reader = csv.reader(io.StringIO(text + _END, newline="\n"), delimiter=self._delimiter)
        records, ends = [], [0]
        try:
            for record in reader:
                records.append(record)
                ends.append(reader.line_num)
        except csv.Error as exc:
            raise UnreadableFile.of(
                self._name,
                f"cannot be read in row {self._row_after(records):,}: {exc}",
                hint="look there for a quote or a carriage return that does not belong",
            ) from exc
        if records.pop() == [_END]:
            return list(filter(None, records)), len(text.encode())
        whole = text.split("\n")[: ends[-2]]
        return list(filter(None, records)), sum(len(line.encode()) + 1 for line in whole)

    def _tail(self, text: bytes) -> pl.DataFrame:
        """What stands after the last row that ended with a line end: a last row, if it is whole."""
        if not text.strip(b" \r\n"):
            return self._frame([])
        self._check_encoding(text)
        records, used = self._records(text.decode() + "\n")
        row = self._row_after(records)
        if used < len(text):
            raise self._cut_short(f"ends inside a quoted cell of row {row:,}")
        cells, width = len(records[-1]), len(self._columns)
        remark = cells == 1 and text.endswith(b'"')  # such as: "Downloaded from … as of …"
        if cells < width and not text.endswith(b"\n") and not remark:
            raise self._cut_short(f"ends in the middle of row {row - 1:,}, in cell {cells}")
        return self._frame(records)

    def _frame(self, records: list[Record]) -> pl.DataFrame:
        if not records:
            return pl.DataFrame(schema=self._schema)
        width = len(self._columns)
        fitted = [r if len(r) == width else self._fitted(r) for r in records]
        columns = zip(*fitted, strict=True)
        frame = pl.DataFrame(dict(zip(self._columns, columns, strict=True)), self._schema)
        odd = [
            (at, len(record), self._text(record))
            for at, record in enumerate(records)
            if len(record) != width
        ]
        return marked(frame.with_columns(pl.when(pl.all() != "").then(pl.all())), odd)

    def _fitted(self, record: Record) -> list[str | None]:
        missing = len(self._columns) - len(record)
        if missing > 0:
            return [*record, *[None] * missing]
        return [self._text(record), *[None] * (len(self._columns) - 1)]

    def _text(self, record: Record) -> str:
        out = io.StringIO(newline="")
        csv.writer(out, delimiter=self._delimiter).writerow(record)
        return out.getvalue().removesuffix("\r\n")

    def _check_encoding(self, text: bytes) -> None:
        if text.isascii():
            return
        try:
            text.decode()
        except UnicodeDecodeError as exc:
            row = self._row_at(text, exc.start)
            raise not_utf8(self._name, exc, self._offset, f"row {row:,}") from exc

    def _control(self, block: bytes, at: int) -> UnreadableFile:
        return UnreadableFile.of(
            self._name,
            f"is damaged in row {self._row_at(block, at):,}: byte "
            f"{self._offset + at + 1:,} is 0x{block[at]:02x}, which no text has",
            hint="it was not written, copied or downloaded to the end: get it again",
        )

    def _row_at(self, text: bytes, at: int) -> int:
        """The number of the row in which the byte `at` of `text` stands."""
        records, _ = self._records(text[:at].decode("utf-8", "replace"))
        return self._row_after(records)

    def _row_after(self, records: list[Record]) -> int:
        return self._rows + sum(map(bool, records)) + 1

    def _cut_short(self, how: str) -> Unfinished:
        return Unfinished.of(
            self._name,
            f"{how}: it is cut short",
            hint="it was not written, copied or downloaded to the end: get it again",
        )

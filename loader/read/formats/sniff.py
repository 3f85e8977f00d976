"""How a delimited text is laid out, judged by its first lines: delimiter, banner, header, names."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from itertools import islice
from typing import Final

from loader.errors import UnreadableFile
from loader.lazy import dataclass, regex
from loader.read.batch import unique_names

#: Where two fit equally well the earlier wins: a comma may be a decimal comma, a tab hardly is.
_DELIMITERS: Final = {"\t": "tabs", ";": "semicolons", "|": "vertical bars", ",": "commas"}
_RECORDS: Final = 200
_BANNER_LINES: Final = 20

#: Letters that may stand in a number, a date or a time.
_VALUE_WORD: Final = regex(
    "(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|mon|tue|wed|thu|fri|sat|sun)[a-z]{0,6}"
    "|am|pm|utc|gmt|est|edt|cst|cdt|pst|pdt|[tzdekmbhap]"
)
_WORD: Final = regex(r"[^\W\d_]+")
_DATE: Final = regex(r"[0-9]{4}[-/.][0-9]{1,2}[-/.][0-9]{1,2}(?![0-9])")
_EMPTY_WORDS: Final = frozenset(["", "-", "na", "nan", "n/a", "null", "none"])

Record = list[str]


@dataclass(frozen=True, slots=True)
class TextFormat:
    """`start` is where the first data row begins: a number of bytes after the byte order mark.
    `banner` is the text of the lines above the table."""

    delimiter: str
    columns: tuple[str, ...]
    header: bool
    start: int
    notes: tuple[str, ...]
    banner: str = ""


def sniff(head: bytes, name: str) -> TextFormat | None:
    """The layout of a text that begins with the whole lines `head`; None if they are all blank.

    Raises:
        UnreadableFile: no delimiter makes a table of it, or header and rows do not fit together.
    """
    hint = re.match(rb"sep=([\t;|,])\r?\n", head, re.IGNORECASE)  # Excel's own first line
    body = head[hint.end() :] if hint else head
    text = body.decode("utf-8", "replace").rstrip("\x1a")
    delimiter = hint[1].decode() if hint else _delimiter(text)
    numbered = _records(text, delimiter)
    if not numbered:
        return None
    ends, records = [end for end, _ in numbered], [record for _, record in numbered]
    width = _usual([len(record) for record in records])
    if width < 2 or sum(len(record) == width for record in records) * 2 < len(records):
        raise UnreadableFile.of(
            name,
            "is not a table: no comma, semicolon, tab, bar or blank divides its lines evenly",
            hint="every line of a table has the same number of cells, two at least",
        )
    first, header = _banner_lines(records, width)
    if header is None:
        header = _is_header(records[first], records[first + 1 :])
    if header:
        columns, notes = unique_names(_header_names(records[first], records[first + 1 :], name))
        first += 1
    else:
        columns = tuple(f"column_{n}" for n in range(1, width + 1))
        notes = (f"no header line: the columns are called column_1 to column_{width}",)
    banner = records[: first - header]
    shown = " / ".join(delimiter.join(record).strip(delimiter) for record in banner)
    if banner:
        notes = (f"left out above the table: {shown[:200]!r}", *notes)
    if delimiter != ",":
        notes = (f"cells are separated by {_DELIMITERS[delimiter]}", *notes)
    lines = body.split(b"\n")[: ends[first - 1] if first else 0]
    start = len(head) - len(body) + sum(len(line) + 1 for line in lines)
    return TextFormat(delimiter, columns, header, min(start, len(head)), notes, shown)


def _records(text: str, delimiter: str) -> list[tuple[int, Record]]:
    """The first records that are not blank, each with the number of lines up to its end."""
    reader = csv.reader(io.StringIO(text, newline="\n"), delimiter=delimiter)
    found = []
    try:
        for record in islice(reader, _RECORDS):
            if any(cell.strip() for cell in record):
                found.append((reader.line_num, record))
    except csv.Error:  # reported with its row when the row is read
        pass
    return found


def _delimiter(text: str) -> str:
    """The one that cuts most lines into the same, and largest, number of cells."""

    def fit(delimiter: str) -> float:
        if delimiter not in text:
            return 0
        widths = [len(record) for _, record in _records(text, delimiter)]
        width = _usual(widths)
        return width * widths.count(width) / len(widths) if width > 1 else 0

    return max(_DELIMITERS, key=fit)


def _usual(numbers: Sequence[int]) -> int:
    return Counter(numbers).most_common(1)[0][0] if numbers else 0


def _banner_lines(records: Sequence[Record], width: int) -> tuple[int, bool | None]:
    """How many records stand above the table: titles, addresses, remarks; and whether a header
    follows, None if that was not looked at.

    They are narrower than the table, and a header follows; or they are one cell of plain words; or
    they begin with `#`, as annotations do, and a header follows.
    """
    noted = _annotations(records)
    below = records[noted : noted + 1]
    if noted and any(
        len(each) == width and _is_header(each, records[noted + 1 :]) for each in below
    ):
        return noted, True
    for number, record in enumerate(records[:_BANNER_LINES]):
        filled = sum(map(bool, map(str.strip, record)))
        if len(record) == width and filled * 2 > width:
            if _is_header(record, records[number + 1 :]):
                return number, True
            break
    words = (len(record) == 1 and not _is_value(record[0]) for record in records[:_BANNER_LINES])
    lines = next((number for number, alone in enumerate(words) if not alone), 0)
    return lines if width > 2 else 0, None


def _annotations(records: Sequence[Record]) -> int:
    """How many records at the start begin with `#`."""
    marked = (record[0].lstrip().startswith("#") for record in records[:_BANNER_LINES])
    return next((number for number, each in enumerate(marked) if not each), len(records))


def _is_header(first: Record, rest: Sequence[Record]) -> bool:
    """Whether `first` holds names: it has a word in the first column that holds values below it."""
    for column, cell in enumerate(first):
        cells = Counter(r[column] for r in rest if column < len(r))  # words repeat
        below = {text: times for text, times in cells.items() if not _is_empty(text)}
        values = sum(times for text, times in below.items() if _is_value(text))
        if values * 2 > sum(below.values()) and not _is_empty(cell):
            return not _is_value(cell)
    return not any(map(_is_value, first))


def _is_value(cell: str) -> bool:
    """Whether it looks like a number, a date or a time."""
    if not any(map(str.isdigit, cell)):
        return False
    return all(map(_VALUE_WORD.fullmatch, _WORD.findall(cell.lower())))


def _is_empty(cell: str) -> bool:
    return cell.strip().lower() in _EMPTY_WORDS


def _has_row_names(header: Record, rows: Sequence[Record], width: int) -> bool:
    """Whether the first cells number the rows, or date them where no column is a time."""
    firsts = [row[0].strip() for row in rows if len(row) == width]
    if firsts == [str(number) for number in range(1, len(firsts) + 1)]:
        return True
    timed = any(re.search("date|time|stamp|index", name, re.IGNORECASE) for name in header)
    return not timed and all(map(_DATE.match, firsts))


def _header_names(header: Record, rows: Sequence[Record], name: str) -> Record:
    """The header's cells, one per cell of the rows below it.

    A delimiter at the end of the header only, or of the rows only, makes no column. Names of rows,
    as R writes them, have no name above them.
    """
    if header[0].startswith("#"):  # numpy marks the line of names so
        header = [header[0].lstrip("# "), *header[1:]]
    named, widths = len(header), [len(row) for row in rows]
    usual = _usual(widths)
    if not rows or widths.count(named) * 2 >= len(rows):
        return header
    if usual == named + 1 and not any(row[named].strip() for row in rows if len(row) == usual):
        return [*header, ""]
    if usual == named + 1 and _has_row_names(header, rows, usual):
        return ["", *header]
    if usual < named and not any(map(str.strip, header[usual:])):
        return header[:usual]
    if named in widths:
        return header
    raise UnreadableFile.of(
        name,
        f"cannot be read: its header names {named} columns, its rows have {usual} cells",
        hint="mend the header, so that each cell has its name above it",
    )

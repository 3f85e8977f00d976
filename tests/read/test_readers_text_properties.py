"""Against the csv module: whatever it writes is read back, whatever it reads is read the same."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loader.check.ragged import fitting
from loader.errors import UnreadableFile
from loader.read.batch import RawBatch, batches
from loader.read.formats.containers import text
from loader.read.formats.rows import Rows
from loader.read.formats.sniff import TextFormat
from loader.read.sources import Source

SOURCE = Source(Path("f.csv"), "f.csv", None, 0)

Cells = tuple[str | None, ...]


def check_places(batches: list[RawBatch], batch_rows: int) -> None:
    """Every batch but the last is full, in one chunk, and says rightly where it stood."""
    start = 1
    for number, batch in enumerate(batches):
        assert (batch.location.batch, batch.location.start_row) == (number, start)
        assert batch.frame.n_chunks() == 1
        start += batch.frame.height
    assert all(batch.frame.height == batch_rows for batch in batches[:-1])
    assert all(0 < batch.frame.height <= batch_rows for batch in batches[-1:])


CELL_TEXT = st.text(st.sampled_from("ab1.5-é€ \"'NA"), max_size=6)


@st.composite
def written(draw: st.DrawFn) -> tuple[bytes, list[Cells], list[str]]:
    """A file as the csv module writes it in some dialect, its rows, and its header."""
    delimiter = draw(st.sampled_from(",;\t|"))
    width = draw(st.integers(2, 5))
    header = ["Date", *(f"name {n}" for n in range(1, width))]
    special = st.sampled_from(["", delimiter, '"', "\n", "a\r\nb", f'"{delimiter}"\n', "NA"])
    cell = special | CELL_TEXT
    table = draw(
        st.lists(st.tuples(st.dates().map(str), *[cell] * (width - 1)), min_size=1, max_size=30)
    )
    out = io.StringIO(newline="")
    end = draw(st.sampled_from(["\n", "\r\n"]))
    writer = csv.writer(
        out,
        delimiter=delimiter,
        lineterminator=end,
        quoting=draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC])),
    )
    writer.writerow(header)
    for row in table:
        writer.writerow(row)
        out.write(draw(st.sampled_from(["", "", "", end])))
    content = out.getvalue()
    if draw(st.booleans()):
        content = content.removesuffix(end)
    encoding = draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))
    return content.encode(encoding), [tuple(c or None for c in row) for row in table], header


@given(written(), st.integers(1, 40), st.sampled_from([1, 7, 50, text.BLOCK]))
def test_what_was_written_is_read(
    file: tuple[bytes, list[Cells], list[str]], batch_rows: int, block: int
) -> None:
    data, table, header = file
    reading = text.read(io.BufferedReader(io.BytesIO(data)), SOURCE, batch_rows, block)
    batches = list(reading)
    assert reading.columns == tuple(header)
    assert [row for batch in batches for row in batch.frame.rows()] == table
    check_places(batches, batch_rows)


def by_the_csv_module(content: str) -> list[list[str]] | None:
    """The rows as they are; None if a quoted cell does not end."""
    end = "\x00end\x00"
    records = list(csv.reader(io.StringIO(content + end, newline="\n")))
    if records.pop() != [end]:
        return None
    return [record for record in records if record]


SCRAPS = [
    "a", "1.5", " ", "é", ",", ",", ",", "\n", "\n", "\r\n", "1,2\n",
    '"', '""', '"q"', '"a,b"', ',"y\nz",', 'x"', '\n"', '",', '"1","2"\n',
]  # fmt: skip
MESS = st.lists(st.sampled_from(SCRAPS), max_size=40).map("".join)


@settings(max_examples=500)
@given(MESS, st.integers(2, 4), st.sampled_from([1, 2, 5, 16, 1000]), st.integers(1, 5))
def test_any_mess_is_read_as_the_csv_module_reads_it(
    mess: str, width: int, block: int, batch_rows: int
) -> None:
    content = mess + "\n"
    columns = tuple(f"c{n}" for n in range(width))
    data = content.encode()
    pieces = [data[at : at + block] for at in range(0, len(data), block)]
    frames = Rows(TextFormat(",", columns, True, 0, ()), "f.csv", 0).frames(pieces)
    expected = by_the_csv_module(content)
    if expected is None:
        with pytest.raises(UnreadableFile, match="ends inside a quoted cell"):
            list(frames)
        return
    read = list(batches(frames, "f.csv", batch_rows))
    check_places(read, batch_rows)
    fit = [tuple(cell or None for cell in row) for row in expected if len(row) == width]
    assert [row for batch in read for row in fitting(batch).rows()] == fit
    odd = [(at, len(row), row) for at, row in enumerate(expected) if len(row) != width]
    assert [
        (batch.location.start_row - 1 + at, cells, *csv.reader(io.StringIO(line, newline="")))
        for batch in read
        if batch.ragged is not None
        for at, cells, line in batch.ragged.rows()
    ] == odd


LINES = st.lists(st.sampled_from(["1,2,3", "4,5", "6", "7,,", ",,", "8,9,", ",", "", "é,x,y"]))


@given(LINES, st.sampled_from(["\n", "\r\n"]), st.sampled_from([1, 5, 16, 1000]))
def test_short_rows_of_plain_text_are_marked(lines: list[str], end: str, block: int) -> None:
    """Without a quote or a row too long all goes the fast way."""
    data = "".join(line + end for line in lines).encode()
    pieces = [data[at : at + block] for at in range(0, len(data), block)]
    frames = Rows(TextFormat(",", ("a", "b", "c"), True, 0, ()), "f.csv", 0).frames(pieces)
    expected = [
        (at, line.count(",") + 1, line)
        for at, line in enumerate(filter(None, lines))
        if line.count(",") < 2
    ]
    assert [
        row
        for batch in batches(frames, "f.csv", 1000)
        if batch.ragged is not None
        for row in batch.ragged.rows()
    ] == expected

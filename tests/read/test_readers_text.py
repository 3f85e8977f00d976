"""Delimited text comes back cell by cell as it was written, in every form; damage is reported."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from loader.errors import UnreadableFile
from loader.read import bounds
from loader.read.batch import Reading
from loader.read.formats.blanks import as_tabs
from loader.read.formats.containers import text
from loader.read.sources import Source

SOURCE = Source(Path("f.csv"), "f.csv", None, 0)
HEADER = "Date,Open,High\n"

Cells = tuple[str | None, ...]


def opened(data: str | bytes, batch_rows: int = 1000, block: int = text.BLOCK) -> Reading:
    raw: Any = io.BytesIO(data.encode() if isinstance(data, str) else data)
    return text.read(io.BufferedReader(raw), SOURCE, batch_rows, block)


def rows(data: str | bytes) -> list[Cells]:
    return [row for batch in opened(data) for row in batch.frame.rows()]


def refusal(data: str | bytes) -> UnreadableFile:
    with pytest.raises(UnreadableFile) as caught:
        rows(data)
    return caught.value


class TestBlanks:
    @pytest.mark.parametrize("end", ["\n", "\r\n"])
    def test_runs_of_blanks_between_cells(self, end: str) -> None:
        lines = ["  date        open high  low close ", "2024-03-04   8.0    9    7   8.5",
                 "", "2024-03-05  8.5 10 8 9  "]  # fmt: skip
        reading = opened(end.join(lines))
        assert reading.columns == ("date", "open", "high", "low", "close")
        assert reading.notes[0] == "cells are separated by blanks"
        assert rows(end.join(lines)) == [
            ("2024-03-04", "8.0", "9", "7", "8.5"), ("2024-03-05", "8.5", "10", "8", "9"),
        ]  # fmt: skip

    def test_wherever_the_text_is_cut(self) -> None:
        data = "a b c d e\n" + "".join(f"{at}  {at}.5 1 2   3\n" for at in range(30_000))
        found = [row for batch in opened(data, block=4096) for row in batch.frame.rows()]
        assert found == [(f"{at}", f"{at}.5", "1", "2", "3") for at in range(30_000)]

    def test_a_line_without_an_end_is_not_kept(self) -> None:
        taken: list[int] = []

        def endless() -> Iterator[bytes]:
            for size in range(1, 20):
                taken.append(size)
                yield b"1 2" * (1 << 20)

        assert len(next(as_tabs(endless()))) > bounds.ROW
        assert len(taken) == 6
        data = "a b c d e\n" + "1 2 3 4 5\n" * 30_000 + "1 2 " * (5 << 20)
        with pytest.raises(UnreadableFile, match="row 30,001 does not end within") as raised:
            list(opened(data))
        assert raised.value.where is not None

    def test_words_and_dates_with_a_clock_are_no_cells(self) -> None:
        for data in ("time o h l c\n2024-03-04 10:00 8 9 7 8\n", "a b c d\n1 2 3 4\n"):
            assert "bar or blank divides its lines" in str(refusal(data))


class TestCells:
    def test_only_an_empty_cell_is_null(self) -> None:
        tickers = "Date,Symbol,Open\n2024-01-02,NA,NaN\n2024-01-02,NULL,-\n2024-01-02,TRUE,inf\n"
        assert rows(tickers + '2024-01-02,,\n2024-01-02,"",""\n2024-01-02, ,0\n') == [
            ("2024-01-02", "NA", "NaN"),
            ("2024-01-02", "NULL", "-"),
            ("2024-01-02", "TRUE", "inf"),
            ("2024-01-02", None, None),
            ("2024-01-02", None, None),
            ("2024-01-02", " ", "0"),
        ]

    def test_every_column_is_a_string(self) -> None:
        [batch] = opened(HEADER + "2024-01-02,007,1e3\n")
        assert batch.frame.schema == {"Date": pl.String, "Open": pl.String, "High": pl.String}
        assert batch.frame.row(0) == ("2024-01-02", "007", "1e3")

    def test_quotes_hold_delimiters_quotes_and_line_ends(self) -> None:
        data = 'Date,Open,High\n"Jan 02, 2024","7,278.20","say ""x"""\n2024-01-03,"1\n2","3\r\n4"\n'
        assert rows(data) == [
            ("Jan 02, 2024", "7,278.20", 'say "x"'),
            ("2024-01-03", "1\n2", "3\r\n4"),
        ]

    def test_a_stray_quote_is_a_character(self) -> None:
        data = HEADER + '2024-01-02,5"x,1\n2024-01-03,"a"b,2\n2024-01-04,3,4"\n'
        assert rows(data) == [
            ("2024-01-02", '5"x', "1"),
            ("2024-01-03", "ab", "2"),
            ("2024-01-04", "3", '4"'),
        ]

    def test_text_that_looks_compressed(self) -> None:  # zlib's magic bytes spell x^
        assert rows("Symbol,Date\nx^a,2024-01-02\n") == [("x^a", "2024-01-02")]
        assert rows("Symbol,Date\na,2024-01-02\nx^a,2024-01-03\n")[1:] == [("x^a", "2024-01-03")]


class TestRaggedRows:
    def test_missing_cells_are_null_and_told(self) -> None:
        (batch,) = opened(HEADER + "2024-01-02,1\n2024-01-03\r\n2024-01-04,1,2\n2024-01-05,,\n")
        assert batch.frame.rows() == [
            ("2024-01-02", "1", None),
            ("2024-01-03", None, None),
            ("2024-01-04", "1", "2"),
            ("2024-01-05", None, None),
        ]
        assert batch.ragged is not None
        assert batch.ragged.rows() == [(0, 2, "2024-01-02,1"), (1, 1, "2024-01-03")]

    def test_beside_quotes(self) -> None:
        data = HEADER + '"2024-01-02",1,""\n"2024-01-03",1\n2024-01-04,"1,2"\n2024-01-05,"1,2",\n'
        (batch,) = opened(data)
        assert batch.ragged is not None
        assert batch.ragged.rows() == [(1, 2, "2024-01-03,1"), (2, 2, '2024-01-04,"1,2"')]

    def test_nothing_is_told_where_all_rows_have_all_their_cells(self) -> None:
        for row in ("2024-01-02,,\n", '"2024-01-02",,\n', '2024-01-02,,""\n', '"a,b","c,d",\n'):
            assert [batch.ragged for batch in opened(HEADER + row * 3)] == [None]

    def test_only_the_batches_tell_that_have_such_rows(self) -> None:
        data = HEADER + "2024-01-02,1,2\n" * 5 + "2024-01-03,1\n" + "2024-01-02,1,2\n" * 9
        told = [batch.ragged for batch in opened(data, batch_rows=4, block=40)]
        assert [None if ragged is None else ragged.rows() for ragged in told] == [
            None, [(1, 2, "2024-01-03,1")], None, None,
        ]  # fmt: skip

    def test_a_row_with_too_many_cells_shows_whole_and_holds_no_value(self) -> None:
        assert rows(HEADER + "2024-01-02,1,2\n2024-01-03,1,2,3\n2024-01-04,1,2\n") == [
            ("2024-01-02", "1", "2"),
            ("2024-01-03,1,2,3", None, None),
            ("2024-01-04", "1", "2"),
        ]

    def test_even_where_what_is_too_much_is_empty(self) -> None:
        data = HEADER + "2024-01-02,1,2\n2024-01-03,1,2,\n2024-01-04,1,2\n"
        assert rows(data)[1] == ("2024-01-03,1,2,", None, None)

    def test_the_first_and_the_last_row(self) -> None:
        data = HEADER + "2024-01-01,1\n2024-01-02,1,2\n2024-01-03,1,2\n2024-01-04,1,2,3,4"
        assert [row[0] for row in rows(data)] == [
            "2024-01-01", "2024-01-02", "2024-01-03", "2024-01-04,1,2,3,4",
        ]  # fmt: skip


class TestLines:
    EXPECTED = (("2024-01-02", "1", "2"), ("2024-01-03", "3", "4"))

    @pytest.mark.parametrize(
        "data",
        [
            "Date,Open,High\n2024-01-02,1,2\n2024-01-03,3,4\n",
            "Date,Open,High\n2024-01-02,1,2\n2024-01-03,3,4",
            "Date,Open,High\r\n2024-01-02,1,2\r\n2024-01-03,3,4\r\n",
            "Date,Open,High\r2024-01-02,1,2\r2024-01-03,3,4\r",
            "Date,Open,High\n2024-01-02,1,2\n2024-01-03,3,4\n\n\n",
            "Date,Open,High\r\n2024-01-02,1,2\r\n2024-01-03,3,4\r\n\r\n",
            "\n\nDate,Open,High\n\n2024-01-02,1,2\n\n\n2024-01-03,3,4\n",
            'Date,Open,High\n\n"2024-01-02",1,2\n\n\n2024-01-03,3,4\n\n',
            "Date,Open,High\n2024-01-02,1,2\n2024-01-03,3,4\n\x1a",
            "\ufeffDate,Open,High\n2024-01-02,1,2\n2024-01-03,3,4\n",
            " Date , Open,High \n2024-01-02,1,2\n2024-01-03,3,4\n",
            "sep=,\nDate,Open,High\n2024-01-02,1,2\n2024-01-03,3,4\n",
        ],
    )
    def test_ends_blanks_marks_and_padding(self, data: str) -> None:
        reading = opened(data)
        assert reading.columns == ("Date", "Open", "High")
        assert [row for batch in reading for row in batch.frame.rows()] == [*self.EXPECTED]

    @pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
    def test_utf_16_with_its_mark(self, encoding: str) -> None:
        mark = codecs.BOM_UTF16_LE if encoding == "utf-16-le" else codecs.BOM_UTF16_BE
        data = "Date\tOpen\tName\r\n2024-01-02\t1\tMünchner Rück\r\n"
        reading = opened(mark + data.encode(encoding))
        assert reading.notes == (f"encoded in {encoding}", "cells are separated by tabs")
        assert [batch.frame.rows() for batch in reading] == [[("2024-01-02", "1", "Münchner Rück")]]

    def test_a_row_of_empty_cells_is_a_row(self) -> None:
        assert rows(HEADER + "2024-01-02,1,2\n,,\n\n,,\n") == [
            ("2024-01-02", "1", "2"),
            (None, None, None),
            (None, None, None),
        ]


class TestNoRows:
    @pytest.mark.parametrize("data", ["", "\n\n", "\ufeff", " \r\n", "\x1a"])
    def test_nothing_at_all(self, data: str) -> None:
        reading = opened(data)
        assert (reading.columns, reading.rows, list(reading)) == ((), 0, [])
        assert reading.notes == ("the file is empty",)

    @pytest.mark.parametrize("data", ["Date,Open,High", "Date,Open,High\n", "Date,Open,High\n\n"])
    def test_only_a_header(self, data: str) -> None:
        reading = opened(data)
        assert (reading.columns, reading.header) == (("Date", "Open", "High"), True)
        assert list(reading) == []


class TestDamage:
    def test_a_file_cut_in_the_middle_of_a_row(self) -> None:
        error = refusal(HEADER + "2024-01-02,1,2\n2024-01-03,1")
        assert str(error) == "f.csv ends in the middle of row 2, in cell 2: it is cut short"
        assert "get it again" in (error.hint or "")

    @pytest.mark.parametrize("end", ["", "\n"])
    def test_a_remark_below_the_table_is_a_row_of_its_own(self, end: str) -> None:
        data = HEADER + f'2024-01-02,1,2\n"Downloaded from a site, as of today"{end}'
        (batch,) = opened(data)
        assert batch.frame.row(1) == ("Downloaded from a site, as of today", None, None)

    def test_a_file_cut_inside_quotes(self) -> None:
        error = refusal(HEADER + '2024-01-02,1,2\n"2024-01-03","1",2\n"2024-01-04","')
        assert str(error) == "f.csv ends inside a quoted cell of row 3: it is cut short"

    def test_a_file_cut_inside_a_character(self) -> None:
        assert "0xc3" in str(refusal((HEADER + "2024-01-02,1,ü").encode()[:-1]))

    def test_a_quote_that_swallows_the_rest(self) -> None:
        data = HEADER + "2024-01-02,1,2\n" * 9 + '2024-01-03,"1,2\n' + "2024-01-02,1,2\n" * 20_000
        assert str(refusal(data)) == (
            "f.csv cannot be read in row 10: field larger than field limit (131072)"
        )

    def test_other_encodings(self) -> None:
        data = HEADER.encode() + b'2024-01-02,"1\n2",3\n\n' + b"2024-01-03,M\xfcnchen,4\n"
        error = refusal(data)
        assert str(error) == "f.csv is not UTF-8: byte 48, in row 2, is 0xfc"
        assert data[48 - 1] == 0xFC
        assert "iconv" in (error.hint or "")

    def test_the_place_counts_the_mark_and_the_rows_of_earlier_blocks(self) -> None:
        data = codecs.BOM_UTF8 + HEADER.encode() + b"2024-01-02,1,2\n" * 100 + b"\xff,1,2\n"
        with pytest.raises(UnreadableFile, match=f"byte {data.index(0xFF) + 1:,}, in row 101, "):
            list(opened(data, block=64))

    def test_an_encoding_that_does_not_hold(self) -> None:
        data = ("\ufeff" + HEADER).encode("utf-16-le") + b"\x00\xd8\x00"
        assert str(refusal(data)).startswith("f.csv begins as utf-16-le but does not go on so")

    def test_a_header_in_another_encoding(self) -> None:
        error = refusal(b"Date,Cl\xe9ture\n2024-01-02,1\n")
        assert str(error) == "f.csv is not UTF-8: byte 8, in the header, is 0xe9"


class TestSeldom:
    def test_a_first_line_without_end(self) -> None:
        assert "are blank or one single line" in str(refusal(b"1,2," * 100_000))

    def test_a_row_without_end(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(bounds, "ROW", 1 << 20)
        data = b"t,o\n" + b"1,2\n" * 70_000 + b"3," * 2_000_000
        message = str(refusal(data))
        assert message.endswith("row 70,001 does not end within 1,048,576 bytes")

    def test_blank_lines_among_quoted_cells(self) -> None:
        data = 't,o,h\n"1",2,3\n\n"",,\n"4, 5",6,7\n'
        assert rows(data) == [("1", "2", "3"), (None, None, None), ("4, 5", "6", "7")]

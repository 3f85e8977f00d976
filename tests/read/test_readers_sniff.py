"""Facts from the first lines of a text: delimiter, header, banner, names."""

from __future__ import annotations

import pytest

from loader.errors import UnreadableFile
from loader.read.formats.sniff import TextFormat, sniff


def layout(text: str) -> TextFormat:
    found = sniff(text.encode(), "f.csv")
    assert found is not None
    return found


def refusal(text: str) -> UnreadableFile:
    with pytest.raises(UnreadableFile) as caught:
        layout(text)
    return caught.value


class TestDelimiter:
    @pytest.mark.parametrize(
        ("text", "delimiter", "width"),
        [
            ("Date,Open\n2024-01-02,1\n", ",", 2),
            ("Date;Open;High\n2024-01-02;1,5;1,7\n2024-01-03;1,6;1,8\n", ";", 3),  # decimal commas
            ("02.01.2024;1,5;1,7;1,2;1,6;100\n03.01.2024;1,6;1,8;1,2;1,7;99\n", ";", 6),
            ("20110301 090100;133.9;134.01;133.9;133.98;3778\n", ";", 6),  # NinjaTrader
            ("<DATE>\t<OPEN>\n2024.01.02\t1\n", "\t", 2),
            ("Date|Open|High\n2024-01-02|1|2\n", "|", 3),
            ("pair,date,open\nBTC|USDT,2024-01-02,1\nETH|USDT,2024-01-02,2\n", ",", 3),
            ('"Date","Price"\n"Jan 02, 2024","7,278.20"\n"Jan 03, 2024","7,1"\n', ",", 2),
            ("a;b\n2024-01-02;\"x,y,z\"\n2024-01-03;\"x,y,z\"\n", ";", 2),
            ("sep=;\nDate;Open\n2024-01-02;1\n", ";", 2),
        ],
    )  # fmt: skip
    def test_the_one_that_divides_the_lines_evenly(
        self, text: str, delimiter: str, width: int
    ) -> None:
        found = layout(text)
        assert (found.delimiter, len(found.columns)) == (delimiter, width)

    def test_another_than_the_comma_is_noted(self) -> None:
        assert layout("a\tb\n1\t2\n").notes == ("cells are separated by tabs",)
        assert layout("a,b\n1,2\n").notes == ()

    def test_one_ragged_row_does_not_confuse(self) -> None:
        rows = ["2024-01-02 10:00;1|2,5;3"] + ["2024-01-02 10:00;1|2,5;3;4"] * 5
        assert layout("date;a;b;c\n" + "\n".join(rows)).delimiter == ";"

    @pytest.mark.parametrize(
        "text",
        [
            "one word in a line\nand another\n",
            "Dear reader,\nthis is a letter, and it has commas, as letters do.\nYours\nA. B.\n",
        ],
    )
    def test_prose_is_no_table(self, text: str) -> None:
        assert str(refusal(text)).startswith(
            "f.csv is not a table: no comma, semicolon, tab, bar or blank"
        )


class TestHeader:
    @pytest.mark.parametrize(
        "text",
        [
            "Date,Open,High\n2024-01-02,1,2\n",
            "Date,Open,High\n",  # no row to compare with
            "Date,7203,6758\n2024-01-02,1,2\n",  # tickers that are numbers
            "code,date,open\n600000,2024-01-02,1\n",
            "<TICKER>,<PER>,<DATE>\nAAPL.US,D,19840907\n",
            ",symbol,open\n2019-09-30 07:00:00,BTC/USDT,7986.86\n",  # pandas' unnamed index
            "Price,Close,High\nTicker,AAPL,AAPL\nDate,,\n2024-01-02,1,2\n",  # yfinance
            "timestamp,1. open,2. high\n2024-01-02,1,2\n",  # Alpha Vantage
            "Date,Open,High\n31-Dec-10,1,2\n",
            "Date,Open,High\n2019-10-17 09-AM,1,2\n",
            "Date,Open,High\nJan 2 2024,-,NA\n",
        ],
    )
    def test_there_is_one(self, text: str) -> None:
        found = layout(text)
        assert found.header
        assert found.start == text.index("\n") + 1

    @pytest.mark.parametrize(
        "text",
        [
            "1637971200000,0.00002853,0.00002854\n1637971260000,0.1,0.2\n",  # Binance
            "2007.07.19,03:00,1.3808\n2007.07.19,04:00,1.3809\n",  # MetaTrader 4
            "20240102,NA,1\n20240103,2,1\n",
            "AAPL,20240102,1\nMSFT,20240102,2\n",
            "0,1,2\n60000,1,2\n",  # Lean: milliseconds since midnight
            "2024-01-02,1,2\n",
            "3-Jan-22,1,2\n4-Jan-22,1,2\n",
            "2024-01-02T00:00:00Z,1,2\n2024-01-03T00:00:00Z,1,2\n",
        ],
    )
    def test_there_is_none(self, text: str) -> None:
        found = layout(text)
        assert (found.header, found.start) == (False, 0)
        assert found.columns == ("column_1", "column_2", "column_3")
        assert "no header line: the columns are called column_1 to column_3" in found.notes


class TestNames:
    def test_padding_goes_and_case_stays(self) -> None:
        assert layout("Date   ,  Open, Adj Close\n2024-01-02,1,2\n").columns == (
            "Date", "Open", "Adj Close",
        )  # fmt: skip

    def test_a_name_that_comes_again_gets_a_number(self) -> None:
        found = layout("Date,Open,Date,Date_2,Date\n2024-01-02,1,2,3,4\n")
        assert found.columns == ("Date", "Open", "Date_3", "Date_2", "Date_4")
        assert found.notes == (
            "column 3 is called 'Date' like one before it: here 'Date_3'",
            "column 5 is called 'Date' like one before it: here 'Date_4'",
        )

    def test_a_blank_name(self) -> None:
        found = layout(",date,,open\n0,2024-01-02,x,1\n")
        assert found.columns == ("index", "date", "column_3", "open")
        assert found.notes == (
            "column 1 has no name: here 'index'",
            "column 3 has no name: here 'column_3'",
        )

    def test_a_delimiter_at_the_end_of_the_header_only(self) -> None:
        assert layout("Date,Open,\n2024-01-02,1\n2024-01-03,2\n").columns == ("Date", "Open")

    def test_a_delimiter_at_the_end_of_the_rows_only(self) -> None:
        found = layout("Date,Open\n2024-01-02,1,\n2024-01-03,2,\n")
        assert found.columns == ("Date", "Open", "column_3")

    @pytest.mark.parametrize(
        ("text", "cells"),
        [
            ("Open,High\n5,1,2\n6,1,2\n", 3),
            ("Date,Open\n2024-01-02,1,2\n2024-01-03,1,2\n", 3),
            ("Date,Time,Open\n2024-01-02,1\n", 2),
        ],
    )
    def test_a_header_that_does_not_fit_is_refused_not_shifted(self, text: str, cells: int) -> None:
        named = text[: text.index("\n")].count(",") + 1
        assert str(refusal(text)) == (
            f"f.csv cannot be read: its header names {named} columns, its rows have {cells} cells"
        )

    @pytest.mark.parametrize(
        ("header", "rows"),
        [
            ("Date,Open", ["1,2024-01-02,5", "2,2024-01-03,6"]),  # R numbers rows
            ("Open,High", ["2024-01-02,5,6", "2024-01-03,6,7"]),  # R's names of an xts' rows
        ],
    )
    def test_names_of_rows_have_no_name_above_them(self, header: str, rows: list[str]) -> None:
        found = layout("\n".join([header, *rows, ""]))
        assert found.columns == ("index", *header.split(","))

    def test_annotations_above_a_header_are_left_out(self) -> None:
        text = "#group,false,true\n#datatype,string,double\n,_time,open\n,2024-01-02,1\n"
        found = layout(text)
        assert found.columns == ("index", "_time", "open")
        assert found.start == text.index(",2024-01-02,1")

    def test_a_mark_before_the_names_is_no_part_of_the_first(self) -> None:
        assert layout("# date,open,high\n2024-01-02,1,2\n").columns == ("date", "open", "high")

    def test_one_short_or_long_row_among_others_is_its_own_affair(self) -> None:
        columns = ("Date", "Open", "High")
        assert layout("Date,Open,High\n2024-01-02,1\n2024-01-03,1,2\n").columns == columns
        assert layout("Date,Open,High\n2024-01-02,1,2,3\n2024-01-03,1,2\n").columns == columns


class TestBanner:
    TABLE = "date,symbol,open\n2024-01-02,BTCUSD,1\n2024-01-03,BTCUSD,2\n"

    @pytest.mark.parametrize(
        ("banner", "shown"),
        [
            ("https://www.CryptoDataDownload.com\n", "https://www.CryptoDataDownload.com"),
            ("Created on 10-17-2019,https://x.com\r\n", "Created on 10-17-2019,https://x.com"),
            ("# Daily bars\n# of BTC\n\n", "# Daily bars / # of BTC"),
            ("Prices of 2024,,\n", "Prices of 2024"),
        ],
    )
    def test_lines_above_the_table_are_left_out_with_a_note(self, banner: str, shown: str) -> None:
        found = layout(banner + self.TABLE)
        assert found.columns == ("date", "symbol", "open")
        assert found.start == len(banner) + self.TABLE.index("\n") + 1
        assert found.notes == (f"left out above the table: {shown!r}",)
        assert found.banner == shown

    def test_a_title_above_a_table_without_header(self) -> None:
        found = layout("My prices\n2024-01-02,1,2\n2024-01-03,1,2\n")
        assert (found.header, found.start) == (False, len("My prices\n"))
        assert found.notes[0] == "left out above the table: 'My prices'"

    def test_a_first_row_that_is_short_is_no_banner(self) -> None:
        found = layout("2024-01-01,1\n2024-01-02,1,2\n2024-01-03,1,2\n")
        assert (found.header, found.start, len(found.columns)) == (False, 0, 3)

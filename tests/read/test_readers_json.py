"""JSON documents and lines: where the rows are found, cell by cell, and what is refused."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from loader.errors import UnreadableFile
from loader.read.formats import read
from loader.read.formats.containers import json as reader
from loader.read.formats.containers.json import values
from loader.read.formats.containers.json.place import is_key
from loader.read.sources import Source, find

Cells = tuple[str | None, ...]


@dataclass(frozen=True)
class Table:
    container: str
    place: str
    columns: tuple[str, ...]
    rows: list[Cells]
    header: bool
    notes: tuple[str, ...]


def table(
    text: str | bytes, *, block: int = values.BLOCK, batch_rows: int = 1000, name: str = "f.json"
) -> Table:
    data = text.encode() if isinstance(text, str) else text
    stream = io.BufferedReader(io.BytesIO(data))
    reading = reader.read(stream, Source(Path(name), name, None, len(data)), batch_rows, block)
    rows = [row for batch in reading for row in batch.frame.rows()]
    assert reading.rows in {None, len(rows)}
    return Table(
        reading.container, reading.place, reading.columns, rows, reading.header, reading.notes
    )


def refusal(text: str | bytes, **options: Any) -> str:
    with pytest.raises(UnreadableFile) as caught:
        table(text, **options)
    assert caught.value.hint is None or caught.value.hint
    return str(caught.value)


OHLC = ("o", "h", "l", "c")


class TestPlaces:
    def test_arrays(self) -> None:
        found = table('[[1509836520000, 0.1, 1e-7, "x"], [1, null, true, ""]]')
        assert (found.container, found.place, found.header) == ("json", "[]", False)
        assert found.columns == ("column_1", "column_2", "column_3", "column_4")
        assert found.rows == [("1509836520000", "0.1", "1e-7", "x"), ("1", None, "true", None)]

    @pytest.mark.parametrize("text", [
        '[["ts","open","high"],["2024-03-04",8,9],["2024-03-05",null,7]]',
        '{"data":[["ts","open","high"],["2024-03-04",8,9],["2024-03-05",null,7]]}',
        '["ts","open","high"]\n["2024-03-04",8,9]\n["ts","open","high"]\n["2024-03-05",null,7]',
    ])  # fmt: skip
    def test_arrays_under_a_row_of_names(self, text: str) -> None:
        found = table(text)
        assert (found.columns, found.header) == (("ts", "open", "high"), True)
        assert found.rows == [("2024-03-04", "8", "9"), ("2024-03-05", None, "7")]

    def test_a_row_of_words_that_are_no_names(self) -> None:
        words = table('[["a","b","c","d"],["x","y","z","q"],["1","2","3","4"]]')
        assert (words.header, len(words.rows)) == (False, 3)
        blank = table('[["a","b","c","d"],["","","",""]]')
        assert (blank.header, len(blank.rows)) == (False, 2)
        short = table('[["a","b","c"],["1","2","3","4"]]')
        assert (short.header, short.columns[-1], len(short.rows)) == (False, "column_4", 2)

    def test_many_arrays_under_a_row_of_names(self) -> None:
        rows = [["ts", "open", "high", "low"], *([at, at + 1, at + 2, at] for at in range(4000))]
        found = table(json.dumps(rows), block=4096)
        assert found.columns == ("ts", "open", "high", "low")
        assert found.rows == [(f"{at}", f"{at + 1}", f"{at + 2}", f"{at}") for at in range(4000)]

    def test_arrays_inside_objects(self) -> None:
        found = table(
            '{"retCode": 0, "result": {"symbol": "BTCUSDT", "list": [["17", "2", "3", "4"]]},'
            ' "retExtInfo": {}, "time": 5}'
        )
        assert (found.place, found.header) == ("result.list[]", False)
        assert found.columns[4:] == ("retCode", "time", "result.symbol")
        assert found.rows == [("17", "2", "3", "4", "0", "5", "BTCUSDT")]

    def test_arrays_of_arrays_page_by_page(self) -> None:
        found = table("[[[1, 2, 3, 4], [5, 6, 7, 8]], [], [[9, 10, 11, 12]]]")
        assert found.place == "[][]"
        assert [row[0] for row in found.rows] == ["1", "5", "9"]

    def test_objects_with_what_stands_around_them(self) -> None:
        found = table(
            '{"ticker": "AAPL", "adjusted": true, "results": ['
            '{"o": 1.50, "h": 2, "l": 1, "c": 1.5}, {"o": 2, "h": 3.0, "l": 2, "c": 2, "n": 7}],'
            ' "meta": {"symbol": "X"}}'
        )
        assert (found.place, found.header) == ("results[]", True)
        assert found.columns == (*OHLC, "n", "ticker", "adjusted", "meta.symbol")
        assert found.rows == [
            ("1.50", "2", "1", "1.5", None, "AAPL", "true", "X"),
            ("2", "3.0", "2", "2", "7", "AAPL", "true", "X"),
        ]

    def test_a_name_of_the_rows_own_wins(self) -> None:
        found = table('{"t": 9, "results": [{"t": 1, "o": 2, "h": 3, "l": 4}]}')
        assert (found.columns, found.rows) == (("t", "o", "h", "l"), [("1", "2", "3", "4")])
        assert found.notes == ("'t' outside the rows is left out: they have their own",)

    def test_nested_objects_are_flattened(self) -> None:
        found = table(
            '[{"hd": {"ts_event": "17", "rtype": 33}, "open": "5527.250000000", "x": [1, {}]}]'
        )
        assert found.place == "[]"
        assert found.columns == ("hd.ts_event", "hd.rtype", "open", "x")
        assert found.rows == [("17", "33", "5527.250000000", '["1", {}]')]

    @pytest.mark.parametrize(
        ("bars", "place"),
        [
            ('{"AAPL": [%s], "MSFT": [%s]}', "bars.*[]"),
            ('{"aapl": [%s], "msft": [%s]}', "bars.*[]"),
            ('{"AAPL": [%s, %s]}', "bars.*[]"),
            ('{"AAPL": [%s], "BRK.B": [], "MSFT": null, "BTC/USD": [%s]}', "bars.*[]"),
        ],
    )
    def test_arrays_under_keys(self, bars: str, place: str) -> None:
        rows = ('{"t":"1","o":2,"h":3,"l":1,"c":2}', '{"t":"2","o":3,"h":4,"l":2,"c":3}')
        found = table('{"bars": ' + bars % rows + ', "next_page_token": null}')
        assert found.place == place
        assert found.columns == ("t", *OHLC, "next_page_token", "key")
        keys = [key for key, listed in json.loads(bars % rows).items() for _ in listed or ()]
        assert found.rows == [
            ("1", "2", "3", "1", "2", None, keys[0]),
            ("2", "3", "4", "2", "3", None, keys[1]),
        ]

    @pytest.mark.parametrize(
        ("days", "columns"),
        [
            ('{"2024-01-02": {"o": %s}, "2024-01-03": {"o": 9}}', ("key", "o", "outer_key")),
            ('{"1d": [{"t": "2024-01-02", "o": %s}]}', ("t", "o", "outer_key", "key")),
        ],
    )
    @pytest.mark.parametrize("under", ["%s", '{"bars": %s}'])
    def test_keys_under_keys(self, days: str, columns: tuple[str, ...], under: str) -> None:
        found = table(under % f'{{"AAPL": {days % 1}, "MSFT": {days % 2}}}')
        assert found.columns == columns
        outer = columns.index("outer_key")
        opens = [(row[columns.index("o")], row[outer]) for row in found.rows]
        assert ("1", "AAPL") in opens
        assert ("2", "MSFT") in opens
        assert {name for _, name in opens} == {"AAPL", "MSFT"}

    @pytest.mark.parametrize("more", ["", ', "XETHZUSD": [[2, "5", "6", "7"]]'])
    def test_arrays_under_keys_beside_plain_values(self, more: str) -> None:
        found = table(
            f'{{"error": [], "result": {{"XXBTZUSD": [[1, "2", "3", "4"]]{more}, "last": 8}}}}'
        )
        assert found.place == "result.*[]"
        assert found.columns[4:] == ("result.last", "key")
        assert found.rows[0] == ("1", "2", "3", "4", "8", "XXBTZUSD")
        assert found.rows[1:] == ([("2", "5", "6", "7", "8", "XETHZUSD")] if more else [])

    @pytest.mark.parametrize(
        ("name", "key"),
        [
            ("AAPL", True), ("BRK.B", True), ("ABRpC", True), ("tBTCUSD", True), ("1m", True),
            ("2020-01-02 09:30:00", True), ("600000", True), ("BTC/USD", True),
            ("results", False), ("candles", False), ("Time Series (5min)", False), ("Data", False),
            ("priceData", False), ("c", False), ("", False),
        ],
    )  # fmt: skip
    def test_a_key_is_told_from_a_word(self, name: str, key: bool) -> None:
        assert is_key(name) is key

    @pytest.mark.parametrize("count", [1, 2])
    def test_objects_under_times(self, count: int) -> None:
        bars = {
            "2020-01-02 09:35:00": {"1. open": "1.0", "4. close": "2.50", "5. volume": "7"},
            "2020-01-02 09:30:00": {"1. open": "0.9", "4. close": "1.00", "5. volume": "8"},
        }
        shown = dict(list(bars.items())[:count])
        document = {"Meta Data": {"2. Symbol": "IBM", "6. Time Zone": "US/Eastern"},
                    "Time Series (5min)": shown}  # fmt: skip
        found = table(json.dumps(document))
        assert found.place == "Time Series (5min).*"
        assert found.columns == ("key", "1. open", "4. close", "5. volume",
                                 "Meta Data.2. Symbol", "Meta Data.6. Time Zone")  # fmt: skip
        assert (
            found.rows
            == [
                ("2020-01-02 09:35:00", "1.0", "2.50", "7", "IBM", "US/Eastern"),
                ("2020-01-02 09:30:00", "0.9", "1.00", "8", "IBM", "US/Eastern"),
            ][:count]
        )

    def test_columns(self) -> None:
        found = table('{"c":[1.0,2],"h":[3,null],"l":[5,6],"o":[7,8],"s":"ok","t":[10,20]}')
        assert found.place == "."
        assert found.columns == ("c", "h", "l", "o", "t", "s")
        assert found.rows == [("1.0", "3", "5", "7", "10", "ok"), ("2", None, "6", "8", "20", "ok")]

    def test_columns_inside(self) -> None:
        found = table('{"ok": 1, "data": {"t": [1], "o": [2], "h": [3], "l": [4], "unit": "s"}}')
        assert (found.place, found.columns) == (
            "data.", ("t", "o", "h", "l", "ok", "data.unit"),
        )  # fmt: skip

    def test_columns_of_different_lengths(self) -> None:
        assert refusal('{"c": [1, 2], "h": [3], "l": [5, 6], "s": "ok"}') == (
            "f.json is not a table: its arrays should be equally long, and are not: "
            "'c' 2, 'h' 1, 'l' 2"
        )

    def test_rows_inside_rows(self) -> None:
        found = table(
            '[{"ticker": "btcusd", "priceData": [{"date": "d1", "o": 1, "h": 2, "l": 0},'
            ' {"date": "d2", "o": 2, "h": 3, "l": 1}]}, {"ticker": "ethusd", "priceData": []},'
            ' {"ticker": "x", "priceData": [{"date": "d3", "o": 5, "h": 6, "l": 4}]}]'
        )
        assert found.place == "[].priceData[]"
        assert found.columns == ("date", "o", "h", "l", "ticker")
        assert [(row[0], row[4]) for row in found.rows] == [
            ("d1", "btcusd"), ("d2", "btcusd"), ("d3", "x"),
        ]  # fmt: skip

    def test_one_object_is_one_row(self) -> None:
        found = table('{"status": "OK", "open": 123.66, "high": 124, "low": 122.5, "close": 123}')
        assert (found.place, found.container) == ("", "json")
        assert found.rows == [("OK", "123.66", "124", "122.5", "123")]

    def test_of_two_places_the_outer_one_with_a_note(self) -> None:
        found = table(
            '[{"p": [{"o":1,"h":2,"l":3,"c":4}], "e": {"K": [{"o":5,"h":6,"l":7,"c":8}]}}]'
        )
        assert (found.place, found.rows) == ("[].p[]", [("1", "2", "3", "4")])
        assert found.notes == ("there are rows at '[].e.*[]' too: left out",)

    def test_two_places_that_fit_equally_well(self) -> None:
        assert (
            refusal('{"spot": [[1, 2, 3, 4, 5]], "swap": [{"o": 1, "h": 2, "l": 3, "c": 4}]}')
            == "f.json has rows in several places: 'spot[]' and 'swap[]'"
        )

    def test_a_narrow_table_beside_is_none(self) -> None:
        found = table('{"bids": [[1, 2], [3, 4], [5, 6]], "bars": [{"o":1,"h":2,"l":3,"c":4}]}')
        assert found.place == "bars[]"


class TestLines:
    def test_objects(self) -> None:
        found = table('{"t": 1, "o": "x"}\r\n{"t": 2, "o": null}\n\n{"t": 3}\n')
        assert (found.container, found.place) == ("ndjson", "[]")
        assert found.rows == [("1", "x"), ("2", None), ("3", None)]

    def test_arrays(self) -> None:
        found = table("[1, 2.50]\n[3, 4]")
        assert (found.container, found.place, found.header) == ("ndjson", "[]", False)
        assert found.rows == [("1", "2.50"), ("3", "4")]

    def test_a_document_in_each(self) -> None:
        rows = '"results": [{"o":1,"h":2,"l":3,"c":4}]'
        lines = [f'{{"S": "A", {rows}}}', f'{{"S": "B", {rows}}}']
        found = table("\n".join(lines))
        assert (found.container, found.place) == ("ndjson", "[].results[]")
        assert found.rows == [("1", "2", "3", "4", "A"), ("1", "2", "3", "4", "B")]

    def test_documents_as_jq_prints_them(self) -> None:
        found = table('{\n "t": 1\n}\n{\n "t": 2\n}\n')
        assert (found.container, found.rows) == ("ndjson", [("1",), ("2",)])

    def test_a_pretty_document_is_not_lines(self) -> None:
        found = table(json.dumps([{"t": 1}, {"t": 2}], indent=2))
        assert (found.container, found.rows) == ("json", [("1",), ("2",)])


class TestCells:
    def test_numbers_keep_their_spelling(self) -> None:
        numbers = ["0.1", "1.50", "1E-05", "-0", "9" * 5000, "1.7976931348623157e400",
                   "31.950000762939453", "NaN", "-Infinity"]  # fmt: skip
        found = table(f"[[{','.join(numbers)}]]")
        assert found.rows == [tuple(numbers)]

    def test_words(self) -> None:
        found = table(r'[["null", "true", "NA", "BTC\/USD", "\u00e9", "a\"b", " ", "\u0000"]]')
        assert found.rows == [("null", "true", "NA", "BTC/USD", "é", 'a"b', " ", "\0")]

    def test_half_a_character(self) -> None:
        found = table(r'[["N\ud800D", "\uDC01", "\ud83d\ude00", "c"], ["N\udc01D", "a", "b", "c"]]')
        assert found.rows == [
            ("N\ufffdd800D", "\ufffddc01", "\U0001f600", "c"), ("N\ufffddc01D", "a", "b", "c"),
        ]  # fmt: skip

    @pytest.mark.parametrize("block", [16, values.BLOCK])
    def test_half_a_character_in_names(self, block: int) -> None:
        """Names that differ only there stay two, of columns and of what rows stand under."""
        found = table(r'[{"\ud800": 1, "\udc00": 2, "c": 3}]', block=block)
        assert (found.columns, found.rows) == (("\ufffdd800", "\ufffddc00", "c"), [("1", "2", "3")])
        bar = '{"o": 1, "h": 2, "l": 3, "c": 4}'
        text = rf'{{"A\ud800": {bar}, "A\udc00": {bar}}}'
        assert [row[0] for row in table(text, block=block).rows] == ["A\ufffdd800", "A\ufffddc00"]

    def test_the_last_of_two_same_names(self) -> None:
        assert table('[{"a": 1, "a": 2, "b": 3}]').rows == [("2", "3")]

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
    def test_encodings_and_line_ends(self, encoding: str) -> None:
        found = table('[\r\n{"a": "é€"},\r\n{"a": "x"}\r\n]\r\n'.encode(encoding))
        assert found.rows == [("é€",), ("x",)]

    @pytest.mark.parametrize("block", [16, values.BLOCK])
    def test_what_does_not_fit_stands_whole_in_the_first_column(self, block: int) -> None:
        lines = ['{"a": 1, "b": 2}'] * 9 + ['{"a": 5, "c": [true]}', "[6]"]
        found = table("\n".join(lines), block=block)
        if block == 16:  # the columns are those of the first lines
            assert found.columns == ("a", "b")
            assert found.rows[9:] == [('{"a": "5", "c": [true]}', None), ('["6"]', None)]
        else:
            assert found.columns == ("a", "b", "c")
            assert found.rows[9:] == [("5", None, "[true]"), ('["6"]', None, None)]

    def test_a_block_that_begins_with_a_row_of_nothing(self) -> None:
        found = table("[" + '{"a": 1, "b": 2}, ' * 3 + "{}, {}, " * 3 + "{}]", block=16)
        assert found.rows == [("1", "2")] * 3 + [(None, None)] * 7

    def test_arrays_that_are_too_short_or_too_long(self) -> None:
        found = table("[" + "[1, 2], " * 9 + "[3], [4, 5, 6], [7, 8]]", block=8)
        assert found.rows[9:] == [("3", None), ('["4", "5", "6"]', None), ("7", "8")]


class TestNoRows:
    @pytest.mark.parametrize(
        ("text", "place", "columns"),
        [
            ("[]", "[]", ()),
            ('{"results": [], "n": 0}', "results[]", ("n",)),
            ('{"error": [], "result": {"list": []}}', "result.list[]", ()),
            ('{"bars": null, "next_page_token": null}', "", ("bars", "next_page_token")),
            ('{"bars": {}, "next_page_token": null}', "", ("next_page_token",)),
            ('{"c":[],"h":[],"l":[],"o":[],"s":"no_data"}', ".", ("c", "h", "l", "o", "s")),
            ('[{"ticker": "a", "priceData": []}]', "[].priceData[]", ("ticker",)),
            ("[[], []]", "[]", ()),
            ("[null]", "[]", ()),
        ],
    )
    def test_empty(self, text: str, place: str, columns: tuple[str, ...]) -> None:
        found = table(text)
        assert (found.place, found.columns, found.rows) == (place, columns, [])
        assert found.notes[-1].startswith("the file has no rows")

    def test_the_note_says_what_the_document_says(self) -> None:
        found = table('{"status": "OK", "msg": "success", "ticker": "AAPL", "data": []}')
        assert found.notes == (
            "the file has no rows; beside them it says: status OK, msg success, ticker AAPL",
        )

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ('{"code": "51001", "msg": "Instrument ID does not exist", "data": []}',
             "msg: Instrument ID does not exist"),
            ('{"retCode": 10001, "retMsg": "params error", "result": {"list": []}}',
             "retMsg: params error"),
            ('{"status": "ERROR", "error": "Unknown API Key", "results": []}',
             "error: Unknown API Key"),
        ],
    )  # fmt: skip
    def test_a_complaint_beside_no_rows_is_refused(self, text: str, said: str) -> None:
        assert refusal(text) == f"f.json holds no bars but a message: {said!r}"


class TestRefused:
    @pytest.mark.parametrize(
        "text",
        [
            '{"Note": "Thank you for using Alpha Vantage!"}',
            '{"Error Message": "Invalid API call."}',
            '{"code": -1121, "msg": "Invalid symbol."}',
            '{"error": ["EQuery:Unknown asset pair"]}',
            '["error", 10020, "symbol: invalid"]',
            '{"s": "no_data"}',
            "[{}]",
        ],
    )
    def test_a_message(self, text: str) -> None:
        message = refusal(text)
        assert message.startswith("f.json holds no bars but a message: '")
        assert text.split('"')[1 if '"' in text else 0] in message
        assert "it looks like a saved error answer" in refusal(text, name="AAPL.csv")

    def test_a_document_of_something_else(self) -> None:
        text = json.dumps({f"name {n}": {"a": n, "b": n, "lorem": ["ipsum"]} for n in range(50)})
        assert refusal(text).startswith("f.json holds no rows: '{")

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ('[{"a": 1},\n {"a": 2', "is cut short: expecting ',' delimiter in line 2, column 9"),
            ('[{"a": 1},\n {"a" 2}]', "expecting ':' delimiter in line 2, column 7"),
            ('{"a": 1}\n{"a": 2}\n{"a": }\n', "expecting value in line 3, column 7"),
            ('{"a": 1}\n{"a": "2', "unterminated string starting in line 2, column 7"),
            ("[[1], [2],]", "expecting value in line 1, column 11"),
            ("[[1] [2]]", "expecting ',' delimiter in line 1, column 6"),
            ("[[1]]]", "extra data in line 1, column 6"),
            ('{"a": 1} {"a": 2}', "extra data in line 1, column 10"),
            ('[{"a": "\n"}]', "invalid control character in line 1, column 9"),
        ],
    )  # fmt: skip
    @pytest.mark.parametrize("block", [1, 7, values.BLOCK])
    def test_damage(self, text: str, message: str, block: int) -> None:
        assert message in refusal(text, block=block)

    @pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "[" * 500 + "]" * 500])
    def test_bottomless_nesting(self, text: str) -> None:
        assert any(
            words in refusal(text)
            for words in ("nests hundreds of", "is cut short", "is not a table", "several places")
        )

    def test_not_utf_8(self) -> None:
        assert refusal(b'[{"a": "\xff"}]').startswith("f.json is not UTF-8, as JSON is")

    def test_a_value_that_is_too_large(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(values, "LIMIT", 1 << 20)
        text = '{"results": [' + ",".join(["[1, 2, 3, 4, 5]"] * 100_000) + "]}"
        assert "one JSON value of more than 1 MB" in refusal(text, block=1 << 16)
        assert len(table(text[len('{"results": ') : -1], block=1 << 16).rows) == 100_000


NUMBER = st.integers().map(str) | st.decimals(allow_nan=False, allow_infinity=False).map(
    lambda d: json.dumps(float(d))
)
WORD = st.text(st.sampled_from("aB1.5-é€ \"\\/'{}[],:\n\t"), max_size=6)
CELL = NUMBER | WORD.map(json.dumps) | st.sampled_from(["null", "true", "false", '""', '"NA"'])
NAMES = ["date", "Open", "high price", 'q"', "vol"]


def expected(spelled: str) -> str | None:
    """The cell that a JSON value is read as, by the definition."""
    if spelled.startswith('"'):
        return json.loads(spelled) or None
    return None if spelled == "null" else spelled


@st.composite
def tables(draw: st.DrawFn) -> list[list[str]]:
    """Rows of four or more JSON values as they are spelled; some tables are of one kind by column,
    as real ones are."""
    width = draw(st.integers(4, 5))
    kinds = [draw(st.sampled_from([CELL, NUMBER, WORD.map(json.dumps)])) for _ in range(width)]
    return draw(st.lists(st.tuples(*kinds).map(list), min_size=1, max_size=30))


def as_objects(rows: list[list[str]], comma: str, colon: str) -> list[str]:
    return [
        "{" + comma.join(json.dumps(n) + colon + c for n, c in zip(NAMES, row, strict=False)) + "}"
        for row in rows
    ]


def as_arrays(rows: list[list[str]], comma: str, colon: str) -> list[str]:
    return ["[" + comma.join(row) + "]" for row in rows]


Writer = Callable[[list[list[str]], str, str], list[str]]
SHAPES: dict[str, Callable[[list[str], str], str]] = {
    "[]": lambda rows, comma: "[" + comma.join(rows) + "]",
    "data.list[]": lambda rows, comma: '{"data":{"list":[' + comma.join(rows) + "]}}",
    "lines": lambda rows, comma: "\n".join(rows),
    "bars.*[]": lambda rows, comma: '{"bars":{"AAPL":[' + comma.join(rows) + "]}}",
    "[].priceData[]": lambda rows, comma: '[{"priceData":[' + comma.join(rows) + "]}]",
}


@settings(max_examples=300)
@given(
    tables(),
    st.sampled_from([as_objects, as_arrays]),
    st.sampled_from(list(SHAPES)),
    st.sampled_from([(",", ":"), (", ", ": "), (",\n  ", " : ")]),
    st.sampled_from([1, 40, 200, values.BLOCK]),
    st.integers(1, 40),
)
def test_what_was_written_is_read(
    rows: list[list[str]],
    write: Writer,
    shape: str,
    spaces: tuple[str, str],
    block: int,
    batch_rows: int,
) -> None:
    # Words alone above other cells are names: see `test_arrays_under_a_row_of_names`.
    assume(write is as_objects or not all(cell.startswith('"') for cell in rows[0]))
    if shape == "lines" and len(rows) == 1:
        shape = "[]"  # one line is a document
    if shape == "lines" and write is as_arrays:
        block = values.BLOCK  # for a line that is an array has to end within the first block
    text = SHAPES[shape](write(rows, *spaces), spaces[0])
    found = table(text, block=block, batch_rows=batch_rows)
    width = len(rows[0])
    names = NAMES if write is as_objects else [f"column_{n}" for n in range(1, 6)]
    assert list(found.columns[:width]) == names[:width]
    assert [row[:width] for row in found.rows] == [tuple(map(expected, row)) for row in rows]
    if shape != "lines":
        assert found.place == shape
    else:
        assert (found.container, found.place) == ("ndjson", "[]")


@given(st.lists(st.tuples(*[NUMBER] * 4), min_size=1, max_size=9))
def test_columns_that_were_written_are_read(rows: list[tuple[str, ...]]) -> None:
    columns = zip(*rows, strict=True)
    arrays = ",".join(f'"{n}":[{",".join(c)}]' for n, c in zip(OHLC, columns, strict=True))
    found = table('{"s":"ok",' + arrays + "}")
    assert (found.place, found.columns) == (".", (*OHLC, "s"))
    assert found.rows == [(*row, "ok") for row in rows]


MANY = '{{"ts":"2024-01-02T00:{0:02}:00Z","o":{0}.50,"h":null,"l":1e-{0},"c":"{0}","x":true}}'


@pytest.mark.parametrize("irregular", ["", '{"c":"é","o":7,"ts":"t"}', '{"ts":"a\\"b"}'])
@pytest.mark.parametrize("form", ["{}", "[{}]"])
def test_long_files_by_pattern_and_without(form: str, irregular: str) -> None:
    """Most blocks are regular; one row in another order, or with an escape, is not."""
    rows = [MANY.format(n % 60) for n in range(2000)]
    wanted: list[Cells] = [
        (
            f"2024-01-02T00:{n % 60:02}:00Z",
            f"{n % 60}.50",
            None,
            f"1e-{n % 60}",
            str(n % 60),
            "true",
        )
        for n in range(2000)
    ]
    if irregular:
        rows.insert(1500, irregular)
        row = json.loads(irregular)
        wanted.insert(1500, (row["ts"], str(row["o"]) if "o" in row else None, None, None,
                             row.get("c"), None))  # fmt: skip
    text = form.format(("," if "[" in form else "\n").join(rows))
    assert table(text, block=4096, batch_rows=700).rows == wanted


DOCUMENTS = [
    '{"ticker":"A","results":[{"o":1.5,"h":2,"l":1,"c":2},{"o":2,"h":3,"l":1e3,"c":null}],"n":2}',
    '[[1,"2",3.5,4],\n [5,"6",7,8],\n [9,"\\u00e9\\"",true,null]]',
    '{"t":1,"o":2,"h":3,"l":4}\n{"t":2,"o":3,"h":4,"l":5}\n{"t":3,"o":4,"h":5,"l":6}\n',
    '{"c":[1,2],"h":[3,4],"l":[5,6],"o":[7,8],"s":"ok","t":[1,2]}',
    '{"Meta Data":{"2. Symbol":"IBM"},"Daily":{"2024-01-02":{"1. open":"1","2. high":"2"}}}',
]


@pytest.mark.parametrize("document", DOCUMENTS)
@pytest.mark.parametrize("block", [8, values.BLOCK])
def test_cut_anywhere_it_is_refused_or_a_prefix(document: str, block: int) -> None:
    whole = table(document)
    for end in range(1, len(document)):
        try:
            part = table(document[:end], block=block)
        except UnreadableFile:
            continue
        assert document[:end].rstrip().endswith(("}", "]"))
        assert part.rows == whole.rows[: len(part.rows)]


@settings(max_examples=300)
@given(st.lists(st.sampled_from([*'[]{},:"\n1e.- atrue\\', "null", '"a":']), max_size=25))
def test_any_mess_is_read_or_refused(scraps: list[str]) -> None:
    text = "[" + "".join(scraps)
    try:
        found = table(text, block=5)
    except UnreadableFile:
        return
    parsed = json.loads(text) if found.container == "json" else None
    assert parsed is None or isinstance(parsed, list)


#: place, columns and rows, counted by hand with the stdlib.
SAMPLES: dict[str, tuple[str, int, Callable[[Any], int] | None]] = {
    "binance/rest_json/http_spot_market_klines.json": ("[]", 12, len),
    "bybit/http_get_klines_linear.json": ("result.list[]", 12, lambda d: len(d["result"]["list"])),
    "coinbase/http_candles.json": ("candles[]", 6, lambda d: len(d["candles"])),
    "derive/http_public_candles_eth.json": ("[]", 8, len),
    "dukascopy/dukascopy-node_out/btcusd-d1-bid-2022-01-01-2023-02-20.json": ("[]", 5, len),
    "dukascopy/dukascopy-node_out/btcusd-h1-bid-2023-01-01-2023-02-20.json": ("[]", 5, len),
    "dukascopy/jetta_json/candles-day-BTC-USD-BID-2020.json": (".", 13, lambda d: len(d["times"])),
    "dukascopy/jetta_json/candles-minute-EUR-USD-BID-2026-7-10.json": (
        ".", 13, lambda d: len(d["closes"]),
    ),
    "dukascopy/jetta_json/candles-minute-EUR-USD-BID-2026-7-11-empty.json": (".", 13, lambda d: 0),
    "dydx/http_get_candles.json": ("result.candles[]", 16, lambda d: len(d["result"]["candles"])),
    "ibkr/nautilus_bars.json.gz": ("[]", 8, None),
    "kraken/rest_json/http_futures_candles_trade.json": ("candles[]", 7, lambda d: 3),
    "kraken/rest_json/http_ohlc.json": ("result.*[]", 10, lambda d: len(d["result"]["XBTUSDT"])),
    "okx/http_get_candlesticks.json": ("data[]", 11, lambda d: len(d["data"])),
    "okx/http_get_candlesticks_full.json": ("data[]", 11, lambda d: len(d["data"])),
    "polygon/rest_json/AAPL_range_1_day.json": ("results[]", 15, lambda d: len(d["results"])),
    "polygon/rest_json/grouped_2005-04-04.json": ("results[]", 15, lambda d: 1),
    "polygon/rest_json/open-close_AAPL_2005-04-01.json": ("", 10, lambda d: 1),
    "tardis/bar.json": ("", 19, lambda d: 1),
    "tiingo/crypto_price_history_0.json": (
        "[].priceData[]", 11, lambda d: sum(len(pair["priceData"]) for pair in d),
    ),
    "tiingo/intraday_price_0.json": ("[]", 5, len),
    "tiingo/ticker_price_0.json": ("[]", 13, len),
    "tiingo/ticker_price_pandas_daily_equivalent_requesting_json_or_csv_0.json": ("[]", 13, len),
    "tiingo/ticker_price_pandas_weekly_0.json": ("[]", 13, len),
}  # fmt: skip


def test_every_sample(samples: Path) -> None:
    files = [*samples.rglob("*.json"), *samples.rglob("*.json.gz")]
    found, counted = {}, {}
    for path in files:
        name = path.relative_to(samples).as_posix()
        if name == "GOLDEN.json":
            continue
        place, columns, count = SAMPLES[name]
        data = path.read_bytes()
        text = gzip.decompress(data) if path.suffix == ".gz" else data
        rows = count(json.loads(text)) if count else len(text.splitlines())
        counted[name] = (place, columns, rows)
        with find([str(path)]) as [source], read(source, 100) as reading:
            height = sum(batch.frame.height for batch in reading)
            found[name] = (reading.place, len(reading.columns), height)
    assert found == counted
    assert len(found) == len(SAMPLES)


def test_the_golden_numbers_are_no_bars(samples: Path) -> None:
    with (
        find([str(samples / "GOLDEN.json")]) as [source],
        pytest.raises(UnreadableFile, match="holds no rows"),
        read(source),
    ):
        pass


class TestSeldom:
    def test_the_first_block_has_no_rows(self) -> None:
        lines = ['{"results": [], "s": "x"}'] * 3 + [
            '{"results": [{"t": 1, "o": 2, "h": 3, "l": 4}]}'
        ]
        found = table("\n".join(lines) + "\n", block=16)
        assert [row[:4] for row in found.rows] == [("1", "2", "3", "4")]

    def test_rows_that_lack_a_column_by_the_pattern(self) -> None:
        """The first block has all columns, later ones fewer: the pattern is made anew."""
        full = ['{"a":1,"b":2,"c":3,"d":4}'] * 4
        less = ['{"a":5,"c":6,"d":7}'] * 400
        found = table("[" + ",".join(full + less) + "]", block=64)
        assert found.columns == ("a", "b", "c", "d")
        assert found.rows == [("1", "2", "3", "4")] * 4 + [("5", None, "6", "7")] * 400

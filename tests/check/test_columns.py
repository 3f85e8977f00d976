"""Mapping of columns to fields, reported left-out columns, and refusals."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl
import pytest

from loader.check.layout.columns import choose
from loader.dialects.known import dialects
from loader.errors import ColumnMismatch, SettingsError

CANONICAL = dialects()["canonical"]


def table(*names: str, **cells: object) -> pl.DataFrame:
    """One row of text: dates in the first column, 1 elsewhere, or what `cells` says."""
    first = {names[0]: "2024-01-02"}
    return pl.DataFrame({name: [cells.get(name, first.get(name, "1"))] for name in names})


def chosen(frame: pl.DataFrame, **asked: str) -> Mapping[str, str]:
    return choose(frame, CANONICAL, asked, "file.csv").names


def notes(frame: pl.DataFrame, **asked: str) -> list[str]:
    return list(choose(frame, CANONICAL, asked, "file.csv").notes)


def test_the_prices_of_one_struct() -> None:
    frame = table("ts", "ohlc.o", "ohlc.h", "ohlc.l", "ohlc.c", "ohlc.v", "volume")
    assert chosen(frame) == {
        "ts": "ts", "open": "ohlc.o", "high": "ohlc.h", "low": "ohlc.l", "close": "ohlc.c",
        "volume": "volume",
    }  # fmt: skip


@pytest.mark.parametrize("structs", ["day prev", "bid", "a.ask", "bid mid", "x.day y.day"])
def test_which_struct_is_asked_where_there_are_several_or_one_is_a_side(structs: str) -> None:
    names = [f"{s}.{p}" for s in structs.split() for p in ("open", "high", "low", "close")]
    with pytest.raises(ColumnMismatch, match="no column for open, high, low, close"):
        chosen(table("ts", *names))


def test_prices_beside_a_struct_precede_it() -> None:
    prices = ["open", "high", "low", "close"]
    fields = chosen(table("ts", *prices, *(f"prev.{p}" for p in prices), "prev.vwap"))
    assert fields == {"ts": "ts"} | {p: p for p in prices}


@pytest.mark.parametrize(
    ("header", "fields"),
    [
        ("ts,open,high,low,close", "ts open high low close"),
        ("Date,Open,High,Low,Close,Volume", "ts open high low close volume"),
        ("t,o,h,l,c,v,n,vw", "ts open high low close volume trade_count vwap"),
        ("Date Time,Open,High,Low,Close,Volume", "ts open high low close volume"),
        ("Datetime,OPEN,HIGH,LOW,CLOSE,VOL", "ts open high low close volume"),
        ("day,open,high,low,close,volume", "ts open high low close volume"),
        ("time,open,high,low,close", "ts open high low close"),
        ("index,open,high,low,close", "ts open high low close"),
        (",open,high,low,close", "ts open high low close"),
        ("__index_level_0__,open,high,low,close", "ts open high low close"),
        ("open_time,open,high,low,close,volume", "ts open high low close volume"),
        ("Start Date,Open Price,High Price,Low Price,Close Price", "ts open high low close"),
        ("ticker,window_start,open,high,low,close,transactions",
         "symbol ts open high low close trade_count"),
        ("provider,symbol,interval,ts,open,high,low,close,volume,vwap,trade_count",
         "provider symbol interval ts open high low close volume vwap trade_count"),
        (" date , open, high, low, close", "ts open high low close"),
    ],
)  # fmt: skip
def test_names_of_fields(header: str, fields: str) -> None:
    names = header.split(",")
    assert chosen(table(*names)) == dict(zip(fields.split(), names, strict=True))


def test_the_order_of_columns_does_not_matter() -> None:
    frame = table("date", "close", "high", "low", "open", "volume")
    assert chosen(frame)["open"] == "open"


OHLC = ("open", "high", "low", "close")


def test_date_and_time_of_day_go_together() -> None:
    assert chosen(table("Date", "Time", *OHLC, Time="14:00")) == {
        "ts": "Date", "time_of_day": "Time", "open": "open", "high": "high", "low": "low",
        "close": "close",
    }  # fmt: skip


@pytest.mark.parametrize("clock", ["14:00:05", "9:30 PM", "093000", "0930", "09:30:00.000"])
def test_times_of_day(clock: str) -> None:
    assert chosen(table("date", "time", *OHLC, time=clock))["time_of_day"] == "time"


@pytest.mark.parametrize(
    ("cells", "ts"),
    [
        ({"time": "2024-01-02 14:00"}, "time"),  # more than a time of day
        ({"time": "1704204000"}, "time"),
        ({"time": "14:00", "date": "2024-01-02 14:00"}, "time"),
    ],
)
def test_not_every_time_is_a_time_of_day(cells: dict[str, str], ts: str) -> None:
    names = chosen(table("date", "time", *OHLC, **cells))
    assert names["ts"] == ts
    assert "time_of_day" not in names


def test_the_best_name_wins_and_the_others_are_said() -> None:
    frame = table("date", "timestamp", *OHLC, "v", "volume", timestamp="2024-01-02")
    assert chosen(frame)["ts"] == "timestamp"
    assert chosen(frame)["volume"] == "volume"
    assert notes(frame) == [
        "'date' left out: ts is read from 'timestamp'",
        "'v' left out: volume is read from 'volume'",
    ]


def test_columns_that_are_left_out_are_said_with_the_reason() -> None:
    frame = table("Date", *OHLC, "Adj Close", "Volume", "Dividends", "Stock Splits", "RSI")
    assert notes(frame) == [
        "'Adj Close' left out: adjusted for splits and dividends after the fact",
        "'Dividends', 'Stock Splits' left out: dividends and splits are not stored",
        "'RSI' left out: a bar has no field for it",
    ]


def test_the_person_decides() -> None:
    frame = table("Date", *OHLC, "Adj Close", "Last")
    assert chosen(frame, close="Adj Close")["close"] == "Adj Close"
    assert chosen(frame, close="adj_close")["close"] == "Adj Close"
    assert notes(frame, close="Last")[0].startswith("'close', 'Last'") is False
    assert chosen(table("a", "b", *OHLC, b="14:00"), ts="a", time_of_day="b") == {
        "ts": "a", "time_of_day": "b", "open": "open", "high": "high", "low": "low",
        "close": "close",
    }  # fmt: skip


def test_one_column_may_be_two_fields_if_the_person_says_so() -> None:
    fields = dict.fromkeys(OHLC, "price")
    assert chosen(table("date", "price"), **fields) == {"ts": "date", **fields}


def test_a_name_that_stands_twice() -> None:
    frame = table("Date", *OHLC, "volume", "Date_2", Date_2="2024-01-02")
    assert chosen(frame)["ts"] == "Date"
    assert notes(frame) == ["'Date_2' left out: it equals 'Date'"]
    twice = table("Date", *OHLC, "close_2", close_2="2")
    with pytest.raises(ColumnMismatch, match="'close' and 'close_2' could both be close") as raised:
        chosen(twice)
    assert raised.value.hint == "say which: --column close='close'"
    assert chosen(twice, close="close_2")["close"] == "close_2"


def test_spellings_of_one_name_that_differ() -> None:
    with pytest.raises(ColumnMismatch, match="'Close' and 'close' could both be close"):
        chosen(table("Date", "open", "high", "low", "Close", "close", close="2"))


def test_nothing_is_noted_about_a_column_that_is_not_there() -> None:
    assert notes(table("date", *OHLC)) == []


@pytest.mark.parametrize("name", ["Last", "latest", "Close/Last"])
def test_the_last_price_is_the_close_unless_one_of_settlement_stands_beside_it(name: str) -> None:
    assert chosen(table("Time", "Open", "High", "Low", name))["close"] == name
    assert chosen(table("Time", "Open", "High", "Low", name, "Close"))["close"] == "Close"
    futures = table("Date", "Open", "High", "Low", name, "Change", "Settle", "Volume")
    with pytest.raises(ColumnMismatch, match=f"'{name}' and 'Settle' could both be the close") as e:
        chosen(futures)
    assert e.value.hint == "say which: --column close='Settle'"
    assert chosen(futures, close="Settle")["close"] == "Settle"


def test_two_volumes_in_two_units() -> None:
    frame = table("date", *OHLC, "VolumeFrom", "VolumeTo")
    assert "volume" not in chosen(frame)
    assert notes(frame) == [
        "no volume is read, because it is not known which of 'VolumeFrom', 'VolumeTo' is in units "
        "traded: choose with --column volume='VolumeFrom'"
    ]
    assert chosen(table("date", *OHLC, "volume", "Volume MA"))["volume"] == "volume"


@pytest.mark.parametrize(
    ("names", "message", "hint"),
    [
        ("Date,AAPL,MSFT,C", "no column for open, high, low (it has 'Date', 'AAPL', 'MSFT', 'C'): "
         "a table of closes?", "a bar has open, high, low and close"),
        ("Date,BTC:open,BTC:high,BTC:low,BTC:close", "a wide table", "one series at a time"),
        ("Date,('Open', 'AAPL'),('Close', 'AAPL')", "a wide table", "one series at a time"),
        ("date,BTC_open,BTC_close,ETH_open,ETH_close", "a wide table", "one series at a time"),
        ("column_1,column_2,column_3", "no line names its 3 columns", "ts=column_1"),
        ("x,y,z", "no column for ts, open, high, low, close (it has 'x', 'y', 'z')", "ts=NAME"),
        ("ts,price,size,side", "a table of trades?", "a bar has"),
        ("ts,bid,ask", "a table of quotes?", "a bar has"),
        ("time,symbol,open_interest", "a table of open interest?", "a bar has"),
        ("date,sumOpenInterest,sumOpenInterestValue", "a table of open interest?", "a bar has"),
        ("time,symbol,fundingRate", "a table of funding rates?", "a bar has"),
        ("Date,Dividends", "a table of dividends or splits?", "a bar has"),
        ("Date,Stock Splits", "a table of dividends or splits?", "a bar has"),
        ("Symbol,Name,Last Sale,Volume,Sector", "a listing of securities?", "a bar has"),
        ("date,open,high,low,Settle,Open Interest", "no column for close", "close='Settle'"),
        ("open,high,low,close", "no column for ts (it has", "name it: --column ts=NAME"),
        ("date,open,high,low,Price", "no column for close", "--column close='Price'"),
        ("date,open,high,low,Settle", "no column for close", "--column close='Settle'"),
        ("date,open,high,low", "no column for close", "--column close=NAME"),
        ("date,high,low,close", "no column for open", "--column open=NAME"),
        ("date,close", "no column for open, high, low", "a bar has"),
        ("x,close,volume", "no column for ts, open, high, low",
         "name them: --column ts=NAME --column open=NAME --column high=NAME --column low=NAME"),
        ("date,variable,value", "a long table", "write a row for each bar"),
        ("close time,open,high,low,close", "no column for ts",
         "--column ts='close time' --stamp end"),
    ],
)  # fmt: skip
def test_files_that_are_no_bars(names: str, message: str, hint: str) -> None:
    header = [n.replace(";", ",") for n in names.replace("', '", "'; '").split(",")]
    with pytest.raises(ColumnMismatch) as raised:
        chosen(table(*header))
    assert str(raised.value).startswith("file.csv: ")
    assert message in str(raised.value)
    assert hint in str(raised.value.hint)


def test_a_field_that_bars_do_not_have() -> None:
    with pytest.raises(SettingsError, match="no field 'colse'") as raised:
        chosen(table("date", *OHLC), colse="x")
    assert raised.value.hint == "did you mean close?"
    with pytest.raises(SettingsError) as raised:
        chosen(table("date", *OHLC), zzz="x")
    assert "trade_count" in str(raised.value.hint)


def test_a_column_that_is_not_there() -> None:
    with pytest.raises(ColumnMismatch, match="no column 'Adj Clse'") as raised:
        chosen(table("Date", *OHLC, "Adj Close"), close="Adj Clse")
    assert "'Adj Close'" in str(raised.value.hint)
    with pytest.raises(ColumnMismatch) as raised:
        chosen(table("Date", *OHLC), close="zzzz")
    assert raised.value.hint == "it has 'Date', 'open', 'high', 'low', 'close'"


def test_a_very_wide_table_is_told_shortly() -> None:
    with pytest.raises(ColumnMismatch) as raised:
        chosen(table("Date", *(f"S{n}" for n in range(500))))
    assert "and 481 more" in str(raised.value)


@pytest.mark.parametrize(
    ("header", "volume"),
    [
        ("Datum;Erster;Hoch;Tief;Schlusskurs;Stuecke;Volumen", "Stuecke"),
        ("Datum;Eröffnung;Tageshoch;Tagestief;Schluss;Volumen", "Volumen"),
        ("Date;Ouverture;Plus haut;Plus bas;Clôture;Volume", "Volume"),
        ("Fecha;Apertura;Máximo;Mínimo;Cierre;Volumen", "Volumen"),
        ("Data;Apertura;Massimo;Minimo;Chiusura;Volume", "Volume"),
        ("Data;Abertura;Máxima;Mínima;Fechamento;Volume", "Volume"),
        ("Data;Otwarcie;Najwyzszy;Najnizszy;Zamkniecie;Wolumen", "Wolumen"),
        ("Дата;Открытие;Максимум;Минимум;Закрытие;Объём", "Объём"),
        ("日付;始値;高値;安値;終値;出来高", "出来高"),
        ("일자;시가;고가;저가;종가;거래량", "거래량"),
        ("日期;開盤價;最高價;最低價;收盤價;成交股數", "成交股數"),
    ],
)
def test_names_of_other_languages(header: str, volume: str) -> None:
    names = header.split(";")
    found = chosen(table(*names))
    assert [found[field] for field in ("ts", "open", "high", "low", "close")] == names[:5]
    assert found["volume"] == volume

"""Files that resemble a dialect but are not in it, and values that could go wrong silently."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from loader.errors import MdloadError
from loader.settings import Settings
from tests.support.golden import Loaded, taken_in

#: Names of many dialects' files, which a plain table may have as well.
NAMES = [
    "BTCUSDT-1m-2024.csv", "BTCUSDT-1m-2024-01.csv", "XBTUSD_60.csv", "Coinbase_BTCUSD_1h.csv",
    "AAPL.csv", "AAPL.US.csv", "aapl.us.txt", "AAPL.txt", "AAPL_1min.txt", "ESZ24.txt",
    "EURUSD60.csv", "XAUUSD_H1.csv", "BINANCE_BTCUSDT, 60.txt", "ES 12-13.Last.txt",
    "DAT_ASCII_EURUSD_M1_202207.csv", "WIKI-AAPL.csv", "eurusd-d1-bid-2017-01-01-2020-01-01.csv",
    "EURUSD-2019_01_01-2019_02_01.csv", "S&P 500 Historical Data.csv", "HistoricalData_1.csv",
    "equity/usa/daily/aapl.csv", "daily/AAPL.csv", "user_data/data/binance/BTC_USDT-5m.csv",
    "google/AAPL.csv", "bitstamp.csv", "tiingo/AAPL.csv", "day_aggs_v1/2024-01-02.csv",
    "BTC-trades-2024-01/AAPL.csv", "markPriceKlines/BTC-2024-01/AAPL.csv", "AAPL_openinterest.csv",
    "map_files/aapl.csv", "factor_files/aapl.csv", "6EH4.XCME_1min_bars.txt",
]  # fmt: skip
MINE = {"provider": "mine", "symbol": "X", "interval": "1d"}
PLAIN = """date,open,high,low,close,volume
2024-01-02{clock0},1,3,1,2,100
2024-01-03{clock1},2,4,2,3,200
"""


def load(tmp_path: Path, name: str, text: str, **options: Any) -> Loaded:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return taken_in(path, Settings(**options), 1_000)


@pytest.mark.parametrize("clocks", [("", ""), (" 09:30:00", " 09:31:00")], ids=["day", "minute"])
@pytest.mark.parametrize("name", NAMES)
def test_a_plain_table_is_one_whatever_its_name(
    name: str, clocks: tuple[str, str], tmp_path: Path
) -> None:
    text = PLAIN.format(clock0=clocks[0], clock1=clocks[1])
    with pytest.raises(MdloadError, match="the provider of the bars is not known"):
        load(tmp_path, name, text)
    said = {"provider": "mine", "symbol": "x", "timezone": "UTC", "interval": "1m"}
    if not clocks[0]:
        said |= {"interval": "1d"}
    loaded = load(tmp_path, name, text, **said)
    assert (loaded.dialect, {row[:3] for row in loaded.bars}) == (
        "canonical",
        {("mine", "X", said["interval"])},
    )


HEADERS_OF_OTHERS_TOO = {
    "stooq of 2015, ends of bars in Warsaw": "Date,Time,Open,High,Low,Close,Volume,OpenInt\n"
    "2024-01-02,09:31,1,3,1,2,10,0\n2024-01-02,09:32,1,3,1,2,10,0\n",
    "stooq of 2017": "Date,Open,High,Low,Close,Volume,OpenInt\n2024-01-02,1,3,1,2,10,5\n",
    "hikyuu, with trades counted": "date,open,high,low,close,amount,count\n"
    "2024-01-02 00:00:00,1,3,1,2,10.5,7\n",
    "CryptoDataDownload, with money first": "unix,date,symbol,open,high,low,close,Volume USD,"
    "Volume BTC\n1704067200,2024-01-01 00:00:00,BTC/USD,1,3,1,2,200,100\n",
}


@pytest.mark.parametrize("text", HEADERS_OF_OTHERS_TOO.values(), ids=HEADERS_OF_OTHERS_TOO.keys())
def test_a_header_that_others_write_too_is_nobodys(text: str, tmp_path: Path) -> None:
    with pytest.raises(MdloadError, match=r"the provider .* not known|could both be the volume"):
        load(tmp_path, "export.csv", text)


YAHOO = "Date,Open,High,Low,Close,Adj Close,Volume\n2024-01-02,1,3,1,2,1.5,7\n"
KIBOT = "01/{day}/2024,1,3,1,2,7\n"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("2024.csv", YAHOO),
        ("2024-01.csv", YAHOO),
        ("20240102.csv", YAHOO),
        ("export_2024-01-15.csv", "2024.01.02,09:30,1,3,1,2,7\n2024.01.02,09:45,1,3,1,2,7\n"),
        ("bars_1.csv", "2024.01.02,09:30,1,3,1,2,7\n2024.01.02,09:31,1,3,1,2,7\n"),
    ],
)
def test_a_date_or_a_number_in_a_name_is_no_symbol(name: str, text: str, tmp_path: Path) -> None:
    with pytest.raises(MdloadError, match="the symbol of the bars is not known"):
        load(tmp_path, name, text, interval="1m" if "." in text[:5] else "1d", timezone="UTC")


def test_a_number_in_a_name_that_is_no_interval_is_not_krakens(tmp_path: Path) -> None:
    text = "1704067200,1,3,1,2,5,3\n1704153600,1,3,1,2,5,3\n"
    with pytest.raises(MdloadError, match="no line names its 7 columns"):
        load(tmp_path, "BARS_2024.csv", text)
    assert load(tmp_path, "XBTUSD_1440.csv", text).dialect == "kraken"


def test_dates_that_do_not_show_the_month_are_not_taken_for_kibots(tmp_path: Path) -> None:
    twelve = "".join(KIBOT.format(day=f"{day:02}") for day in range(2, 13))
    with pytest.raises(MdloadError, match="no line names its 6 columns"):
        load(tmp_path, "VOD.txt", twelve)
    with pytest.raises(MdloadError, match="no line names its 6 columns"):
        load(tmp_path, "20240131.txt", KIBOT.format(day=31))
    named = load(tmp_path, "VOD.txt", twelve, dialect="kibot")
    assert [row[3].strftime("%m%d") for row in named.bars][:2] == ["0102", "0103"]
    shown = load(tmp_path, "VOD.txt", twelve + KIBOT.format(day=16))
    assert shown.bars[:-1] == named.bars


def test_decimals_where_lean_has_times_10000_are_asked_about(tmp_path: Path) -> None:
    text = "20240102 00:00,13.63,14.1,13.5,13.9,100\n"
    with pytest.raises(MdloadError, match="prices are in units that depend on the instrument"):
        load(tmp_path, "equity/usa/daily/aapl.csv", text)
    loaded = load(tmp_path, "equity/usa/daily/aapl.csv", text, price_exponent=0)
    assert loaded.bars[0][4] == 13.63


def test_databentos_prices_of_two_kinds_in_one_file_are_refused(tmp_path: Path) -> None:
    header = "ts_event,rtype,publisher_id,instrument_id,open,high,low,close,volume,symbol\n"
    one = "".join(
        f"17040672{minute:02}000000000,33,2,1,1.5,3.0,1.0,2.0,5,X\n" for minute in range(40)
    )
    other = "1704070800000000000,33,2,1,1500000000,3000000000,1000000000,2000000000,5,X\n"
    with pytest.raises(MdloadError, match="two files seem to be joined"):
        load(tmp_path, "glbx.csv", header + one + other)


def test_the_evening_before_is_part_of_a_futures_day(tmp_path: Path) -> None:
    """2024-01-02T23:00Z is 18:00 in New York."""
    text = (
        "ticker,volume,open,close,high,low,window_start,transactions\n"
        "ESH4,5,1,2,3,1,1704236400000000000,4\n"
    )
    futures = "us_futures_cme/minute_aggs_v1/2024/01/2024-01-03.csv"
    assert load(tmp_path, futures, text).skipped == 0
    stocks = "us_stocks_sip/minute_aggs_v1/2024/01/2024-01-03.csv"
    assert load(tmp_path, stocks, text).skipped == 1


@pytest.mark.parametrize(
    "stamp",
    ["2024-01-02T23:00:00", "2024-07-02T22:00:00", "2024-01-03T05:00:00", "2024-07-03T00:00:00"],
)
def test_a_session_of_futures_is_of_the_day_that_follows_its_evening(
    stamp: str, tmp_path: Path
) -> None:
    """17:00 in Chicago on the 2nd, in winter and in summer, and midnights of the 3rd."""
    nanoseconds = int(datetime.fromisoformat(f"{stamp}Z").timestamp()) * 1_000_000_000
    text = (
        "ticker,volume,open,close,high,low,window_start,transactions\n"
        f"ESH4,5,1,2,3,1,{nanoseconds},4\n"
    )
    name = f"us_futures_cme/session_aggs_v1/2024/{stamp[:7]}-03.csv"
    [bar] = load(tmp_path, name, text).bars
    assert (bar[2], f"{bar[3]:%d %H:%M}") == ("1d", "03 00:00")


def test_the_spacing_says_whose_end_a_stamp_of_ninjatrader_is(tmp_path: Path) -> None:
    text = "".join(f"20240102 09{minute:02}00;1;3;1;2;5\n" for minute in range(30, 60, 5))
    loaded = load(tmp_path, "ES 03-24.Last.txt", text)
    assert [(row[2], row[3].strftime("%H:%M")) for row in loaded.bars][:2] == [
        ("5m", "09:25"),
        ("5m", "09:30"),
    ]


@pytest.mark.parametrize("kind", [pl.Float64, pl.Int64])
def test_fixed_point_is_no_price_whatever_its_type(kind: Any, tmp_path: Path) -> None:
    """pandas turns integers into floats if the column has an empty cell."""
    prices = {name: [5_527_250_000_000] * 3 for name in ("open", "high", "low", "close")}
    days = ["2024-01-02", "2024-01-03", "2024-01-04"]
    path = tmp_path / "x.parquet"
    pl.DataFrame({"date": days, **prices}).cast(dict.fromkeys(prices, kind)).write_parquet(path)
    with pytest.raises(MdloadError, match="look like multiples of a small unit"):
        taken_in(path, Settings(provider="mine", symbol="x", interval="1d"), 1_000)


@pytest.mark.parametrize("price", [50_500_000, 1_300_000_000])
def test_prices_of_cents_in_fixed_point_are_no_prices_either(price: int, tmp_path: Path) -> None:
    """0.0505 in units of 1e-9: below a hundred million, but no price is so round."""
    rows = "".join(f"2024-01-0{day},{f'{price},' * 4}7\n" for day in (2, 3))
    with pytest.raises(MdloadError, match="look like multiples of a small unit"):
        load(tmp_path, "x.csv", f"date,open,high,low,close,volume\n{rows}", **MINE)


def test_whole_prices_of_millions_are_prices(tmp_path: Path) -> None:
    """Bitcoin in yen."""
    text = "date,open,high,low,close,volume\n2024-01-02,6231455,6329800,6199000,6300000,7\n"
    assert load(tmp_path, "x.csv", text, **MINE).bars[0][4] == 6_231_455


def test_decimals_are_prices_however_large(tmp_path: Path) -> None:
    """Their type shows their scale."""
    prices = {name: ["50500000", "50600000"] for name in ("open", "high", "low", "close")}
    frame = pl.DataFrame({"date": ["2024-01-02", "2024-01-03"], **prices})
    frame.cast(dict.fromkeys(prices, pl.Decimal(20, 2))).write_parquet(tmp_path / "x.parquet")
    loaded = taken_in(
        tmp_path / "x.parquet", Settings(provider="mine", symbol="x", interval="1d"), 1_000
    )
    assert [row[4] for row in loaded.bars] == [50_500_000, 50_600_000]

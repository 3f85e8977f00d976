"""Binance's public data: monthly and daily klines, spot and futures, and the REST answer."""

import re
from collections.abc import Mapping
from dataclasses import replace

from loader.dialects.dialect import OHLCV, Dialect, Opening, Refused, Shape

_COLUMNS = (
    "open_time", "open", "high", "low", "close", "volume", "close_time", "quote_volume", "count",
    "taker_buy_volume", "taker_buy_quote_volume", "ignore",
)  # fmt: skip
#: 13 digits are milliseconds. Spot files use microseconds, 16 digits, from 2025-01-01 on.
_STAMPS = {"open_time": r"\d{13}|\d{16}", "close_time": r"\d{13}|\d{16}"}
_NAME = r"(?P<symbol>[A-Z0-9_]+)-(?P<interval>\d+(?:s|m|h|d|w|mo))-(?P<date>\d{4}-\d\d(?:-\d\d)?)"
_ENDING = r"(?:\.(?:csv|zip|gz|zst|xz|bz2))*(?:!.*)?$"
_MONEY = "in the quote currency, or only the taker's side"
_NO_TRADES = {**_STAMPS, "volume": r"0(?:\.0*)?"}
_NO_TRADES_FOLDER = r"/(?:markPrice|indexPrice|premiumIndex)Klines/.*-\d{4}-\d\d[^/]*$"
_TEXT = (Shape(positions=_COLUMNS, values=_STAMPS), Shape(header=_COLUMNS, exact=True))


def _facts(opening: Opening) -> Mapping[str, str]:
    """Adds the market of futures, because a contract may have the symbol of a spot pair.

    The folder names the market, or else the symbol does. Only files of futures have a header.
    """
    symbol, path = opening.facts.get("symbol", ""), opening.path
    if folder := re.search(r"/futures/(um|cm)/", path):
        market = f"-{folder[1]}"
    elif re.search(r"USD_(?:PERP|\d{6})$", symbol):
        market = "-cm"
    else:
        market = "-um" if opening.header or re.search(r"_\d{6}$", symbol) else ""
    return {**opening.facts, "market": market}


def _moves_without_volume(opening: Opening) -> bool:
    """Whether prices move in bars without volume: such bars are not made from trades."""
    return bool((opening.first["high"] != opening.first["low"]).any())


DIALECT = Dialect(
    name="binance",
    title="Binance klines",
    columns={
        "ts": ("open_time",),
        **OHLCV,
        "trade_count": ("count",),
    },
    shapes=(
        *_TEXT,
        Shape(containers=("json",), place=r"\[\]", positions=_COLUMNS, values=_STAMPS),
    ),
    refused=(
        Refused(
            Shape(positions=_COLUMNS, values=_NO_TRADES, accept=_moves_without_volume),
            "mark, index or premium prices",
        ),
        Refused(
            Shape(header=_COLUMNS, exact=True, values=_NO_TRADES, accept=_moves_without_volume),
            "mark, index or premium prices",
        ),
        *(
            Refused(replace(shape, name=_NO_TRADES_FOLDER), "mark, index or premium prices")
            for shape in (*_TEXT, Shape())
        ),
        Refused(
            Shape(
                name=r"(?:^|[/!])[A-Z0-9_]+-(?:trades|aggTrades|bookTicker|bookDepth|metrics|"
                r"fundingRate)-\d{4}-\d\d[^/]*$"
            ),
            "trades, quotes or rates",
        ),
    ),
    names=(_NAME + _ENDING,),
    facts=_facts,
    left_out={
        "closetime": "the last instant of the bar, known from its start and interval",
        **dict.fromkeys(("quotevolume", "takerbuyvolume", "takerbuyquotevolume"), _MONEY),
        "ignore": "always 0",
    },
    provider="binance{market}",
    volume="base asset; contracts in COIN-M files",
    adjusted="nothing to adjust",
    traps=(
        "spot timestamps are microseconds from 2025-01-01 on, milliseconds before that and in "
        "futures: each value is read by its magnitude",
        "BTCUSDT is both a spot pair and a contract: bars of futures get the providers binance-um "
        "and binance-cm, by folder, symbol or header; a file of futures without any of these, "
        "and a REST answer, are read as spot",
        "in file names 1mo is a month; 1M could become 1m on file systems that ignore case",
        "minutes without a trade are included, with volume 0",
        "klines of mark, index and premium prices look the same; they are refused if prices move "
        "without any volume, or if the folder names them",
    ),
    source="github.com/binance/binance-public-data README and issue 386; "
    "zip names data/spot/monthly/klines/BTCUSDT/1m/BTCUSDT-1m-2024-12.zip",
)

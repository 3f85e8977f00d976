"""Binance's public data: monthly and daily klines, spot and futures, and the REST answer."""

import re
from collections.abc import Mapping
from dataclasses import replace

from loader.dialects.dialect import OHLCV, Dialect, Opening, Refused, Shape

_COLUMNS = (
    "open_time", "open", "high", "low", "close", "volume", "close_time", "quote_volume", "count",
    "taker_buy_volume", "taker_buy_quote_volume", "ignore",
)  # fmt: skip
#: 13 digits are milliseconds; spot files have microseconds, 16 digits, from 2025-01-01 on.
_STAMPS = {"open_time": r"\d{13}|\d{16}", "close_time": r"\d{13}|\d{16}"}
_NAME = r"(?P<symbol>[A-Z0-9_]+)-(?P<interval>\d+(?:s|m|h|d|w|mo))-(?P<date>\d{4}-\d\d(?:-\d\d)?)"
_ENDING = r"(?:\.(?:csv|zip|gz|zst|xz|bz2))*(?:!.*)?$"
_MONEY = "in the quote currency, or of the taker's side only"
_NO_TRADES = {**_STAMPS, "volume": r"0(?:\.0*)?"}
_NO_TRADES_FOLDER = r"/(?:markPrice|indexPrice|premiumIndex)Klines/.*-\d{4}-\d\d[^/]*$"
_TEXT = (Shape(positions=_COLUMNS, values=_STAMPS), Shape(header=_COLUMNS, exact=True))


def _facts(opening: Opening) -> Mapping[str, str]:
    """The market of what is no spot: a contract may have the symbol of a spot pair.

    The folder says the market, else the symbol; and only files of futures have a header.
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
    """Whether prices move in bars of no volume: these are not made of trades."""
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
        "closetime": "the bar's last instant, which its start and interval say",
        **dict.fromkeys(("quotevolume", "takerbuyvolume", "takerbuyquotevolume"), _MONEY),
        "ignore": "always 0",
    },
    provider="binance{market}",
    volume="base asset; contracts in COIN-M files",
    adjusted="nothing to adjust",
    traps=(
        "spot stamps are microseconds from 2025-01-01 on, milliseconds before and in futures: each "
        "value is read by its own magnitude",
        "BTCUSDT is a spot pair and a contract: bars of futures have the providers binance-um and "
        "binance-cm, by folder, symbol or header; a file of futures that has none of these, and "
        "the REST answer, are taken for spot",
        "in file names 1mo is a month; 1M would be a minute where case is lost",
        "minutes without a trade are there, with volume 0",
        "klines of mark, index and premium prices look alike; where prices move without any "
        "volume, or the folder says it, they are refused",
    ),
    source="github.com/binance/binance-public-data README and issue 386; "
    "zip names data/spot/monthly/klines/BTCUSDT/1m/BTCUSDT-1m-2024-12.zip",
)

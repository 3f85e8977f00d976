"""Prices that stand in a struct of their own: `ohlc.open`, `ohlc.high` …"""

from __future__ import annotations

from typing import Final

from loader import bars
from loader.dialects.dialect import Dialect, fold

#: Names of structs with the prices of one side of the market.
_SIDES: Final = {"bid", "bids", "ask", "asks", "offer"}


def struct_of_prices(free: list[str], dialect: Dialect) -> str:
    """`ohlc.` where one struct of that name has the four prices, and no column beside it has one.
    Of two structs with prices, and of a side of the market, a person has to choose."""
    words = [set(map(fold, dialect.columns.get(price, ()))) for price in bars.PRICES]
    fields: dict[str, set[str]] = {}
    for name in free:
        prefix, dot, field = name.rpartition(".")
        fields.setdefault(prefix + dot, set()).add(fold(field))
    beside = fields.pop("", set())
    whole = [prefix for prefix, names in fields.items() if all(names & price for price in words)]
    if len(whole) != 1 or any(beside & price for price in words):
        return ""
    return "" if fold(whole[0].split(".")[-2]) in _SIDES else whole[0]

"""Alpaca: the JSON answers of its market data interface."""

from collections.abc import Mapping

from loader.dialects import tickers
from loader.dialects.dialect import Dialect, Opening, Shape

_JSON = ("json", "ndjson")
_BAR = ("t", "o", "h", "l", "c", "v")


def _facts(opening: Opening) -> Mapping[str, str]:
    """Nothing of the name where the answer has the symbols."""
    return {} if {"key", "symbol"} & set(opening.first.columns) else opening.facts


def _remarks(opening: Opening) -> tuple[str, ...]:
    """Of answers on lines of their own the last one's token counts."""
    first = opening.first
    if "next_page_token" not in first.columns or first["next_page_token"][-1] is None:
        return ()
    return (
        "the answer is cut short: next_page_token is not null, so there are more bars than these",
    )


DIALECT = Dialect(
    name="alpaca",
    title="Alpaca bars",
    columns={
        "symbol": ("key", "symbol"),
        "ts": ("t",),
        "open": ("o",),
        "high": ("h",),
        "low": ("l",),
        "close": ("c",),
        "volume": ("v",),
        "vwap": ("vw",),
        "trade_count": ("n",),
    },
    shapes=(
        Shape(containers=_JSON, place=r"(?:\[\]\.)?bars\.\*\[\]", header=_BAR),
        Shape(containers=_JSON, place=r"(?:\[\]\.)?bars\[\]", header=(*_BAR, "next_page_token")),
    ),
    names=(tickers.JSON,),
    facts=_facts,
    remarks=_remarks,
    left_out={
        "nextpagetoken": "it says whether there are more bars",
        "currency": "the currency of the prices is not stored",
    },
    timezone="America/New_York",
    volume="shares; base asset in crypto. Of the feed iex only about what trades there",
    adjusted="as the request said: nothing by default",
    traps=(
        "a next_page_token that is not null: the answer is one page of several",
        "the feed (iex or sip) and the adjustment are in the request only",
        "days are stamped with midnight in New York, 04:00 or 05:00 UTC: the date is New York's",
    ),
    source="alpaca-py (data/mappings.py); answers in tests of public code; docs.alpaca.markets",
)

"""Alpaca: the JSON answers of its market data API."""

from collections.abc import Mapping

from loader.dialects import tickers
from loader.dialects.dialect import Dialect, Opening, Shape

_JSON = ("json", "ndjson")
_BAR = ("t", "o", "h", "l", "c", "v")


def _facts(opening: Opening) -> Mapping[str, str]:
    """Ignores the file's name if the answer contains the symbols."""
    return {} if {"key", "symbol"} & set(opening.first.columns) else opening.facts


def _remarks(opening: Opening) -> tuple[str, ...]:
    """Looks at the last token only, since a file may hold several answers, one per line."""
    first = opening.first
    if "next_page_token" not in first.columns or first["next_page_token"][-1] is None:
        return ()
    return ("the answer is incomplete: next_page_token is not null, so more bars follow",)


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
        "nextpagetoken": "tells whether more bars follow",
        "currency": "the currency of prices is not stored",
    },
    timezone="America/New_York",
    volume="shares; base asset in crypto. The feed iex covers only trades on IEX",
    adjusted="as requested; nothing by default",
    traps=(
        "if next_page_token is not null, the answer is one page of several",
        "only the request names the feed (iex or sip) and the adjustment",
        "daily bars carry midnight in New York, 04:00 or 05:00 UTC: the date is New York's",
    ),
    source="alpaca-py (data/mappings.py); answers in tests of public code; docs.alpaca.markets",
)

"""Bars that PyAlgoTrade made from Bitstamp's trades at bitcoincharts.com."""

from collections.abc import Mapping

from loader.dialects.dialect import OHLCV, Dialect, Opening, Shape

_NAME = r"(?:^|[/!])(?P<interval>\d+min)-bitstamp(?P<quote>[A-Z]{3})[^/!]*$"


def _facts(opening: Opening) -> Mapping[str, str]:
    """Adds the symbol: bitcoincharts.com has only Bitcoin, so `bitstampUSD` is BTCUSD."""
    facts = dict(opening.facts)
    return {**facts, "symbol": f"BTC{facts['quote']}"} if "quote" in facts else facts


DIALECT = Dialect(
    name="bitstamp",
    title="PyAlgoTrade's bars of Bitstamp trades",
    columns={
        "ts": ("Date Time",),
        **OHLCV,
    },
    shapes=(
        Shape(
            header=("Date Time", "Open", "High", "Low", "Close", "Volume", "Adj Close"),
            exact=True,
            name=r"(?i)bitstamp[^/]*$",
        ),
    ),
    names=(_NAME,),
    facts=_facts,
    left_out={"adjclose": "empty: nothing is adjusted"},
    timezone="UTC",
    volume="Bitcoin",
    adjusted="nothing to adjust",
    traps=(
        "timestamps are in UTC without an offset and mark the starts of bars",
        "intervals without a trade are absent",
    ),
    source="a file of PyAlgoTrade's test data, and its code that wrote it",
)

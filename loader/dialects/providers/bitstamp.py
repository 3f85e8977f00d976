"""Bitstamp's trades of bitcoincharts.com, made into bars by PyAlgoTrade."""

from collections.abc import Mapping

from loader.dialects.dialect import OHLCV, Dialect, Opening, Shape

_NAME = r"(?:^|[/!])(?P<interval>\d+min)-bitstamp(?P<quote>[A-Z]{3})[^/!]*$"


def _facts(opening: Opening) -> Mapping[str, str]:
    """bitcoincharts.com has Bitcoin only: `bitstampUSD` is its price in dollars."""
    facts = dict(opening.facts)
    return {**facts, "symbol": f"BTC{facts['quote']}"} if "quote" in facts else facts


DIALECT = Dialect(
    name="bitstamp",
    title="Bitstamp's trades as bars of PyAlgoTrade",
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
        "stamps are naive, in UTC, and the starts of the bars",
        "half hours without a trade are absent",
    ),
    source="a file of PyAlgoTrade's test data, and its code that wrote it",
)

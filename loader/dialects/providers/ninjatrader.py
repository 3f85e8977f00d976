"""NinjaTrader: historical data exported as text, and its re-export with a header."""

from __future__ import annotations

from collections.abc import Mapping

from loader.dialects.dialect import OHLCV, Dialect, Opening, Refused, Shape

_BAR = ("time", "open", "high", "low", "close", "volume")
_MINUTE, _DAY = {"time": r"\d{8} \d{6}"}, {"time": r"(?:19|20)\d{6}"}
_SEMICOLON = {"delimiter": ";"}
_TRADED = {"volume": r"\d*[1-9]\d*"}
_HEADER = ("timestamp_utc", "open", "high", "low", "close", "volume")
_SIDES = {"bid": "-bid", "ask": "-ask"}


def _facts(opening: Opening) -> Mapping[str, str]:
    """Bid and ask go by names of their own; what is not said is the last price."""
    said = opening.facts.get("side")
    if said is None and "pricetype" in opening.first.columns:
        said = str(opening.first["pricetype"][0])
    return {**opening.facts, "side": _SIDES.get((said or "").lower(), "")}


DIALECT = Dialect(
    name="ninjatrader",
    title="NinjaTrader historical data",
    columns={
        "ts": ("time", "timestamp_utc"),
        **OHLCV,
    },
    shapes=(
        Shape(positions=_BAR, metadata=_SEMICOLON, values=_MINUTE | _TRADED),
        Shape(positions=_BAR, metadata=_SEMICOLON, values=_MINUTE),
        Shape(positions=_BAR, metadata=_SEMICOLON, values=_DAY, interval="1d"),
        Shape(header=(*_HEADER, "pricetype"), exact=True),
        Shape(header=_HEADER, exact=True, name=r"\.X[A-Z]{3}_\d+min_bars"),
    ),
    refused=(
        Refused(
            Shape(
                positions=("time", "price", "volume"),
                metadata=_SEMICOLON,
                values={"time": r"\d{8} \d{6}(?: \d{7})?"},
            ),
            "ticks",
        ),
    ),
    names=(
        r"(?:^|[/!])(?P<symbol>[^/!]+?)\.(?P<side>Last|Bid|Ask)\.txt(?:\.\w+)?$",
        r"(?:^|[/!])(?P<symbol>[A-Z0-9]+\.X[A-Z]{3})_(?P<interval>\d+min)_bars[^/!]*$",
    ),
    facts=_facts,
    provider="ninjatrader{side}",
    left_out={"pricetype": "which price the bars are made of: it is in the provider's name"},
    stamp="end",
    timezone="UTC",
    volume="shares or contracts; of forex the number of ticks",
    adjusted="not said in the file: a continuous future may be merged and back-adjusted",
    traps=(
        "stamps are the ends of the bars, in UTC; 6EH4's `timestamp_utc` as well",
        "text in this form that others made for NinjaTrader to import may be in another zone, or "
        "stamp a bar's start: --timezone and --stamp say so",
        "HistData's text looks the same, is in UTC-5 and stamps a bar's start: its volume is "
        "always 0, and where NinjaTrader's is as well only the file's name can tell",
        "the text does not say its interval, which the spacing shows; NinjaTrader itself exports "
        "minutes and days only",
    ),
    source="minutes of SPY against the changes of clock of March 2011; minutes of 6EH4 against the "
    "sessions of CME; ninjatrader.com's help on importing and exporting",
)

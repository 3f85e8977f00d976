"""NinjaTrader: historical data exported as text, and a re-export with a header."""

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
    """Adds the side for bid and ask bars; without one they are made from last prices."""
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
    left_out={"pricetype": "the kind of price: part of the provider's name"},
    stamp="end",
    timezone="UTC",
    volume="shares or contracts; the number of ticks for forex",
    adjusted="unknown: a continuous future may be merged and back-adjusted",
    traps=(
        "timestamps mark the ends of bars, in UTC; `timestamp_utc` too",
        "text in this form that others made for import may be in another zone, or mark the start "
        "of a bar: use --timezone and --stamp",
        "HistData's text looks the same, but is in UTC-5 and marks the start of a bar: its volume "
        "is always 0; if NinjaTrader's is too, only the file's name can tell",
        "the text lacks its interval, but the spacing shows it; NinjaTrader itself exports only "
        "minutes and days",
    ),
    source="minutes of SPY around the DST change of March 2011; minutes of 6EH4 compared with "
    "CME's sessions; ninjatrader.com's help on importing and exporting",
)

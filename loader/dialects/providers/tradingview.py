"""TradingView's export of a chart: its bars and indicators."""

from collections.abc import Mapping

from loader import bars
from loader.dialects.dialect import OHLCV, Dialect, Opening, Shape

#: Names end in five digits of a hash, as `60_3b650.csv`, since 2025; a browser appends ` (1)` to a
#: second download. Symbols may end in `!`, as names of archives do.
_NAME = (
    r"(?:^|/|\.(?i:zip)!)(?P<symbol>(?:(?!\.(?i:zip)!)[^/,])+), "
    r"(?P<interval>\d+[SDWM]?|[DWM])(?:_[0-9a-f]{5})?(?: ?\(\d+\))?\.csv(?:\.\w+)?$"
)


def _facts(opening: Opening) -> Mapping[str, str]:
    """Restores BINANCE:BTCUSDT from `BINANCE_BTCUSDT`; two underscores would be ambiguous."""
    facts = dict(opening.facts)
    if facts.get("symbol", "").count("_") == 1:
        facts["symbol"] = facts["symbol"].replace("_", ":")
    return facts


DIALECT = Dialect(
    name="tradingview",
    title="TradingView's chart export",
    columns={"ts": ("time",), **OHLCV},
    shapes=(Shape(header=("time", *bars.PRICES), name=_NAME),),
    names=(_NAME,),
    facts=_facts,
    intervals={
        "1": "1m", "2": "2m", "3": "3m", "5": "5m", "10": "10m", "15": "15m", "30": "30m",
        "60": "1h", "120": "2h", "240": "4h", "360": "6h", "480": "8h", "720": "12h",
        "D": "1d", "W": "1w", "M": "1mo",
    },
    volume="as the exchange counts it; absent if the chart did not show it",
    adjusted="splits always; dividends depend on the chart's setting",
    traps=(
        "times carry the offset of the chart's zone; daily bars and longer are dates",
        "indicator columns are left out, VWAP too: it covers the session so far, not the bar",
        "the last row may be a bar that was unfinished at the export",
        "the name (BINANCE_BTCUSDT, 60.csv) holds symbol and interval; a bare number is minutes. "
        "A renamed file is a plain table",
    ),
    source="exports with indicators",
)  # fmt: skip

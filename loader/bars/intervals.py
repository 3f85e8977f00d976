"""Bar intervals: the vocabulary, its synonyms, and the grid that bars start on."""

from __future__ import annotations

import math
import re
from datetime import timedelta
from typing import Final

_DAY = 86_400
#: Seconds of each interval; a month is 30 days and a year 365 here, for estimates only.
INTERVAL_SECONDS: Final[dict[str, int]] = {
    "1s": 1, "5s": 5, "10s": 10, "15s": 15, "30s": 30,
    "1m": 60, "2m": 120, "3m": 180, "5m": 300, "10m": 600, "15m": 900, "30m": 1800,
    "1h": 3600, "2h": 7200, "4h": 14_400, "6h": 21_600, "8h": 28_800, "12h": 43_200,
    "1d": _DAY, "3d": 3 * _DAY, "1w": 7 * _DAY,
    "1mo": 30 * _DAY, "3mo": 90 * _DAY, "1y": 365 * _DAY,
}  # fmt: skip
INTERVALS: Final = tuple(INTERVAL_SECONDS)

_UNITS: Final[dict[str, str]] = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), "s"),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes", "t"), "m"),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), "h"),
    **dict.fromkeys(("d", "day", "days", "daily"), "d"),
    **dict.fromkeys(("w", "wk", "week", "weeks", "weekly"), "w"),
    **dict.fromkeys(("mo", "mon", "mth", "month", "months", "monthly"), "mo"),
    **dict.fromkeys(("q", "quarter", "quarterly"), "q"),
    **dict.fromkeys(("y", "yr", "year", "years", "yearly", "annual"), "y"),
}
_WORDS: Final = {
    "hourly": "1h", "daily": "1d", "weekly": "1w", "monthly": "1mo", "quarterly": "3mo",
    "yearly": "1y", "annual": "1y", "minutely": "1m",
}  # fmt: skip
#: Equal lengths that people write in another unit.
_EQUAL: Final = {
    "60s": "1m", "60m": "1h", "120m": "2h", "240m": "4h", "360m": "6h", "480m": "8h",
    "720m": "12h", "1440m": "1d", "24h": "1d", "7d": "1w", "1q": "3mo", "12mo": "1y", "300s": "5m",
}  # fmt: skip


def parse_interval(text: str) -> str | None:
    """The vocabulary's word for `text` (`1Min`, `M5`, `60min`, `daily`, `1D`), or None.

    Case counts in one place only: a lone `M` after the number is a month, `m` a minute, as in
    Binance's and TradingView's vocabularies. A bare number has no unit and is None.
    """
    word = text.strip().replace("_", "").replace(" ", "")
    if word in INTERVAL_SECONDS:
        return word
    if word.lower() in _WORDS:
        return _WORDS[word.lower()]
    match = re.fullmatch(r"(\d{0,5})([A-Za-z]+)", word)
    if match:
        number, unit_text = match[1] or "1", match[2]
    else:  # MetaTrader puts the unit first: M5, H4, D1, MN1
        match = re.fullmatch(r"(MN|[SMHDW])(\d{1,4})", word)
        if not match:
            return None
        number, unit_text = match[2], {"MN": "mo"}.get(match[1], match[1].lower())
    unit = "mo" if unit_text == "M" else _UNITS.get(unit_text.lower())
    if unit is None:
        return None
    word = f"{int(number)}{unit}"
    word = _EQUAL.get(word, word)
    return word if word in INTERVAL_SECONDS else None


def is_daily(interval: str) -> bool:
    """Whether bars of `interval` are stamped with a session date (00:00:00Z)."""
    return INTERVAL_SECONDS[interval] >= _DAY


def grid(interval: str) -> timedelta:
    """The step on which starts of bars lie, counted in UTC from midnight.

    Sessions open on five-minute marks (09:30 New York, 17:05 after the daily break of foreign
    exchange) and bars count from the open, so an hourly bar may start at :30 or :05; nothing
    starts off its gcd with five minutes. Daily and longer bars start at midnight.
    """
    if is_daily(interval):
        return timedelta(days=1)
    return timedelta(seconds=math.gcd(INTERVAL_SECONDS[interval], 300))

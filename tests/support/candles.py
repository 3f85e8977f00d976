"""Bars as a program has them, for the tests of the client."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

T0 = datetime(2024, 3, 4, 14, 30, tzinfo=UTC)


@dataclass
class Candle:
    provider: Any = "p"
    symbol: Any = "AA"
    interval: Any = "1m"
    ts: Any = T0
    open: Any = 10.0
    high: Any = 11.0
    low: Any = 9.0
    close: Any = 10.5
    volume: Any = 100.0
    vwap: Any = None
    trade_count: Any = None


def minutes(count: int, start: int = 0, **values: Any) -> list[Candle]:
    """`count` bars, a minute apart, from minute `start` after 2024-03-04 14:30Z."""
    return [Candle(ts=T0 + timedelta(minutes=start + n), **values) for n in range(count)]

"""Makes examples/bars.parquet: invented one-minute bars, the same at every run.

Five symbols, two sessions of 390 minutes, and a handful of faults so that a first load shows how
rows are accounted for: five that break a rule, two repeated as they are, one repeated with another
close, and a symbol with blanks around it.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

SYMBOLS = {"ALFA": 52.10, "BRAV": 118.75, "CHRL": 9.42, "DELT": 401.00, "ECHO": 27.33}
SESSIONS = (datetime(2024, 3, 4, 14, 30, tzinfo=UTC), datetime(2024, 3, 5, 14, 30, tzinfo=UTC))


def bars() -> list[dict[str, object]]:
    dice = random.Random(20240304)
    rows: list[dict[str, object]] = []
    for symbol, price in SYMBOLS.items():
        cents = round(price * 100)
        for opening in SESSIONS:
            for minute in range(390):
                first = cents + dice.randint(-3, 3)
                last = max(100, first + dice.randint(-6, 6))
                high, low = (
                    max(first, last) + dice.randint(0, 4),
                    min(first, last) - dice.randint(0, 4),
                )
                rows.append(
                    {
                        "provider": "demo",
                        "symbol": symbol,
                        "interval": "1m",
                        "ts": opening + timedelta(minutes=minute),
                        "open": first / 100,
                        "high": high / 100,
                        "low": low / 100,
                        "close": last / 100,
                        "volume": float(dice.randint(0, 9000)),
                        "vwap": (first + last + high + low) / 400,
                        "trade_count": dice.randint(0, 250),
                    }
                )
                cents = last
    return rows


def spoil(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    rows[100]["high"], rows[100]["low"] = 51.0, 53.0
    rows[900]["volume"] = -1.0
    rows[1500]["close"] = None
    rows[2200]["open"] = float("nan")
    rows[3000]["symbol"] = " "
    rows[3500]["symbol"] = " ECHO "
    again = [dict(rows[10]), dict(rows[20]), dict(rows[30])]
    again[2]["close"] = rows[30]["open"]
    return rows + again


if __name__ == "__main__":
    pl.DataFrame(spoil(bars())).write_parquet(Path(__file__).with_name("bars.parquet"))

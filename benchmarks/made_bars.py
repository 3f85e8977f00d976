"""Generated minute bars: every number is a function of seed, symbol and position.

Therefore any stretch of any symbol can be generated on its own and in any order: a file of 20
million rows streams through a few megabytes, and "the same bars with 1 % restated" is the same
function with another selection.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

SYMBOLS = 500
SESSION = 390  # minutes from 09:30 to 16:00 New York
_OPEN = 14 * 60 + 30  # 09:30 in New York in winter, in minutes of the UTC day
_FIRST_DAY = np.datetime64("2024-01-02", "D")
#: Rows generated at a time, and rows of a row group (Polars' default).
CHUNK = 262_144

Floats = NDArray[np.float64]
Ints = NDArray[np.uint64]


@dataclass(frozen=True)
class Universe:
    """The set of bars: `rows` of them, spread evenly over at most `symbols` symbols.

    A symbol's bars are numbered from 0 without end; 0 … `bars`-1 belong to the table, later ones
    are news. `rows` is rounded down to a multiple of the symbols.
    """

    rows: int
    symbols: int = SYMBOLS
    seed: int = 1

    @property
    def width(self) -> int:
        return min(self.symbols, self.rows)

    @property
    def bars(self) -> int:
        """Bars per symbol."""
        return self.rows // self.width


@dataclass(frozen=True)
class Stretch:
    """Bars `start` … `stop`-1 of every symbol. `restated` is the share of bars from
    `restated_from` on that the vendor corrected later (volume, trade count and VWAP). `by_time`
    groups all symbols of a minute, as in a recorded feed, instead of symbol after symbol."""

    universe: Universe
    start: int
    stop: int
    restated: float = 0.0
    by_time: bool = False
    provider: str = "polygon"
    restated_from: int = 0

    @property
    def rows(self) -> int:
        return self.universe.width * (self.stop - self.start)

    def frames(self) -> Iterator[pl.DataFrame]:
        """Yields the bars in canonical columns, `CHUNK` rows at a time; at least one frame."""
        width, length = self.universe.width, self.stop - self.start
        names = tickers(width)
        for first in range(0, max(self.rows, 1), CHUNK):
            row = np.arange(first, min(first + CHUNK, self.rows), dtype=np.uint64)
            inner = np.uint64(width if self.by_time else length)
            symbol, bar = (row % inner, row // inner) if self.by_time else divmod(row, inner)
            bar += np.uint64(self.start)
            late = np.where(bar >= self.restated_from, self.restated, 0.0)
            frame = _frame(self.universe.seed, names, symbol, bar, late)
            yield frame.with_columns(pl.lit(self.provider).alias("provider"))


def tickers(count: int) -> list[str]:
    """`count` different four-letter tickers in byte order."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    # 20201 shares no factor with 26⁴, so no number repeats.
    scattered = (i * 20_201 % 26**4 for i in range(count))
    return sorted("".join(letters[n // 26**p % 26] for p in (3, 2, 1, 0)) for n in scattered)


def _frame(seed: int, names: list[str], symbol: Ints, bar: Ints, restated: Floats) -> pl.DataFrame:
    start, end = _price(seed, symbol, bar), _price(seed, symbol, bar + np.uint64(1))
    high = np.maximum(start, end) * (1 + 0.002 * _share(seed, "high", symbol, bar))
    low = np.minimum(start, end) * (1 - 0.002 * _share(seed, "low", symbol, bar))
    # Rounding keeps the order, so low <= open, close <= high holds for cents too.
    prices = {
        name: np.round(value, 2)
        for name, value in (("open", start), ("high", high), ("low", low), ("close", end))
    }
    trades = 1 + (_share(seed, "trades", symbol, bar) ** 3 * 900).astype(np.int64)
    volume = trades * (1 + (_share(seed, "size", symbol, bar) * 300).astype(np.int64))
    vwap = (prices["high"] + prices["low"] + prices["close"]) / 3
    if restated.any():
        late = _share(seed, "restated", symbol, bar) < restated
        trades, volume = trades + late, volume + 100 * late
        vwap = np.where(late, (vwap + prices["close"]) / 2, vwap)
    day, minute = bar // np.uint64(SESSION), bar % np.uint64(SESSION)
    date = np.busday_offset(_FIRST_DAY, day.astype(np.int64), roll="forward")
    stamp = date.astype("datetime64[us]") + (minute + np.uint64(_OPEN)).astype("timedelta64[m]")
    return pl.DataFrame(
        {
            "symbol": pl.Series(names).gather(symbol),
            "ts": pl.Series(stamp).dt.replace_time_zone("UTC"),
            **prices,
            "volume": volume.astype(np.float64),
            "vwap": np.round(vwap, 4),
            "trade_count": trades,
        }
    ).select(pl.lit("polygon").alias("provider"), "symbol", pl.lit("1m").alias("interval"),
             pl.exclude("symbol"))  # fmt: skip


def _price(seed: int, symbol: Ints, bar: Ints) -> Floats:
    """Prices between about 5 and 700: slow waves per symbol plus a little noise per bar."""
    level = np.exp(2 + 4 * _share(seed, "level", symbol, symbol))
    position = bar.astype(np.float64)
    wave = np.zeros_like(position)
    for name, minutes, height in (("month", 8190, 0.1), ("day", 390, 0.02), ("hour", 61, 0.004)):
        phase = _share(seed, name, symbol, symbol)
        wave += height * np.sin(2 * np.pi * (position / (minutes * (0.5 + phase)) + phase))
    wave += 0.001 * _share(seed, "noise", symbol, bar)
    return level * np.exp(wave)  # type: ignore[no-any-return]


def _share(seed: int, name: str, symbol: Ints, bar: Ints) -> Floats:
    """Uniform numbers in [0, 1), one for each (seed, name, symbol, bar), by splitmix64."""
    salt = int.from_bytes(name.encode(), "little") * 2_654_435_769 + seed
    with np.errstate(over="ignore"):
        z = (symbol << np.uint64(40)) + bar + np.uint64(salt % 2**64)
        for multiplier, shift in ((0x9E3779B97F4A7C15, 30), (0xBF58476D1CE4E5B9, 27)):
            z = (z ^ (z >> np.uint64(shift))) * np.uint64(multiplier)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    return (z >> np.uint64(11)) * 2.0**-53  # type: ignore[no-any-return]

"""Sierra Chart's .scid files that hold bars."""

import polars as pl

from loader import bars
from loader.dialects.dialect import OHLC, Dialect, Opening, Reshape, Shape


def _shortest(opening: Opening) -> Reshape:
    """Takes each float32 price as its shortest decimal: 1.0853 and not 1.0852999687194824."""
    return lambda frame: frame.with_columns(pl.col(bars.PRICES).cast(pl.String))


DIALECT = Dialect(
    name="sierra",
    title="Sierra Chart's intraday files",
    columns={
        "ts": ("datetime",),
        **OHLC,
        "volume": ("total_volume",),
        "trade_count": ("num_trades",),
    },
    shapes=(Shape(containers=("scid",)),),
    names=(r"(?:^|[/!])(?P<symbol>[^/!]+)\.scid(?:\.\w+)?$",),
    left_out=dict.fromkeys(("bid_volume", "ask_volume"), "part of the volume"),
    reshape=_shortest,
    volume="contracts or shares",
    adjusted="nothing",
    traps=(
        "a file of ticks is refused: export bars from the chart",
        "the file's name is the symbol in Sierra Chart's spelling; the interval is inferred from "
        "the spacing, or comes from --interval",
        "prices are single precision and read as their shortest decimals: seven digits are right",
        "older files count days, newer ones microseconds, since 1899-12-30; both are read as UTC",
    ),
    source="public readers of .scid",
)

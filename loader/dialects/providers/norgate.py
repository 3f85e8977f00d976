"""Norgate Data: what its Python package returns, stored as CSV."""

import polars as pl

from loader.dialects import tickers
from loader.dialects.dialect import OHLCV, Dialect, Opening, Shape

_BARS = ("Date", "Open", "High", "Low", "Close")


def _remarks(opening: Opening) -> tuple[str, ...]:
    """Whether the prices were adjusted shows where the close as traded is another."""
    if "Unadjusted Close" not in opening.first.columns:
        return ()
    pair = (pl.col(name).cast(pl.Float64, strict=False) for name in ("Close", "Unadjusted Close"))
    if opening.first.select(pl.any_horizontal(next(pair) != next(pair)).any()).item():
        return ("prices are adjusted: Close differs from Unadjusted Close",)
    return ()


DIALECT = Dialect(
    name="norgate",
    title="Norgate Data's price series",
    columns={"ts": ("date",), **OHLCV},
    shapes=(
        Shape(header=(*_BARS, "Volume", "Turnover", "Unadjusted Close", "Dividend")),
        Shape(header=(*_BARS, "Volume", "Open Interest", "Delivery Month"), note="futures"),
        Shape(header=(*_BARS, "Volume", "Delivery Month", "Open Interest"), note="futures"),
    ),
    names=(tickers.CSV,),
    remarks=_remarks,
    left_out={
        "turnover": "money, not units traded",
        "unadjustedclose": "the close as traded, beside the prices asked for",
        "dividend": "dividends and splits are not stored",
        "openinterest": "open interest is not stored",
        "deliverymonth": "of the contract that a continuous series follows",
    },
    stamp="end",
    volume="shares, adjusted like the prices and therefore fractional; contracts",
    adjusted="by default for splits and dividends (TOTALRETURN); the file does not say how",
    traps=(
        "the default adjustment is TOTALRETURN, and nothing in the file says which it is: keep "
        "others apart by --provider",
        "history is restated after each split and dividend",
        "weeks and months are dated by their last day, and loaded under their first",
        "padded series repeat the close, with volume 0, on days without trading",
    ),
    source="the documentation of the packages norgatedata and zipline-norgatedata on PyPI",
)

"""Norgate Data: results of its Python package, saved as CSV."""

import polars as pl

from loader.dialects import tickers
from loader.dialects.dialect import OHLCV, Dialect, Opening, Shape

_BARS = ("Date", "Open", "High", "Low", "Close")


def _remarks(opening: Opening) -> tuple[str, ...]:
    """Warns about adjusted prices if some close differs from the unadjusted close."""
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
        "unadjustedclose": "the close as traded; the requested prices are loaded",
        "dividend": "dividends and splits are not stored",
        "openinterest": "open interest is not stored",
        "deliverymonth": "the contract that a continuous series follows",
    },
    stamp="end",
    volume="shares, adjusted like the prices and therefore fractional; contracts",
    adjusted="splits and dividends by default (TOTALRETURN); the file does not tell",
    traps=(
        "the default adjustment is TOTALRETURN, and the file does not name its own: keep others "
        "apart with --provider",
        "history is restated after each split and dividend",
        "weeks and months are dated by their last day and stored under their first",
        "padded series repeat the close, with volume 0, on days without trading",
    ),
    source="the documentation of the packages norgatedata and zipline-norgatedata on PyPI",
)

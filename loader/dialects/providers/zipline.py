"""Zipline's csvdir bundle: a folder of CSV, one file per symbol."""

from loader.dialects import tickers
from loader.dialects.dialect import OHLCV, Dialect, Shape

_ACTIONS = "dividends and splits are not stored"

DIALECT = Dialect(
    name="zipline",
    title="Zipline's csvdir bundle",
    columns={"ts": ("date",), **OHLCV},
    shapes=(
        Shape(
            header=("date", "open", "high", "low", "close", "volume", "dividend", "split"),
            exact=True,
        ),
    ),
    names=(
        r"/(?P<interval>daily|minute)/(?P<symbol>[^/!]+?)\.csv(?:\.\w+)?(?:!.*)?$",
        tickers.CSV,
    ),
    left_out={"dividend": _ACTIONS, "split": _ACTIONS},
    stamp=None,
    volume="shares",
    adjusted="as the bundle's writer chose; the columns dividend and split hold the rest",
    traps=(
        "the folder (daily or minute) gives the interval, the file's name the symbol",
        "minute files show neither their zone nor which end of a bar a time marks: use --timezone "
        "and --stamp",
        "without the columns dividend and split the file is a plain table",
    ),
    source="files of zipline-reloaded and its documentation of csvdir",
)

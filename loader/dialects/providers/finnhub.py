"""Finnhub: the candles of its interface, as JSON and as the CSV that pandas makes of it."""

from loader.dialects import tickers
from loader.dialects.dialect import Dialect, Opening, Shape

_ARRAYS = ("c", "h", "l", "o", "t", "v")
_SECONDS = {"t": r"\d{9,10}"}


def _in_its_order(opening: Opening) -> bool:
    """Whether the names are in Finnhub's order, the alphabet's: TradingView's data feeds, which
    many sites have, answer with the same names in another."""
    return [name for name in opening.first.columns if name in _ARRAYS] == list(_ARRAYS)


DIALECT = Dialect(
    name="finnhub",
    title="Finnhub candles",
    columns={
        "ts": ("t",),
        "open": ("o",),
        "high": ("h",),
        "low": ("l",),
        "close": ("c",),
        "volume": ("v",),
    },
    shapes=(
        Shape(
            containers=("json", "ndjson"),
            place=r"(?:\[\])?\.",
            header=(*_ARRAYS, "s"),
            values={**_SECONDS, "s": "ok"},
            accept=_in_its_order,
        ),
        Shape(
            header=("c", "h", "l", "o", "s", "t", "v"),
            values={**_SECONDS, "s": "ok"},
            accept=_in_its_order,
        ),
    ),
    names=(tickers.CSV, tickers.JSON),
    left_out={"s": "the status of the answer", "index": "row numbers", "": "row numbers"},
    volume="shares; base asset in crypto",
    adjusted="the answer does not say",
    traps=(
        "symbol and resolution are in the request only: files by ticker, or --symbol",
        "days are instants: midnight in New York for stocks, 22:00 UTC for currencies: say "
        "--timezone",
        "an answer of no_data has no arrays, and is not a table",
    ),
    source="the README of Finnhub's Python client; answers in public code",
)

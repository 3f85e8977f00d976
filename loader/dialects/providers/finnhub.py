"""Finnhub: candles of its API, as JSON and as the CSV that pandas writes."""

from loader.dialects import tickers
from loader.dialects.dialect import Dialect, Opening, Shape

_ARRAYS = ("c", "h", "l", "o", "t", "v")
_SECONDS = {"t": r"\d{9,10}"}


def _is_alphabetical(opening: Opening) -> bool:
    """Whether the names are in alphabetical order, as Finnhub's are. TradingView data feeds, which
    many sites use, have the same names in another order."""
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
            accept=_is_alphabetical,
        ),
        Shape(
            header=("c", "h", "l", "o", "s", "t", "v"),
            values={**_SECONDS, "s": "ok"},
            accept=_is_alphabetical,
        ),
    ),
    names=(tickers.CSV, tickers.JSON),
    left_out={"s": "the status of the answer", "index": "row numbers", "": "row numbers"},
    volume="shares; base asset in crypto",
    adjusted="unknown: the answer does not tell",
    traps=(
        "only the request has symbol and resolution: name files by ticker, or use --symbol",
        "daily bars carry instants (midnight in New York for stocks, 22:00 UTC for currencies): "
        "use --timezone",
        "an answer with no_data has no arrays and is refused",
    ),
    source="the README of Finnhub's Python client; answers in public code",
)

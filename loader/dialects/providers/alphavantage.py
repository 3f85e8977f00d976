"""Alpha Vantage: CSV of adjusted days, and the JSON of its stock time series."""

from collections.abc import Mapping

from loader.dialects import tickers
from loader.dialects.dialect import Dialect, Opening, Shape

_ADJUSTED_CSV = (
    "open", "high", "low", "close", "adjusted close", "volume", "dividend amount",
    "split coefficient",
)  # fmt: skip
_PRICES = ("key", "1. open", "2. high", "3. low", "4. close")
_ADJUSTED = "adjusted for splits and dividends after the fact"
_ACTIONS = "dividends and splits are not stored"
_ABOUT = "metadata of the API response"


def _facts(opening: Opening) -> Mapping[str, str]:
    """Adds the time zone that the answer names."""
    for name in opening.first.columns:
        if name.startswith("Meta Data.") and name.endswith(" Time Zone"):
            return {**opening.facts, "timezone": opening.first[name][0]}
    return opening.facts


DIALECT = Dialect(
    name="alphavantage",
    title="Alpha Vantage stock time series",
    columns={
        "symbol": ("metadata2symbol",),
        "interval": ("metadata4interval",),
        "ts": ("timestamp", "date", "key"),
        "open": ("open", "1open"),
        "high": ("high", "2high"),
        "low": ("low", "3low"),
        "close": ("close", "4close"),
        "volume": ("volume", "5volume", "6volume"),
    },
    shapes=(
        Shape(header=("timestamp", *_ADJUSTED_CSV), exact=True, interval="1d"),
        Shape(header=("date", *_ADJUSTED_CSV), exact=True, interval="1d"),
        Shape(
            containers=("json",),
            place=r"Time Series \(Daily\)\.\*",
            header=_PRICES,
            interval="1d",
        ),
        Shape(
            containers=("json",),
            place=r"Weekly (?:Adjusted )?Time Series\.\*",
            header=_PRICES,
            interval="1w",
            stamp="end",
        ),
        Shape(
            containers=("json",),
            place=r"Monthly (?:Adjusted )?Time Series\.\*",
            header=_PRICES,
            interval="1mo",
            stamp="end",
        ),
        Shape(
            containers=("json",),
            place=r"Time Series \(\d+min\)\.\*",
            header=_PRICES,
            note="the answer does not tell which end of a bar a time marks; read as the start, as "
            "files of 2024 confirm (the last bar is 19:55); otherwise use --stamp end",
        ),
    ),
    names=(tickers.CSV, tickers.JSON),
    facts=_facts,
    left_out={
        "adjustedclose": _ADJUSTED,
        "5adjustedclose": _ADJUSTED,
        **dict.fromkeys(
            ("dividendamount", "splitcoefficient", "7dividendamount", "8splitcoefficient"), _ACTIONS
        ),
        **dict.fromkeys(
            ("metadata1information", "metadata3lastrefreshed", "metadata4outputsize",
             "metadata5outputsize", "metadata4timezone", "metadata5timezone", "metadata6timezone"),
            _ABOUT,
        ),
    },
    timezone="US/Eastern",
    volume="shares",
    adjusted="days, weeks and months: nothing; intraday: splits and dividends, by default",
    traps=(
        "the numbers in names shift: volume is 5. in plain answers and 6. in adjusted ones",
        "weeks and months are dated by their last trading day; the newest one is still running",
        "a plain CSV (timestamp,open,high,low,close,volume) has no zone and is read as canonical",
        "errors are JSON too, often saved as .csv; they are refused",
    ),
    source="a daily CSV; JSON answers and readers in public code; "
    "alphavantage.co/documentation (last trading day of each week)",
)  # fmt: skip

"""EODHD: the CSV of its end-of-day and intraday interfaces."""

from loader.dialects.dialect import OHLCV, Dialect, Opening, Shape

_DAILY = ("date", "open", "high", "low", "close", "adjusted_close", "volume")
_INTRADAY = ("Timestamp", "Gmtoffset", "Datetime", "Open", "High", "Low", "Close", "Volume")
_NAME = r"(?:^|[/!])(?P<symbol>[A-Z0-9-]+\.(?:US|[A-Z]{2,8}))\.csv(?:\.\w+)?(?:!.*)?$"


def _spelled(opening: Opening) -> bool:
    """Whether the header is spelled as only EODHD does: `Adjusted_close` among capitals."""
    return opening.first.columns[5:6] == ["Adjusted_close"]


DIALECT = Dialect(
    name="eodhd",
    title="EODHD historical prices",
    columns={
        "ts": ("timestamp", "date"),
        **OHLCV,
    },
    shapes=(
        Shape(header=_DAILY, exact=True, accept=_spelled),
        Shape(header=_DAILY, exact=True, name=_NAME),
        Shape(header=_INTRADAY, exact=True, values={"Timestamp": r"\d{9,10}"}),
    ),
    names=(_NAME,),
    left_out={
        "adjustedclose": "adjusted for splits and dividends after the fact",
        "gmtoffset": "the stamp is UTC as it is",
        "datetime": "the stamp in words",
    },
    symbol_convention="eodhd",
    volume="shares",
    adjusted="nothing: open, high, low and close are as traded",
    traps=(
        "adjusted_close stands beside raw prices, so that ratios of the two columns mean nothing",
        "in small letters the header is everybody's: only the name (AAPL.US.csv) tells it is EODHD",
    ),
    source="a file AAPL.US.csv; answers in public code; eodhd.com (symbols)",
)

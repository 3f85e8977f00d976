"""EODHD: the CSV of its end-of-day and intraday APIs."""

from loader.dialects.dialect import OHLCV, Dialect, Opening, Shape

_DAILY = ("date", "open", "high", "low", "close", "adjusted_close", "volume")
_INTRADAY = ("Timestamp", "Gmtoffset", "Datetime", "Open", "High", "Low", "Close", "Volume")
_NAME = r"(?:^|[/!])(?P<symbol>[A-Z0-9-]+\.(?:US|[A-Z]{2,8}))\.csv(?:\.\w+)?(?:!.*)?$"


def _has_its_spelling(opening: Opening) -> bool:
    """Whether the header has EODHD's own spelling: `Adjusted_close` among capitalised words."""
    return opening.first.columns[5:6] == ["Adjusted_close"]


DIALECT = Dialect(
    name="eodhd",
    title="EODHD historical prices",
    columns={
        "ts": ("timestamp", "date"),
        **OHLCV,
    },
    shapes=(
        Shape(header=_DAILY, exact=True, accept=_has_its_spelling),
        Shape(header=_DAILY, exact=True, name=_NAME),
        Shape(header=_INTRADAY, exact=True, values={"Timestamp": r"\d{9,10}"}),
    ),
    names=(_NAME,),
    left_out={
        "adjustedclose": "adjusted for splits and dividends after the fact",
        "gmtoffset": "timestamps are UTC already",
        "datetime": "the timestamp as text",
    },
    symbol_convention="eodhd",
    volume="shares",
    adjusted="nothing: open, high, low and close are as traded",
    traps=(
        "adjusted_close is beside raw prices, so ratios of adjusted to raw columns mean nothing",
        "in small letters the header is common: only a name like AAPL.US.csv identifies EODHD",
    ),
    source="a file AAPL.US.csv; answers in public code; eodhd.com (symbols)",
)

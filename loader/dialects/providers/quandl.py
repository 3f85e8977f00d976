"""Quandl (Nasdaq Data Link): the WIKI prices and the continuous futures CHRIS."""

from loader.dialects.dialect import Dialect, Shape

_ADJUSTED = "adjusted for splits and dividends after the fact"
_ACTIONS = "dividends and splits are not stored"
_NAME = r"(?:^|[/!])WIKI[-_/](?P<symbol>[A-Za-z0-9_.]+?)(?:-[^/!]*)?\.csv(?:\.\w+)?(?:!.*)?$"
_FUTURE = r"(?:^|[/!])(?:CHRIS[-_/])(?P<symbol>[A-Z]+_[A-Z0-9]+)\.csv(?:\.\w+)?(?:!.*)?$"

DIALECT = Dialect(
    name="quandl",
    title="Quandl WIKI prices and CHRIS futures",
    columns={
        "symbol": ("ticker",),
        "ts": ("date",),
        "open": ("open",),
        "high": ("high",),
        "low": ("low",),
        "close": ("settle", "close"),
        "volume": ("volume",),
    },
    shapes=(
        Shape(
            header=(
                "Date", "Open", "High", "Low", "Close", "Volume", "Ex-Dividend", "Split Ratio",
                "Adj. Open", "Adj. High", "Adj. Low", "Adj. Close", "Adj. Volume",
            ),
            exact=True,
        ),
        Shape(
            header=(
                "ticker", "date", "open", "high", "low", "close", "volume", "ex-dividend",
                "split_ratio", "adj_open", "adj_high", "adj_low", "adj_close", "adj_volume",
            ),
            exact=True,
        ),
        Shape(
            header=(
                "Date", "Open", "High", "Low", "Last", "Change", "Settle", "Volume",
                "Previous Day Open Interest",
            ),
            exact=True,
            note="the close is the settlement price, not the last trade",
        ),
    ),
    names=(_NAME, _FUTURE),
    left_out={
        **dict.fromkeys(("adjopen", "adjhigh", "adjlow", "adjclose", "adjvolume"), _ADJUSTED),
        **dict.fromkeys(("exdividend", "splitratio"), _ACTIONS),
        "last": "the close of a future is its settlement price",
        "change": "the difference to the settlement price of the day before",
        "previousdayopeninterest": "open interest of the day before is not stored",
    },
    volume="shares; contracts in CHRIS",
    adjusted="nothing, as traded; CHRIS contracts are joined without adjustment",
    traps=(
        "WIKI ended in 2018: later dates do not exist",
        "open interest in CHRIS belongs to the day before",
        "volumes are written with a decimal point (6416500.0)",
    ),
    source="WIKI files by symbol and the table export; CHRIS headers in files and public readers",
)  # fmt: skip

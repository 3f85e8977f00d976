"""Tiingo: end-of-day prices, intraday prices of IEX, and crypto."""

from loader.dialects import tickers
from loader.dialects.dialect import OHLCV, Dialect, Shape

_DAYS = (
    "date", "close", "high", "low", "open", "volume", "adjClose", "adjHigh", "adjLow", "adjOpen",
    "adjVolume", "divCash", "splitFactor",
)  # fmt: skip
_ADJUSTED = "adjusted for splits and dividends after the fact"
_ACTIONS = "dividends and splits are not stored"
_JSON = ("json", "ndjson")

DIALECT = Dialect(
    name="tiingo",
    title="Tiingo prices",
    columns={
        "symbol": ("ticker",),
        "ts": ("date",),
        **OHLCV,
        "trade_count": ("tradesdone",),
    },
    shapes=(
        Shape(header=_DAYS, exact=True, stamp="end"),
        Shape(containers=_JSON, place=r"\[\]", header=_DAYS, stamp="end"),
        Shape(
            containers=_JSON,
            place=r"\[\]",
            name=r"(?i)(?:^|[/!_.-])(?:tiingo|iex)[/_.-]",
            header=("date", "open", "high", "low", "close"),
            values={"date": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+00:00)"},
            accept=lambda opening: "adjClose" not in opening.first.columns,
            note="intraday prices of IEX only; without a volume unless requested",
        ),
        Shape(
            containers=_JSON,
            place=r"\[\]\.priceData\[\]",
            header=("ticker", "baseCurrency", "quoteCurrency", "date", "open", "high", "low",
                    "close", "volume"),
            note="crypto",
        ),
    ),
    names=(tickers.CSV, tickers.JSON),
    left_out={
        **dict.fromkeys(("adjclose", "adjhigh", "adjlow", "adjopen", "adjvolume"), _ADJUSTED),
        **dict.fromkeys(("divcash", "splitfactor"), _ACTIONS),
        "volumenotional": "in the quote currency",
        **dict.fromkeys(("basecurrency", "quotecurrency"), "part of the ticker"),
    },
    symbol_convention="tiingo",
    volume="shares; base asset in crypto",
    adjusted="nothing: the adjusted prices in other columns are left out",
    traps=(
        "in CSV the close comes first and the open last",
        "weeks and months are dated by their last day, the newest by its last day so far",
        "T00:00:00.000Z on a daily bar means the session's date, not an instant",
        "only the request has the ticker: name files by ticker, or use --symbol",
        "intraday files look common: recognised only by a name with tiingo or iex",
    ),
    source="answers recorded by github.com/hydrosquall/tiingo-python; "
    "tiingo.com/documentation/appendix/symbology",
)  # fmt: skip

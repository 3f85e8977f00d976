"""Moscow Exchange: the candles of its ISS server, as JSON and CSV."""

from loader.dialects import tickers
from loader.dialects.dialect import OHLCV, Dialect, Shape

_HEADER = ("open", "close", "high", "low", "value", "volume", "begin", "end")
_BEGIN = {"begin": r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"}

DIALECT = Dialect(
    name="moex",
    title="MOEX ISS candles",
    columns={"ts": ("begin",), **OHLCV},
    shapes=(
        Shape(
            containers=("json", "ndjson"),
            place=r"(?:\[\]\.)?candles\.|(?:\[\]\.?)?candles\[\]",
            header=_HEADER,
            values=_BEGIN,
        ),
        Shape(header=_HEADER, exact=True, values=_BEGIN),
    ),
    names=(tickers.CSV, tickers.JSON),
    left_out={
        "value": "the turnover, in roubles",
        "end": "the last second with a trade, or the last second of the bar",
    },
    timezone="Europe/Moscow",
    volume="shares, contracts",
    adjusted="nothing",
    traps=(
        "close comes before high and low",
        "an answer has at most 500 candles: more follow from start=500",
        "neither symbol nor interval is in the answer: name it by ticker, or use --symbol",
        "the last candle may be unfinished, and nothing marks it",
    ),
    source="readers of ISS in public code (WLM1ke/amoex, moexer); an export in a test of public "
    "code: candles;open;close;high;low;value;volume;begin;end",
)

"""J-Quants: daily bars of the Tokyo Stock Exchange, from the answers of its API."""

import polars as pl

from loader.dialects.dialect import Dialect, Shape

_FIRST = ("Date", "Code", "Open", "High", "Low", "Close", "Volume", "TurnoverValue",
          "AdjustmentFactor", "AdjustmentClose")  # fmt: skip
_SECOND = ("Date", "Code", "O", "H", "L", "C", "Vo", "Va", "AdjFactor", "AdjC")
_CONTAINERS = ("json", "ndjson", "csv", "parquet", "arrow")
_ADJUSTED = "adjusted for splits after the fact"
_SESSION = "of the morning or afternoon session alone"
_NONE = ("", "NaN", "nan", "None")


def _untraded(*prices: str) -> pl.Expr:
    return pl.all_horizontal(
        pl.col(name).is_null() | pl.col(name).cast(pl.String).is_in(_NONE) for name in prices
    )


DIALECT = Dialect(
    name="jquants",
    title="J-Quants daily bars",
    columns={
        "symbol": ("Code",),
        "ts": ("Date",),
        "open": ("Open", "O"),
        "high": ("High", "H"),
        "low": ("Low", "L"),
        "close": ("Close", "C"),
        "volume": ("Volume", "Vo"),
    },
    shapes=(
        Shape(
            containers=_CONTAINERS,
            header=_FIRST,
            skip={"without a trade on that day": _untraded("Open", "High", "Low", "Close")},
        ),
        Shape(
            containers=_CONTAINERS,
            header=_SECOND,
            skip={"without a trade on that day": _untraded("O", "H", "L", "C")},
        ),
    ),
    left_out={
        "turnovervalue": "in yen",
        "va": "in yen",
        "upperlimit": "whether the price was limited",
        "lowerlimit": "whether the price was limited",
        "ul": "whether the price was limited",
        "ll": "whether the price was limited",
        **dict.fromkeys(
            ("adjustmentfactor", "adjustmentopen", "adjustmenthigh", "adjustmentlow",
             "adjustmentclose", "adjustmentvolume", "adjfactor", "adjo", "adjh", "adjl", "adjc",
             "adjvo"), _ADJUSTED,
        ),
        **dict.fromkeys(
            (f"{half}{what}" for half in ("morning", "afternoon") for what in
             ("open", "high", "low", "close", "volume", "turnovervalue", "upperlimit",
              "lowerlimit", "adjustmentopen", "adjustmenthigh", "adjustmentlow",
              "adjustmentclose", "adjustmentvolume")), _SESSION,
        ),
        "index": "row numbers",
    },
    interval="1d",
    volume="shares",
    adjusted="nothing; adjusted prices stand beside them",
    traps=(
        "codes have five digits, the ticker of four and a 0: 86970 is 8697",
        "a stock without a trade has a row without prices, which is left out",
        "the adjusted prices are those at the time of the answer",
    ),
    source="J-Quants/jquants-api-jvm (an answer of daily_quotes); for the second version "
    "jpx-jquants.com and public code that reads Date, Code, O, H, L, C, Vo, Va and Adj…",
)  # fmt: skip

"""Bybit: the answer of its REST interface for klines."""

from collections.abc import Mapping
from dataclasses import replace

from loader.dialects.dialect import OHLCV, Dialect, Opening, Shape

_TIMES = {"start": r"\d{13}"}
_COLUMNS = {
    "symbol": ("result.symbol",),
    "ts": ("start",),
    **OHLCV,
}


def _facts(opening: Opening) -> Mapping[str, str]:
    """BTCUSDT is spot and a perpetual: what is not spot has the category in its provider's name."""
    category = opening.first["result.category"][0] or "spot"
    return {"market": "" if category == "spot" else f"-{category}"}


def _says_category(opening: Opening) -> bool:
    return "result.category" in opening.first.columns


_ANSWER = Shape(
    containers=("json",),
    place=r"result\.list\[\]",
    positions=("start", "open", "high", "low", "close", "volume", "turnover"),
    values=_TIMES,
    accept=_says_category,
)

DIALECT = Dialect(
    name="bybit",
    title="Bybit klines",
    columns=_COLUMNS,
    shapes=(
        replace(
            _ANSWER,
            values={**_TIMES, "result.category": "inverse"},
            columns={**_COLUMNS, "volume": ("turnover",)},
            note="of an inverse contract: volume is the turnover, in the base asset",
        ),
        _ANSWER,
    ),
    facts=_facts,
    left_out={
        "turnover": "in the quote currency",
        "volume": "contracts",
        "resultcategory": "it is part of the provider's name",
        **dict.fromkeys(("retcode", "retmsg", "time"), "of the answer, not of a bar"),
    },
    provider="bybit{market}",
    volume="base asset",
    adjusted="nothing to adjust",
    traps=(
        "newest first; the first candle may still have been running, and nothing marks it",
        "one symbol may be spot and a contract: bars of linear and inverse contracts have the "
        "providers bybit-linear and bybit-inverse",
        "the interval is not in the file",
    ),
    source="a stored answer; ccxt's reading of it",
)

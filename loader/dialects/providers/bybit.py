"""Bybit: the kline answer of its REST API."""

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
    """Adds the category for contracts, since BTCUSDT is both a spot pair and a perpetual."""
    category = opening.first["result.category"][0] or "spot"
    return {"market": "" if category == "spot" else f"-{category}"}


def _has_category(opening: Opening) -> bool:
    return "result.category" in opening.first.columns


_ANSWER = Shape(
    containers=("json",),
    place=r"result\.list\[\]",
    positions=("start", "open", "high", "low", "close", "volume", "turnover"),
    values=_TIMES,
    accept=_has_category,
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
            note="inverse contract: volume is the turnover, in the base asset",
        ),
        _ANSWER,
    ),
    facts=_facts,
    left_out={
        "turnover": "in the quote currency",
        "volume": "contracts",
        "resultcategory": "part of the provider's name",
        **dict.fromkeys(("retcode", "retmsg", "time"), "metadata of the answer"),
    },
    provider="bybit{market}",
    volume="base asset",
    adjusted="nothing to adjust",
    traps=(
        "newest first; the first candle may be unfinished, and nothing marks it",
        "one symbol may be a spot pair and a contract: bars of linear and inverse contracts get "
        "the providers bybit-linear and bybit-inverse",
        "the interval is not in the file",
    ),
    source="a stored answer; ccxt's reading of it",
)

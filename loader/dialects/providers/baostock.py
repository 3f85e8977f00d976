"""BaoStock: bars of Chinese stocks, as pandas writes them."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from loader.dialects.dialect import OHLCV, Dialect, Opening, Shape

_CONTAINERS = ("csv", "parquet", "arrow")
_CODE = {"code": r"(?:sh|sz|bj)\.\d{6}"}
_ADJUSTED = {"1": "-hfq", "2": "-qfq"}


def _facts(opening: Opening) -> Mapping[str, str]:
    """Prices that were adjusted belong to a provider of their own."""
    flag = str(opening.first["adjustflag"][0]) if "adjustflag" in opening.first.columns else ""
    return {**opening.facts, "adjusted": _ADJUSTED.get(flag, "")}


DIALECT = Dialect(
    name="baostock",
    title="BaoStock bars",
    columns={
        "symbol": ("code",),
        "ts": ("date",),
        **OHLCV,
    },
    shapes=(
        Shape(
            containers=_CONTAINERS,
            header=(
                "date",
                "time",
                "code",
                "open",
                "high",
                "low",
                "close",
                "volume",
                "amount",
                "adjustflag",
            ),
            values={**_CODE, "time": r"\d{17}"},
            columns={"symbol": ("code",), "ts": ("time",), **OHLCV},
            time_format="%Y%m%d%H%M%S%3f",
            stamp="end",
        ),
        Shape(
            containers=_CONTAINERS,
            header=(
                "date",
                "code",
                "open",
                "high",
                "low",
                "close",
                "preclose",
                "volume",
                "amount",
                "adjustflag",
            ),
            values=_CODE,
        ),
    ),
    facts=_facts,
    provider="baostock{adjusted}",
    left_out={
        "date": "the date of time",
        "amount": "the turnover, in yuan",
        "adjustflag": "tells how prices are adjusted: part of the provider's name",
        "preclose": "the close before",
        "turn": "share of the shares that was traded",
        "tradestatus": "0 marks a day of suspension",
        "pctchg": "since the close before",
        "isst": "whether the share is under special treatment",
    },
    timezone="Asia/Shanghai",
    skip={
        "a day on which trading was suspended": pl.col("tradestatus").cast(pl.String) == "0",
    },
    volume="shares",
    adjusted="by adjustflag: 3 nothing, 2 forwards (baostock-qfq), 1 backwards (baostock-hfq)",
    traps=(
        "time has 17 digits, YYYYMMDDHHMMSSsss, and is the end of the bar in Shanghai",
        "a day of suspension repeats the close before: left out",
        "one file may hold one way of adjustment only",
        "minutes have no interval in the file: it is inferred from their spacing",
    ),
    source="baostock's own example of query_history_k_data_plus with its list of fields, as "
    "rymmx-gls/Linux-Stock and CRThu/CarrotQuant.Net keep it",
)

"""Interactive Brokers' historical bars, as ib_async and pyalgotrade's downloader save them."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from loader.dialects.dialect import OHLCV, Dialect, Opening, Reshape, Shape, fold

_ASYNC = ("date", "open", "high", "low", "close", "volume", "average", "barCount")
_PYALGOTRADE = ("Date", "Open", "High", "Low", "Close", "Volume", "TradeCount", "VWAP")
_NOT_TRADES = ("-1", "-1.0")


def _facts(opening: Opening) -> Mapping[str, str]:
    """Tells whether bars are made from trades: bid, ask and midpoint bars have the volume -1."""
    traded = ~_column(opening.first, "volume").str.strip_chars().is_in(_NOT_TRADES)
    return {"trades": ""} if traded.any() or not len(traded) else {}


def _column(frame: pl.DataFrame, name: str) -> pl.Series:
    return next(column for column in frame if fold(column.name) == name)


def _without_minus_one(opening: Opening) -> Reshape:
    names = ("volume", "average", "vwap", "barcount", "tradecount")

    def shaped(frame: pl.DataFrame) -> pl.DataFrame:
        untraded = _column(frame, "volume").str.strip_chars().is_in(_NOT_TRADES)
        if not untraded.any():
            return frame
        columns = pl.col([name for name in frame.columns if fold(name) in names])
        return frame.with_columns(pl.when(~untraded).then(columns))

    return shaped


def _fillers(volume: str, count: str) -> Mapping[str, pl.Expr]:
    zero = (pl.col(name).cast(pl.Float64, strict=False) == 0 for name in (volume, count))
    return {"fillers, without volume and without trades": pl.all_horizontal(*zero)}


DIALECT = Dialect(
    name="ibkr",
    title="Interactive Brokers' historical bars",
    columns={
        "ts": ("date",),
        **OHLCV,
        "vwap": ("average", "vwap"),
        "trade_count": ("barcount", "tradecount"),
    },
    shapes=(
        Shape(header=_ASYNC, exact=True),
        Shape(header=("index", *_ASYNC), exact=True),
        Shape(containers=("json", "ndjson"), place=r"(?:\[\])?", header=_ASYNC, exact=True),
        Shape(header=_PYALGOTRADE, exact=True, skip=_fillers("Volume", "TradeCount")),
    ),
    facts=_facts,
    left_out={"index": "the number of the row"},
    provider="ibkr{trades}",
    volume_exponent=2,
    skip=_fillers("volume", "barCount"),
    reshape=_without_minus_one,
    volume="lots of 100 shares for US stocks; for anything else use --volume-factor 1",
    adjusted="splits",
    traps=(
        "times are in the zone chosen at the login to TWS, which no file names: --timezone; "
        "with formatDate=2 they are in UTC, with an offset",
        "volume is read in lots of 100, as for US stocks; for futures, currencies and others "
        "use --volume-factor 1",
        "bid, ask and midpoint bars (whatToShow) have volume -1 and look alike: name each with "
        "--provider, such as ibkr-bid",
        "bars with neither volume nor trades are fillers and are left out",
    ),
    source="files of pyalgotrade and of a test of NautilusTrader; ib_async's BarData; TWS API docs",
)

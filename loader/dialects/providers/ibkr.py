"""Interactive Brokers' historical bars, as ib_async and pyalgotrade's downloader store them."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from loader.dialects.dialect import OHLCV, Dialect, Opening, Reshape, Shape, fold

_ASYNC = ("date", "open", "high", "low", "close", "volume", "average", "barCount")
_PYALGOTRADE = ("Date", "Open", "High", "Low", "Close", "Volume", "TradeCount", "VWAP")
_NOT_TRADES = ("-1", "-1.0")


def _facts(opening: Opening) -> Mapping[str, str]:
    """Bars of bids, asks or middles have -1 for a volume, and do not say which they are."""
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
    volume="lots of 100 shares for US stocks: for anything else say --volume-factor 1",
    adjusted="splits",
    traps=(
        "times are in the zone that was chosen at the login to TWS, which no file says: "
        "--timezone; with formatDate=2 they are UTC, and say so",
        "US stocks have volume in lots of 100, and so it is taken; for futures, currencies and "
        "other markets say --volume-factor 1",
        "bars of bids, asks and middles (whatToShow) have volume -1 and do not say which they "
        "are: name each by --provider, as ibkr-bid",
        "bars with neither volume nor trades are fillers, and left out",
    ),
    source="files of pyalgotrade and of a test of NautilusTrader; ib_async's BarData; TWS API docs",
)

"""HTX, once Huobi: the kline answers of its REST APIs, and the CSV of its public data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import polars as pl

from loader.dialects.dialect import OHLC, Dialect, Opening, Reshape, Shape

_BAR = ("id", "amount", "count", "open", "close", "low", "high", "vol")
_CHANNEL: Final = r"market\.(.+)\.kline\.(\w+)"
_ID = {"id": r"\d{9,10}"}
_PERIODS = {
    "1min": "1m", "5min": "5m", "15min": "15m", "30min": "30m", "60min": "1h", "4hour": "4h",
    "1day": "1d", "1week": "1w", "1mon": "1mo", "1year": "1y",
}  # fmt: skip


def _facts(opening: Opening) -> Mapping[str, str]:
    """Ignores the file's name if the answer has the channel."""
    return {} if "ch" in opening.first.columns else opening.facts


def _of_channel(opening: Opening) -> Reshape:
    """Takes symbol and period from the channel: `market.btcusdt.kline.5min`."""

    def reshape(frame: pl.DataFrame) -> pl.DataFrame:
        if "ch" not in frame.columns:
            return frame
        channel = pl.col("ch").str.strip_chars()
        return frame.with_columns(
            channel.str.extract(_CHANNEL, 1).str.to_uppercase().alias("symbol"),
            channel.str.extract(_CHANNEL, 2).alias("period"),
        )

    return reshape


DIALECT = Dialect(
    name="htx",
    title="HTX (Huobi) klines",
    columns={
        "symbol": ("symbol",),
        "interval": ("period",),
        "ts": ("id",),
        **OHLC,
        "volume": ("amount",),
    },
    shapes=(
        Shape(
            containers=("json", "ndjson"),
            place=r"(?:\[\]\.)?(?:data\[\]|tick)|\[\]",
            header=_BAR,
            values=_ID,
        ),
        Shape(header=("id", "open", "high", "low", "close", "vol", "amount", "count"), values=_ID),
    ),
    names=(
        r"(?:^|[/!])(?P<symbol>[A-Za-z0-9-]+)-(?P<interval>1min|5min|15min|30min|60min|4hour|1day"
        r"|1week|1mon|1year)-\d{4}-\d\d(?:-\d\d)?\.(?:csv|zip)",
    ),
    facts=_facts,
    left_out={
        "vol": "in the quote currency for spot, in contracts for swaps and futures",
        "count": "the number of trades, of both sides for swaps: --column trade_count=count",
        "tradeturnover": "in the quote currency",
        **dict.fromkeys(("ch", "status", "ts"), "the answer's channel, status and time"),
    },
    intervals=_PERIODS,
    reshape=_of_channel,
    timezone="Asia/Shanghai",
    volume="base asset: amount, never vol",
    adjusted="nothing to adjust",
    traps=(
        "vol is the turnover in the quote currency, amount the volume",
        "ts stands around the rows and is the time of the answer; id is the start of the bar",
        "days, weeks and months begin at midnight UTC+8, 16:00 UTC: the date is that of Shanghai",
        "newest first; the first bar may be unfinished, and nothing marks it",
    ),
    source="altangent/ccxws issue 202 and bmoscon/cryptofeed issue 475 on vol and amount; README "
    "of hbdmapi/huobi_public_data; readers in public code",
)

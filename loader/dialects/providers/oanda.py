"""OANDA: the candles of its v20 REST API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import polars as pl

from loader.dialects.dialect import OHLC, Dialect, Opening, Reshape, Shape

_WORDS = {
    "S5": "5s", "S10": "10s", "S15": "15s", "S30": "30s", "M1": "1m", "M2": "2m", "M3": "3m",
    "M5": "5m", "M10": "10m", "M15": "15m", "M30": "30m", "H1": "1h", "H2": "2h", "H4": "4h",
    "H6": "6h", "H8": "8h", "H12": "12h", "D": "1d", "W": "1w", "M": "1mo",
}  # fmt: skip
_FIELDS = {
    "symbol": ("instrument",), "interval": ("granularity",), "ts": ("time",), "volume": ("volume",),
}  # fmt: skip
_FLAG = ("complete", "volume", "time")


def _of(side: str) -> Mapping[str, tuple[str, ...]]:
    prices = {"open": "o", "high": "h", "low": "l", "close": "c"}
    return {**_FIELDS, **{field: (f"{side}.{name}",) for field, name in prices.items()}}


def _prices(side: str) -> tuple[str, ...]:
    return tuple(f"{side}.{name}" for name in "ohlc")


def _sessions(opening: Opening) -> Reshape:
    """Gives days, weeks and months the date of their session: a day of 8 January begins at 17:00 in
    New York on the 7th, and a week on the Friday before its Monday."""
    time = pl.col("time").cast(pl.String).str.strip_chars()
    written = pl.coalesce(
        time.str.slice(0, 19).str.to_datetime("%Y-%m-%dT%H:%M:%S", strict=False),
        pl.from_epoch(time.str.extract(r"^(\d{9,10})(?:\.\d*)?$").cast(pl.Int64), "s"),
    )
    local = written.dt.replace_time_zone("UTC").dt.convert_time_zone("America/New_York")
    date = (local.dt.replace_time_zone(None) + pl.duration(hours=7)).dt.date()
    monday = date + pl.duration(days=8 - date.dt.weekday().cast(pl.Int64))
    weekend = (pl.col("granularity") == "W") & (date.dt.weekday() >= 6)
    session = pl.when(weekend).then(monday).otherwise(date).dt.to_string("%Y-%m-%d")
    dated = pl.when(pl.col("granularity").is_in(["D", "W", "M"])).then(session)
    return lambda frame: (
        frame.with_columns(pl.coalesce(dated, time).alias("time"))
        if "granularity" in frame.columns
        else frame
    )


def _is_of(side: str) -> Shape:
    return Shape(
        containers=("json", "ndjson"),
        place=r"(?:\[\]\.)?(?:latestCandles\[\]\.)?candles\[\]|\[\]",
        header=(*_FLAG, *_prices(side)),
        columns=_of(side),
        provider="oanda" if side == "mid" else f"oanda-{side}",
        note=f"prices are {side} prices",
    )


def _only(opening: Opening, *absent: str) -> bool:
    return not {f"{side}.o" for side in absent} & set(opening.first.columns)


DIALECT = Dialect(
    name="oanda",
    title="OANDA v20 candles",
    columns=_of("mid"),
    shapes=(
        _is_of("mid"),
        replace(_is_of("bid"), accept=lambda opening: _only(opening, "mid")),
        replace(_is_of("ask"), accept=lambda opening: _only(opening, "mid", "bid")),
        Shape(
            containers=("json", "ndjson"),
            place=r"(?:\[\]\.)?candles\[\]",
            header=(*_FLAG, "open", "high", "low", "close", "instrument", "granularity"),
            columns={**_FIELDS, **OHLC},
            note="the file does not tell whether prices are of the bid, the ask or the middle",
        ),
    ),
    intervals=_WORDS,
    skip={"the candle that was still running": pl.col("complete").str.to_lowercase() == "false"},
    reshape=_sessions,
    left_out={"complete": "false marks the candle that was still running"},
    timezone="America/New_York+7h",
    volume="number of prices (ticks), not what was traded",
    adjusted="nothing",
    traps=(
        "a day begins at 17:00 in New York on the evening before (dailyAlignment and "
        "alignmentTimezone of the request): the bar of Monday is stamped on Sunday 22:00 UTC, or "
        "21:00. Days, weeks and months get the date of their session, whatever --timezone says",
        "a week begins on Friday 17:00 by default (weeklyAlignment) and is dated by its Monday",
        "middle, bid and ask are read in this order, and bid and ask stored as oanda-bid and "
        "oanda-ask",
        "an array of candles alone has neither instrument nor granularity: use --symbol, and no "
        "--timezone for days, as that of sessions is known",
        "a candle with complete false is left out",
    ),
    source="docs.rs of oanda-client and oanda-v20-openapi (Candlestick, granularities, default "
    "alignment); oanda/oandapy issue 41, FastFinTech/FFT.Oanda issue 3",
)

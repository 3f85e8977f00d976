"""MetaTrader 5: bars exported as tab-separated text, and the rates of its Python package."""

from __future__ import annotations

from typing import Final

import polars as pl

from loader.bars.numbers import to_count
from loader.dialects.dialect import OHLC, Dialect, Opening, Refused, Reshape, Shape, fold

_PRICES = ("<OPEN>", "<HIGH>", "<LOW>", "<CLOSE>")
_COUNTS = ("<TICKVOL>", "<VOL>", "<SPREAD>")
_INTRADAY = ("<DATE>", "<TIME>", *_PRICES, *_COUNTS)
_DAILY = ("<DATE>", *_PRICES, *_COUNTS)
_FIELDS = {
    "ts": ("<date>",),
    "time_of_day": ("<time>",),
    "open": ("<open>",),
    "high": ("<high>",),
    "low": ("<low>",),
    "close": ("<close>",),
}
_TRADED = {**_FIELDS, "volume": ("<vol>",)}
_TICKS = {**_FIELDS, "volume": ("<tickvol>",)}


def _is_traded(opening: Opening) -> bool:
    """Whether the file has an exchange's volume; over the counter `<VOL>` is always 0."""
    cells = next(column for column in opening.first if fold(column.name) == "<vol>")
    return bool(cells.str.contains("[1-9]").any())


def _only_ticks(opening: Opening) -> bool:
    return not _is_traded(opening)


_EXPORTS: Final = tuple(
    Shape(header=header, exact=True, accept=accept, columns=columns, note=note)
    for header in (_INTRADAY, _DAILY)
    for accept, columns, note in (
        (_is_traded, _TRADED, "volume is the traded volume, <VOL>"),
        (_only_ticks, _TICKS, "volume is the number of ticks, because <VOL> is always 0"),
    )
)


def _has_real_volume(opening: Opening) -> bool:
    real = opening.first["real_volume"].cast(pl.Float64, strict=False)
    return bool((real > 0).any())


def _server_clock(opening: Opening) -> Reshape:
    """Takes the times as local: they count seconds on the server's clock as if it were UTC."""

    def reshape(frame: pl.DataFrame) -> pl.DataFrame:
        time = frame.get_column("time")
        if isinstance(time.dtype, pl.Datetime):
            return frame.with_columns(time.dt.replace_time_zone(None))
        if time.dtype.is_numeric():
            return frame.with_columns(_seconds(to_count(time)))
        text = time.cast(pl.String).str.strip_chars()
        written = text.str.replace(r"(Z|[+]00:?00)$", "").str.replace("T", " ")
        shown = _seconds(to_count(text)).dt.to_string("%Y-%m-%d %H:%M:%S")
        return frame.with_columns(shown.zip_with(shown.is_not_null(), written).alias("time"))

    return reshape


def _seconds(number: pl.Series) -> pl.Series:
    """Wall times, of seconds or, where pandas wrote them so, of milliseconds."""
    milliseconds = number.zip_with(number.abs() >= 10**11, number * 1000)
    return milliseconds.cast(pl.Datetime("ms")).cast(pl.Datetime("us")).alias(number.name)


def _rates(volume: str, note: str) -> Shape:
    return Shape(
        containers=("csv", "parquet", "arrow", "json", "ndjson"),
        header=("time", "open", "high", "low", "close", "tick_volume", "spread", "real_volume"),
        accept=_has_real_volume if volume == "real_volume" else None,
        columns={"ts": ("time",), **OHLC, "volume": (volume,)},
        reshape=_server_clock,
        note=note,
    )


DIALECT = Dialect(
    name="metatrader5",
    title="MetaTrader 5 bars",
    columns=_TICKS,
    shapes=(
        *_EXPORTS,
        _rates("real_volume", "volume is the traded volume, real_volume"),
        _rates("tick_volume", "volume is the number of ticks, because real_volume is always 0"),
    ),
    refused=(Refused(Shape(header=("<DATE>", "<TIME>", "<BID>", "<ASK>")), "ticks"),),
    names=(
        r"(?:^|[/!])(?P<symbol>[^/!]+?)_"
        r"(?P<interval>M(?:1|2|3|4|5|6|10|12|15|20|30)|H(?:1|2|3|4|6|8|12)|D1|W1|MN1)"
        r"(?:_\d{8,12}){0,2}\.(?:csv|txt)(?:\.\w+)?$",
    ),
    left_out={
        "<tickvol>": "the number of price changes; the file has the exchange's volume",
        "<vol>": "the exchange's volume: always 0",
        "<spread>": "the spread in points is not stored",
        "spread": "the spread in points is not stored",
        "tick_volume": "the number of price changes; the file has the exchange's volume",
        "real_volume": "the exchange's volume: always 0",
        "index": "row numbers",
    },
    volume="traded volume (<VOL>) if an exchange reports it, else number of ticks (<TICKVOL>)",
    adjusted="nothing",
    traps=(
        "times are on the broker server's clock: use --timezone. Many servers run at New York time "
        "plus seven hours (America/New_York+7h), others at UTC+2 or +3 with European DST",
        "the seconds in `time` of the Python package count on that clock too, as if it were UTC",
        "daily and longer bars have no <TIME> column and need no zone",
        "brokers add suffixes to symbols: EURUSD.m, EURUSDc, XAUUSD# are kept as they are",
    ),
    source="an export of hourly gold bars; mql5.com on servers' zones; public readers; "
    "lucas-campagna/mt5linux issue 25 on copy_rates_*, callers of it in public code",
)

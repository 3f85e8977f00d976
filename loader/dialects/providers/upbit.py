"""Upbit: the candle answers of its REST API."""

import polars as pl

from loader.dialects.dialect import Dialect, Opening, Reshape, Shape

_HEADER = (
    "market", "candle_date_time_utc", "opening_price", "high_price", "low_price", "trade_price",
    "candle_acc_trade_volume",
)  # fmt: skip
_UNITS = {
    "1": "1m", "3": "3m", "5": "5m", "10": "10m", "15": "15m", "30": "30m", "60": "1h",
    "240": "4h",
}  # fmt: skip


def _in_utc(opening: Opening) -> Reshape:
    """Marks the times as UTC, so that no option moves them."""
    time = pl.col("candle_date_time_utc")
    written = time.cast(pl.String).str.strip_chars()
    plain = written.str.contains(r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d$")
    marked = pl.when(plain).then(written + "Z").otherwise(written).alias("candle_date_time_utc")
    return lambda frame: frame.with_columns(marked)


DIALECT = Dialect(
    name="upbit",
    title="Upbit candles",
    columns={
        "symbol": ("market",),
        "interval": ("unit",),
        "ts": ("candle_date_time_utc",),
        "open": ("opening_price",),
        "high": ("high_price",),
        "low": ("low_price",),
        "close": ("trade_price",),
        "volume": ("candle_acc_trade_volume",),
    },
    shapes=(Shape(containers=("json", "ndjson", "csv"), header=_HEADER),),
    left_out={
        "timestamp": "the time of the last tick",
        "candledatetimekst": "the same time in Korea",
        "candleacctradeprice": "in the quote currency",
        **dict.fromkeys(
            ("prevclosingprice", "changeprice", "changerate", "convertedtradeprice"),
            "compares with the day before",
        ),
        "firstdayofperiod": "the first day of a week or month",
    },
    intervals=_UNITS,
    reshape=_in_utc,
    volume="base asset",
    adjusted="nothing to adjust",
    traps=(
        "days run from 00:00 to 24:00 UTC, which is 09:00 in Korea: --timezone is not applied",
        "timestamp is the last tick's time, a second before midnight for a day, and not the bar's",
        "trade_price is the close; candle_acc_trade_price is the turnover",
        "newest first; the first candle may be unfinished, and nothing marks it",
        "only minutes have their unit: of few days, weeks or months say the interval",
    ),
    source="record.md of msaltnet/smtm, docs of uJhin/upbit-client (CandleDate, units and fields); "
    "answers in tests of public code",
)

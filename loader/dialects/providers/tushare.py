"""Tushare Pro: daily bars of Chinese stocks, as pandas writes them."""

import polars as pl

from loader.dialects.dialect import OHLC, Dialect, Opening, Shape

_HEADER = (
    "ts_code", "trade_date", "open", "high", "low", "close", "pre_close", "change", "pct_chg",
    "vol", "amount",
)  # fmt: skip


def _in_lots(opening: Opening) -> bool:
    """Whether `amount` in thousand yuan is about `vol` in lots of 100 times the price. Of bonds,
    whose lots are 10, and of indices it is not: their unit is unknown."""
    close, vol, amount = (
        opening.first[name].cast(pl.Float64, strict=False) for name in ("close", "vol", "amount")
    )
    traded = (vol > 0) & (amount > 0)
    ratio = (amount * 1000 / (vol * 100 * close)).filter(traded)
    return bool(ratio.is_empty()) or bool(ratio.is_between(0.5, 2).sum() * 2 > len(ratio))


DIALECT = Dialect(
    name="tushare",
    title="Tushare Pro daily bars",
    columns={
        "symbol": ("ts_code",),
        "ts": ("trade_date",),
        **OHLC,
        "volume": ("vol",),
    },
    shapes=(
        Shape(
            containers=("csv", "json", "ndjson", "parquet", "arrow"),
            header=_HEADER,
            values={"ts_code": r"\w+\.(?:SH|SZ|BJ)", "trade_date": r"\d{8}"},
            accept=_in_lots,
        ),
    ),
    left_out={
        "preclose": "the close before, adjusted",
        "change": "since the close before",
        "pctchg": "since the close before",
        "amount": "the turnover, in thousands of yuan",
        "index": "row numbers",
    },
    volume_exponent=2,
    volume="shares: vol counts lots of 100",
    adjusted="nothing; pro_bar adjusts as asked, and the file does not tell",
    traps=(
        "vol counts lots of 100 shares, amount thousands of yuan",
        "days, weeks and months look alike: of few bars say the interval",
        "after-hours trades of 2026 on are in ah_vol and ah_amount, not in vol",
        "minute bars of Tushare have other columns and are plain tables",
    ),
    source="Tushare's documentation of daily (vol in lots, amount in thousand yuan) as "
    "developer.aliyun.com/article/1747364 has it; waditu/tushare issues 406 and 1200",
)

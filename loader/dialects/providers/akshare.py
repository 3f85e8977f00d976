"""AKShare: the history of Chinese stocks from Eastmoney, as pandas writes it."""

from dataclasses import replace

import polars as pl

from loader.dialects.dialect import Dialect, Opening, Reshape, Shape

_BARS = ("日期", "开盘", "收盘", "最高", "最低", "成交量")
_COLUMNS = {
    "symbol": ("股票代码",),
    "ts": ("日期",),
    "open": ("开盘",),
    "high": ("最高",),
    "low": ("最低",),
    "close": ("收盘",),
}


def _counts(opening: Opening, unit: int) -> bool:
    """Whether 成交额 by 成交量, in units of so many shares, is a price of most bars."""
    first = opening.first
    if "成交额" not in first.columns:
        return False
    low, high, volume, money = (
        first[name].cast(pl.Float64, strict=False) for name in ("最低", "最高", "成交量", "成交额")
    )
    average = money / volume / unit
    inside = average.is_between(low * 0.99, high * 1.01).filter((volume > 0) & (money > 0))
    return float(inside.mean() or 0) >= 0.9  # type: ignore[arg-type]


def _is_in_shares(opening: Opening) -> bool:
    return _counts(opening, 1)


def _is_in_lots(opening: Opening) -> bool:
    """Lots are the unit of stocks with a 股票代码, also where adjusted prices do not fit the
    money."""
    stock = "股票代码" in opening.first.columns
    return not _is_in_shares(opening) and (stock or _counts(opening, 100))


def _is_unknown(opening: Opening) -> bool:
    return not (_is_in_shares(opening) or _is_in_lots(opening))


def _six_digits(opening: Opening) -> Reshape:
    """Fills up codes that have lost leading zeros on their way through integers."""
    if "股票代码" not in opening.first.columns:
        return lambda frame: frame
    code = pl.col("股票代码").cast(pl.String).str.strip_chars()
    return lambda frame: frame.with_columns(code.str.zfill(6).alias("股票代码"))


_ROWS = Shape(containers=("csv", "json", "ndjson", "parquet", "arrow"), header=_BARS)
_WITH_VOLUME = {**_COLUMNS, "volume": ("成交量",)}

DIALECT = Dialect(
    name="akshare",
    title="AKShare's history of Chinese stocks",
    columns=_COLUMNS,
    shapes=(
        replace(_ROWS, accept=_is_in_lots, columns=_WITH_VOLUME, volume_exponent=2),
        replace(_ROWS, accept=_is_in_shares, columns=_WITH_VOLUME),
        replace(
            _ROWS,
            accept=_is_unknown,
            note="no volume is read, because 成交额 does not show whether 成交量 counts shares or "
            "lots of 100: --column volume=成交量, with --volume-factor 100 for lots",
        ),
    ),
    left_out={
        "成交额": "the turnover, in the currency of the prices",
        "振幅": "in percent",
        "涨跌幅": "in percent",
        "涨跌额": "since the close before",
        "换手率": "in percent",
        "unnamed:0": "row numbers",
    },
    reshape=_six_digits,
    volume="shares: 成交量 counts lots of 100 for Chinese stocks",
    adjusted="nothing, or forwards (qfq) or backwards (hfq) as asked; the file does not tell",
    traps=(
        "成交量 counts lots of 100 for stocks of Shanghai, Shenzhen and Beijing, and shares for "
        "those of Hong Kong and New York: the money in 成交额 shows which",
        "without 股票代码, prices that are adjusted far do not fit the money: no volume is read",
        "days, weeks and months look alike: of few bars say the interval",
        "older versions have no 股票代码: say the symbol",
        "minute bars (时间) are not read by this dialect",
    ),
    source="tables with rows of 001270 and 600519 in tests and documentation of public code; "
    "AKShare's documentation of stock_zh_a_hist as qinglite.cn/doc/88656657116b7fd43 has it",
)

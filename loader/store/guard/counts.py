"""What a file does to stored bars, in sum and by series."""

from __future__ import annotations

from typing import Final

import polars as pl

from loader.bars import SERIES
from loader.results.history import History, SeriesHistory

#: Series that a result lists, those with most changes first; and findings.
LISTED: Final = 1_000
_TOUCHED: Final = pl.col("changed") + pl.col("between") + pl.col("gone")


def counts(series: pl.DataFrame) -> tuple[History, tuple[SeriesHistory, ...]]:
    """The sums over `series`, as `Watch.series` gives them, and those that touch stored bars."""
    some = series.filter(_TOUCHED > 0)
    totals = some.select(pl.col("changed", "between", "gone").sum()).row(0)
    return History(*totals), listed(some)


def listed(series: pl.DataFrame) -> tuple[SeriesHistory, ...]:
    """Those of the series (`bars.SERIES`, changed, between, gone) that a result lists."""
    most = series.sort(_TOUCHED, *SERIES, descending=[True, False, False, False]).head(LISTED)
    rows = most.select(*SERIES, "changed", "between", "gone").iter_rows()
    return tuple(SeriesHistory(*row) for row in rows)

"""What a file does to stored bars, in sum and by series."""

from __future__ import annotations

from typing import Final

import polars as pl

from loader.bars import SERIES
from loader.results.history import History, SeriesHistory

#: Series that a result lists, those with most changes first; and findings.
LISTED: Final = 1_000


def counts(series: pl.DataFrame) -> tuple[History, tuple[SeriesHistory, ...]]:
    """The sums over `series`, as `Watch.series` gives them, and those that touch stored bars."""
    touched = pl.col("changed") + pl.col("between") + pl.col("gone")
    some = series.with_columns(touched=touched).filter(pl.col("touched") > 0)
    totals = some.select(pl.col("changed", "between", "gone").sum()).row(0)
    most = some.sort("touched", *SERIES, descending=[True, False, False, False]).head(LISTED)
    listed = most.select(*SERIES, "changed", "between", "gone")
    return History(*totals), tuple(SeriesHistory(*row) for row in listed.iter_rows())

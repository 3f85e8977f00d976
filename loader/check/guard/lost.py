"""Whether changed bars lost their volumes: a file without any would empty those that are stored."""

from __future__ import annotations

from typing import Final

import polars as pl

from loader.check.guard.factors import LEAST
from loader.lazy import dataclass

_SHARE: Final = 0.95


@dataclass(frozen=True, slots=True)
class Lost:
    """How many bars of a group had volumes (`bars`), and how many of these are empty or 0 now
    (`matched`)."""

    group: int
    bars: int
    matched: int


def lost(changed: pl.DataFrame) -> list[Lost]:
    """The groups that lost their volumes. `changed` has volume, `old_volume`, and `group` (int)."""
    had = changed.filter(pl.col("old_volume") > 0)
    by_group = had.group_by("group").agg(
        bars=pl.len(), matched=(pl.col("volume").fill_null(0) == 0).sum()
    )
    found = by_group.filter(
        (pl.col("bars") >= LEAST) & (pl.col("matched") >= _SHARE * pl.col("bars"))
    )
    return [Lost(*row) for row in found.sort("group").iter_rows()]

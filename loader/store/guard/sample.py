"""A sample of the bars that show what a file does to stored ones, in groups that can be judged."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import polars as pl

from loader.bars import SERIES
from loader.check.guard.factors import LEAST
from loader.lazy import dataclass
from loader.store.guard.watch import EVIDENCE

#: Bars in memory: of all series, and of one at least and at most.
_ROWS: Final = 200_000
_FEWEST, _MOST = 32, 2_000
#: Bars that stay together where others are left out.
_BLOCK: Final = 32
#: A group is dense if this share of its bars is evidence, or follows evidence.
_DENSE: Final = 0.6


@dataclass(frozen=True, slots=True)
class Group:
    """One series with enough evidence, or all others of a provider and interval together (`symbol`
    is None). `met` counts the stored bars that the file has again, `changed` and `between` those of
    its bars, not only of the sample."""

    number: int
    provider: str
    symbol: str | None
    interval: str
    series: int
    met: int
    changed: int
    between: int
    is_dense: bool


@dataclass(frozen=True, slots=True)
class Sample:
    """`rows` has `EVIDENCE`, and `group`, the number of one of `groups`; sorted by key."""

    groups: dict[int, Group]
    rows: pl.DataFrame


def sample(series: pl.DataFrame, evidence: Iterable[pl.DataFrame], rows: int) -> Sample:
    """Of `series` as `Watch.series` gives them, those with enough `evidence` (frames of `EVIDENCE`
    with so many rows)."""
    hits = pl.col("changed") + pl.col("between")
    own = series.filter(hits > 0).with_columns(hits=hits)
    alone = own.filter(pl.col("hits") >= LEAST).sort(SERIES).with_row_index("group")
    pooled = own.filter(pl.col("hits") < LEAST).with_columns(
        group=pl.struct("provider", "interval").rank("dense").cast(pl.UInt32) + alone.height
    )
    pooled = pooled.filter(pl.col("hits").sum().over("group") >= LEAST)
    columns = ["group", *SERIES, "hits", "changed", "between", "adjacent", "bars", "found"]
    grouped = pl.concat([alone.select(columns), pooled.select(columns)])
    groups = {group.number: group for group in _groups(grouped)}
    most = _ROWS if rows <= _ROWS else max(_FEWEST, min(_MOST, _ROWS // max(1, grouped.height)))
    return Sample(groups, _rows(grouped, evidence, most))


def _groups(grouped: pl.DataFrame) -> list[Group]:
    sums = ["hits", "changed", "between", "adjacent", "bars", "found"]
    by_group = grouped.group_by("group").agg(
        pl.col("provider").first(), pl.col("symbol").first(), pl.col("interval").first(),
        pl.len().alias("series"), *(pl.col(name).sum() for name in sums),
    )  # fmt: skip
    found = []
    for row in by_group.sort("group").iter_rows(named=True):
        most = _DENSE * row["hits"]
        is_dense = row["adjacent"] >= most or row["hits"] >= _DENSE * row["bars"]
        is_alone = row["series"] == 1 and row["hits"] >= LEAST
        found.append(
            Group(
                row["group"], row["provider"], row["symbol"] if is_alone else None,
                row["interval"], row["series"], row["found"], row["changed"], row["between"],
                is_dense,
            )
        )  # fmt: skip
    return found


def _rows(grouped: pl.DataFrame, evidence: Iterable[pl.DataFrame], most: int) -> pl.DataFrame:
    """At most about `most` rows of each series, in blocks of neighbours."""
    wanted = grouped.sort(SERIES).select(
        *SERIES, "group", every=(pl.col("hits") / most).ceil().cast(pl.Int64), before=pl.lit(0)
    ).cast({"before": pl.Int64}).with_row_index("place")  # fmt: skip
    is_whole = not (wanted["every"] > 1).any()
    kept = [pl.DataFrame(schema={**EVIDENCE, "group": pl.UInt32(), "place": pl.UInt32()})]
    for frame in evidence:
        rows = frame.join(wanted, on=SERIES, how="inner", maintain_order="left")
        if not is_whole:
            at = pl.col("before") + pl.int_range(pl.len()).over("place")
            rows = rows.filter(at // _BLOCK % pl.col("every") == 0)
            seen = frame.group_by(SERIES).agg(seen=pl.len().cast(pl.Int64))
            wanted = wanted.join(seen, on=SERIES, how="left", maintain_order="left").select(
                *wanted.columns[:-1], before=pl.col("before") + pl.col("seen").fill_null(0)
            )
        kept.append(rows.select(kept[0].columns))
    return pl.concat(kept).sort("place", "ts").drop("place")

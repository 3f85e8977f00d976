"""From the rows of a file to rows of a dataset: good ones, and rejected ones with the reasons."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import polars as pl

from loader.bars import TS
from loader.check import rawjson
from loader.check.instruments.apart import unselected
from loader.check.reasons import ROW_TOO_LONG, ROW_TOO_SHORT
from loader.check.unique import UniqueBatch
from loader.check.validate import rules_of
from loader.ingest.ways.tenants.cells import dtype, read_cells
from loader.ingest.ways.tenants.layout import Layout
from loader.lazy import dataclass
from loader.read.batch import RawBatch
from loader.settings.datasets import Dataset

#: Rejected rows.
BAD: Final[dict[str, pl.DataType]] = {
    "row_number": pl.Int64(), "rules": pl.List(pl.String()), "raw": pl.String(),
}  # fmt: skip
OTHER_TENANT: Final = "other_tenant"


def schema(of: Dataset) -> dict[str, pl.DataType]:
    """The columns that a load sends to the stage: all but the tenant's."""
    return {name: dtype(column) for name, column in of.read.items()}


@dataclass(frozen=True, slots=True)
class Rows:
    """One batch: the good rows as `UniqueBatch.bars` (`schema` of the dataset, in the file's
    order), the rejected ones as `UniqueBatch.bad` (`BAD`); and by column how many numbers were
    rounded."""

    unique: UniqueBatch
    rounded: Mapping[str, int]


def rows(batch: RawBatch, of: Dataset, layout: Layout, tenant: tuple[str, str]) -> Rows:
    """The rows of `batch`. `tenant` is the id and the name of the one that the load is for.

    Raises:
        ColumnMismatch: a column has a type that cannot be the dataset's.
    """
    frame, place = batch.frame, batch.location
    numbered = pl.int_range(
        place.start_row, place.start_row + frame.height, dtype=pl.Int64, eager=True
    ).alias("row_number")
    odd = _ragged(batch)
    if odd is not None:
        fitting = ~pl.Series(range(frame.height)).is_in(odd["at"].to_list())
        frame, kept = frame.filter(fitting), numbered.filter(fitting)
    else:
        kept = numbered
    wanted = ~frame.select(
        pl.any_horizontal(pl.lit(False), *unselected(frame, layout.where, place.source).values())
    ).to_series() if layout.where else None  # fmt: skip
    skipped = 0
    if wanted is not None:
        skipped = frame.height - int(wanted.sum())
        frame, kept = frame.filter(wanted), kept.filter(wanted)
    read = read_cells(frame, of, layout, place.source)
    if of.tenant is not None and of.tenant in layout.columns:
        read.faults[OTHER_TENANT] = _of_another(frame.get_column(layout.columns[of.tenant]), tenant)
    made = pl.DataFrame(list(read.columns.values())).select(list(schema(of)))
    sound = ~pl.DataFrame(
        [fault.alias(name) for name, fault in read.faults.items()]
    ).select(pl.any_horizontal(pl.all())).to_series()  # fmt: skip
    for rule in of.rules:  # of rows that could be read
        holds = made.select(pl.sql_expr(rule.holds).fill_null(True)).to_series()
        read.faults[rule.name] = ~holds & sound
    broken = pl.DataFrame([fault.alias(name) for name, fault in read.faults.items()])
    counts = {name: count for name, count in broken.sum().row(0, named=True).items() if count}
    good, bad = made, pl.DataFrame(schema=BAD)
    if counts:
        is_bad = broken.select(pl.any_horizontal(list(counts))).to_series()
        good = made.filter(~is_bad)
        named = rules_of(broken.filter(is_bad), counts)
        bad = pl.DataFrame(
            [kept.filter(is_bad), named, rawjson.encode(frame.filter(is_bad))],
        ).cast(BAD)  # type: ignore[arg-type]
    if odd is not None:
        bad = pl.concat([bad, _as_rejects(odd, numbered, frame.width)]).sort("row_number")
        counts |= dict(bad["rules"].explode().value_counts().iter_rows())
    unique = UniqueBatch(
        good, series_of(good, of), read=batch.frame.height, skipped=skipped,
        last_row=int(numbered[-1]),
        bad=bad, rejected=counts,
    )  # fmt: skip
    return Rows(unique, read.rounded)


def _ragged(batch: RawBatch) -> pl.DataFrame | None:
    return None if batch.ragged is None or batch.ragged.is_empty() else batch.ragged


def _as_rejects(odd: pl.DataFrame, numbered: pl.Series, width: int) -> pl.DataFrame:
    """Rows with more or fewer cells than there are columns: kept as text, and never read."""
    why = pl.format("{} cells, and there are {} columns", pl.col("cells"), pl.lit(width))
    rule = (
        pl.when(pl.col("cells") > width).then(pl.lit(ROW_TOO_LONG)).otherwise(pl.lit(ROW_TOO_SHORT))
    )
    said = odd.select(pl.col("line"), why.alias("why"))
    return pl.DataFrame(
        [
            numbered.gather(odd["at"]),
            odd.select(pl.concat_list(rule).alias("rules")).to_series(),
            rawjson.encode(said),
        ]
    ).cast(BAD)  # type: ignore[arg-type]


def _of_another(said: pl.Series, tenant: tuple[str, str]) -> pl.Series:
    """Where a file's own column of tenants names another one than the load is for."""
    own = {text.lower() for text in tenant}
    words = said.cast(pl.String).str.strip_chars().str.to_lowercase()
    return (~words.is_in(list(own)) & (words != "")).fill_null(False)


def series_of(good: pl.DataFrame, of: Dataset) -> pl.DataFrame:
    """As `UniqueBatch.series`, for the books: vendors as providers, timeframes as intervals."""
    interval = pl.col("timeframe") if "timeframe" in good.columns else pl.lit(None, pl.String())
    return good.group_by(
        pl.col("vendor").alias("provider"),
        pl.col("symbol"),
        interval.alias("interval"),
        maintain_order=True,
    ).agg(
        pl.col(of.time).min().cast(TS).alias("lo"),
        pl.col(of.time).max().cast(TS).alias("hi"),
        pl.len().alias("rows"),
    )


def rounded_notes(rounded: Mapping[str, int], of: Dataset) -> list[str]:
    """A note for each column of which numbers were rounded."""

    def told(name: str) -> int:
        return (of.columns[name].numeric or (0, 0))[1]

    return [
        f"{count:,} numbers of {name} have more than {told(name)} decimals: rounded"
        for name, count in rounded.items()
        if count
    ]

"""Rows with more or fewer cells than their file has columns: kept and counted, never repaired.

It is not known which cell of such a row is missing: if the cells after it have moved up, a price
would be loaded under another name. So none of its cells is read. The row is a reject with a rule
of its own, kept as text under `line` with both numbers under `why`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace

import polars as pl

from loader.check import rawjson
from loader.check.reasons import ROW_TOO_LONG, ROW_TOO_SHORT
from loader.check.validate import CheckedBatch, with_keys
from loader.read.batch import RawBatch


def from_first_fit(batches: Iterator[RawBatch]) -> Iterator[RawBatch]:
    """`batches`; the first ones are joined until one row fits, by which the file can be judged."""
    held: list[RawBatch] = []
    for batch in batches:
        held.append(batch)
        if fitting(batch).height:
            break
    if held:
        first, *others = held
        for other in others:
            first = _joined(first, other)
        yield first
    yield from batches


def _joined(one: RawBatch, other: RawBatch) -> RawBatch:
    ragged = [
        batch.ragged.with_columns(pl.col("at") + offset)
        for batch, offset in ((one, 0), (other, one.frame.height))
        if batch.ragged is not None
    ]
    frame = pl.concat([one.frame, other.frame], rechunk=True)
    return RawBatch(frame, one.location, pl.concat(ragged) if ragged else None)


def fitting(batch: RawBatch) -> pl.DataFrame:
    """The rows with as many cells as there are columns."""
    return batch.frame if batch.ragged is None else others(batch.frame, batch.ragged)


def rejected(batch: RawBatch, *, short_rows: bool) -> pl.DataFrame | None:
    """`batch.ragged` without the rows that may leave off cells at their end, if `short_rows` says
    that they may; None where none is left."""
    ragged = batch.ragged
    if ragged is not None and short_rows:
        ragged = ragged.filter(pl.col("cells") > batch.frame.width)
    return None if ragged is None or ragged.is_empty() else ragged


def others(frame: pl.DataFrame, ragged: pl.DataFrame) -> pl.DataFrame:
    """The rows of `frame` that are not ragged."""
    return frame.filter(_are_others(frame.height, ragged))


def numbered(
    frame: pl.DataFrame,
    ragged: pl.DataFrame,
    height: int,
    start: int,
    skip: Mapping[str, pl.Expr],
) -> tuple[pl.Series, pl.DataFrame]:
    """The numbers (Int64) of the `height` rows that were made of the others in `frame`, whose first
    row has the number `start`; and of the ragged `row_number`, `rule`, `line`, `why` and whether
    it is `skipped`.

    Where a row became several or none, ragged are counted after all of them. One with too few
    cells is skipped for a reason that looks only at cells that it has: so is a remark under the
    table.
    """
    if height + ragged.height == frame.height:
        numbers = _are_others(frame.height, ragged).arg_true().cast(pl.Int64) + start
        own = ragged["at"].cast(pl.Int64) + start
    else:
        numbers = pl.int_range(start, start + height, eager=True)
        own = pl.int_range(start + height, start + height + ragged.height, eager=True)
    lost = ragged.select(
        "line",
        row_number=own,
        rule=pl.when(pl.col("cells") < frame.width)
        .then(pl.lit(ROW_TOO_SHORT))
        .otherwise(pl.lit(ROW_TOO_LONG)),
        why=pl.format("{} cells where {} are expected", "cells", pl.lit(frame.width)),
        skipped=_skipped(frame[ragged["at"]], ragged["cells"], skip),
    )
    return numbers, lost


def _skipped(frame: pl.DataFrame, cells: pl.Series, skip: Mapping[str, pl.Expr]) -> pl.Series:
    skipped = pl.repeat(False, frame.height, dtype=pl.Boolean, eager=True)
    for holds in skip.values():
        names = holds.meta.root_names()
        if names and set(names) <= set(frame.columns):
            least = 1 + max(map(frame.columns.index, names))
            there = cells.is_between(least, frame.width - 1)
            skipped |= there & frame.select(holds.fill_null(False)).to_series()
    return skipped


def _are_others(height: int, ragged: pl.DataFrame) -> pl.Series:
    """Boolean, false for ragged."""
    places = pl.int_range(height, dtype=pl.UInt32, eager=True)
    return ~places.is_in(ragged["at"].implode())


def woven(
    checked: CheckedBatch, numbers: pl.Series, lost: pl.DataFrame, first: int
) -> CheckedBatch:
    """`checked`, whose rows count from `first`, under their own `numbers`, and among them `lost`,
    with their `row_number`."""
    good, bad = (
        part.with_columns(row_number=numbers.gather(part["row_number"] - first))
        for part in (checked.good, checked.bad)
    )
    kept = lost.filter(~pl.col("skipped"))
    rejects = with_keys(
        pl.DataFrame(
            [
                kept["row_number"],
                kept.select(pl.concat_list("rule").alias("rules")).to_series(),
                rawjson.encode(kept.select("line", "why")),
            ]
        )
    )
    return replace(
        checked,
        good=good,
        bad=pl.concat([bad, rejects]).sort("row_number"),
        rejected=Counter(checked.rejected) + Counter(kept["rule"].to_list()),
        skipped=checked.skipped + lost.height - kept.height,
        others=checked.others and checked.others.numbered(numbers),
    )

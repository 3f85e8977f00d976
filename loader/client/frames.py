"""A frame of a program: checked as a file is, in batches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import polars as pl

from loader.check.instruments.apart import candidates, others
from loader.check.instruments.one_symbol import OneSeries
from loader.check.layout.decide import Layout
from loader.check.normalise import normalise
from loader.check.validate import CheckedBatch, RuleSettings, validate
from loader.read.batch import Location, RawBatch

NAME: Final = "frame"
_HINT: Final = (
    "write the rows of one, or give each its own symbol; drop the column if all are of one series"
)


def batches(
    whole: pl.DataFrame, layout: Layout, rules: RuleSettings, batch_size: int
) -> Iterator[CheckedBatch]:
    """The rows of `whole`, checked.

    Raises:
        ColumnMismatch: a column that no bar is read from tells rows of one symbol apart.
    """
    columns = layout.columns
    names = candidates(whole, columns, layout.dialect, set())
    free = {name: whole.schema[name] for name in names}
    series = OneSeries(free, columns, NAME, _HINT) if "symbol" not in columns else None
    start = 1
    for part in whole.iter_slices(batch_size):
        batch = RawBatch(part, Location(NAME, 0, start))
        checked = validate(batch, normalise(batch, layout), rules)
        if series is not None:
            series.look(part, checked.good, start)
        seen = others(names, part, start, NAME, columns)
        yield replace(checked, others=seen and replace(seen, hint=_HINT))
        start += part.height

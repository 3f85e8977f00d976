"""Frames of programs, of whichever library: what their columns mean, and their rows checked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

import polars as pl

from loader.check.instruments.apart import candidates, others
from loader.check.instruments.one_symbol import OneSeries
from loader.check.layout.decide import Layout, decide
from loader.check.normalise import normalise
from loader.check.validate import CheckedBatch, RuleSettings, validate
from loader.dialects.dialect import Opening
from loader.dialects.known import known_dialect
from loader.dialects.recognition import Recognition, recognise
from loader.errors import ColumnMismatch
from loader.read.batch import Location, RawBatch
from loader.settings import Meaning

NAME: Final = "frame"
_HINT: Final = (
    "write the rows of one, or give each its own symbol; drop the column if all are of one series"
)


def understood(frame: Any, meaning: Meaning, sample: int) -> tuple[pl.DataFrame, Layout]:
    """`frame` as a Polars frame, and the layout of its columns, decided from its first rows.

    Raises:
        as `StoreClient.write_frame`.
    """
    whole = as_polars(frame)
    taken = _recognised(whole.head(sample), meaning) if meaning.dialect is not None else None
    if taken is not None:
        whole = taken.reshape(whole)
    first = RawBatch(whole.head(sample), Location(NAME, 0, 1))
    return whole, decide(first, meaning, taken)


def _recognised(first: pl.DataFrame, meaning: Meaning) -> Recognition | None:
    """How the dialect that is named reads such a frame; None if no shape of its files is one of a
    frame, and its names of columns are all that counts."""
    shapes = known_dialect(str(meaning.dialect)).shapes
    for container in dict.fromkeys(c for shape in shapes for c in shape.containers):
        opening = Opening(NAME, NAME, container, first)
        with suppress(ColumnMismatch):
            return recognise(opening, meaning.dialect, meaning.provider)
    return None


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


def as_polars(frame: Any) -> pl.DataFrame:
    """`frame` as a Polars frame; the index of a pandas frame is columns.

    Raises:
        ValueError: a pandas frame has two rows of column names.
        TypeError: it is no frame.
    """
    if isinstance(frame, pl.DataFrame):
        return frame
    if isinstance(frame, pl.LazyFrame):
        return frame.collect()
    if type(frame).__module__.partition(".")[0] == "pandas":
        return _of_pandas(frame)
    return pl.DataFrame(frame)


def _of_pandas(frame: Any) -> pl.DataFrame:
    if frame.columns.nlevels > 1:
        raise ValueError(
            "the frame has more than one row of column names; give one instrument at a time:"
            " frame.xs('AAPL', axis=1, level=1)"
        )
    index = frame.index
    counted = index.nlevels == 1 and index.name is None and index.dtype.kind in "iu"
    if not counted:
        unnamed = "ts" if index.nlevels == 1 and index.dtype.kind in "Mm" else "index"
        names = [
            f"{unnamed}_{n}" if name is None and index.nlevels > 1 else name or unnamed
            for n, name in enumerate(index.names)
        ]
        frame = frame.reset_index(names=names)
    return pl.from_pandas(frame)

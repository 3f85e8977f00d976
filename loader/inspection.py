"""A first look at a file, by the same eyes as a load's and without a database."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field

import polars as pl

from loader import bars
from loader.checking import Checking
from loader.errors import MdloadError
from loader.readers import read
from loader.settings import Settings
from loader.sources import Source


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen of a file.

    `columns` maps each bar field to the file's column for it; `good` has `bars.SCHEMA` (and the
    row number) and holds the bars of the first batch; `whole` says that the batch was all there
    is. `error` is why it would not load.
    """

    path: str
    container: str | None = None
    dialect: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    found: tuple[str, ...] = ()
    rows: int | None = None
    good: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=bars.SCHEMA))
    rejected: Mapping[str, int] = field(default_factory=dict)
    whole: bool = False
    notes: tuple[str, ...] = ()
    error: MdloadError | None = None


def first_look(source: Source, settings: Settings) -> Look:
    """The look at `source`'s first batch; an error of mdload's own kinds becomes a part of it."""
    container: str | None = None
    found: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    try:
        with read(source, settings.batch_rows) as reading:
            container, found, notes = reading.container, tuple(reading.columns), reading.notes
            checking = Checking(reading, source, settings)
            with closing(checking.pieces()) as pieces:
                first = next(pieces, None)
                whole = first is None or next(pieces, None) is None
            rows = reading.rows
    except MdloadError as error:
        return Look(source.name, container, found=found, notes=notes, error=error)
    layout = checking.layout
    if first is None or layout is None:
        return Look(source.name, container, found=found, rows=0, whole=True, notes=notes)
    return Look(
        path=source.name,
        container=container,
        dialect=layout.dialect.name,
        columns=dict(layout.columns),
        found=found,
        rows=rows if rows is not None else first.good.height + first.bad.height if whole else None,
        good=first.good,
        rejected=dict(first.rejected),
        whole=whole,
        notes=(*notes, *layout.notes),
    )

"""An open source as batches of rows, and batches of even size from uneven pieces."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import field
from types import MappingProxyType
from typing import Final, Literal, Protocol

import polars as pl

from loader.lazy import dataclass
from loader.read import bounds
from loader.read.streams.marks import Marks


@dataclass(frozen=True, slots=True)
class Location:
    """`source` names the file (and the member of an archive); `batch` counts from 0; `start_row` is
    the number of the batch's first data row in the source, counted from 1 without header lines."""

    source: str
    batch: int
    start_row: int


@dataclass(frozen=True, slots=True)
class RawBatch:
    """Rows as the source has them: its own column names and dtypes (text formats: all String).

    `ragged` are the rows that have more or fewer cells than there are columns, None where no row
    has: `at` (UInt32, the row's place in `frame`, from 0), `cells` (UInt32, how many it has) and
    `line` (String, the row as text). In `frame` such a row is only a guess: one with too few cells
    has nulls at its end, one with too many stands whole in its first column.
    """

    frame: pl.DataFrame
    location: Location
    ragged: pl.DataFrame | None = None


NO_ROWS: Final = "the file has no rows"
#: The column in which a frame carries `RawBatch.ragged`; no column of a file has this name.
_RAGGED: Final = "\0ragged"
_RAGGED_SCHEMA: Final = pl.Schema({"at": pl.UInt32, "cells": pl.UInt32, "line": pl.String})


class Stretch(Protocol):
    """Rows of a source that can be passed by together, as the container knows them unread."""

    def span(self, column: str) -> pl.Series | None:
        """The lowest and the highest value of a column, which is nowhere null; None if the
        container does not know."""

    def words(self, column: str) -> pl.Series | None:
        """The distinct values of a column; None if they cannot be had alone."""


@dataclass(slots=True)
class Window:
    """What of a source its reader wants. Some containers can pass by what nobody wants.

    Attributes:
        is_part: whether less than all of it; to be set before the first batch is read.
        needless: tells whether no row of a stretch is wanted; set once that can be known.
        passed_by: how many rows were not read.
    """

    is_part: bool = False
    needless: Callable[[Stretch], bool] | None = None
    passed_by: int = 0


@dataclass(frozen=True, slots=True)
class Reading:
    """An open source; iterate it once, inside the context that gave it.

    Attributes:
        container: `parquet`, `arrow`, `csv` for any delimited text, `json`, `ndjson`, `hdf5`,
            `dbn`, or the name of a format of fixed records: `bi5`, `tdx`, `scid`, `hst`.
        columns: the names that every batch has, in order; none blank, none twice; empty for a file
            without content.
        rows: data rows, where the container says it before they are read.
        notes: what a person should know of how the source was read.
        header: False where the source has no names of its own and `column_1 …` were given.
        place: in JSON, where the rows stand: `[]`, `results[]`, `bars.*[]`, `data.candles[]`; in
            HDF5 the group of the tables.
        around: the columns that JSON has around its rows, alike for all rows of one array.
        metadata: what the container says of the table as a whole, by the container's own keys.
        window: which of the rows are wanted.
        marks: how many of the source's bytes were read for how many rows, where its rows are read
            in the order of its bytes and it does not say how many there are.
        batches: rows in the source's order, `batch_rows` each (the last one fewer; any of them
            where rows are so wide that `bounds.BATCH` comes first), one chunk.
    """

    container: str
    columns: tuple[str, ...]
    batches: Iterator[RawBatch]
    rows: int | None = None
    notes: tuple[str, ...] = ()
    header: bool = True
    place: str = ""
    around: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    window: Window = field(default_factory=Window)
    marks: Marks = field(default_factory=Marks)

    def part(self, rows: int, size_bytes: int) -> int:
        """About how many of the source's `size_bytes` its first `rows` rows take."""
        if self.rows:
            return size_bytes * min(rows, self.rows) // self.rows
        return min(self.marks.at(rows), size_bytes)

    def __iter__(self) -> Iterator[RawBatch]:
        return self.batches


def batches(
    frames: Iterable[pl.DataFrame], source: str, batch_rows: int, start_row: int = 1
) -> Iterator[RawBatch]:
    """`frames` cut and joined to `batch_rows` rows each, or fewer where these have more than
    `bounds.BATCH` bytes; empty ones vanish. What `marked` ragged of their rows becomes
    `RawBatch.ragged`. The first row has the number `start_row`.

    Raises:
        UnreadableFile: a cell has more than `bounds.CELL` bytes.
    """
    held: list[pl.DataFrame] = []
    number, size = 0, 0
    for last, frame in _with_end(frames):
        _refuse_long_cell(frame, source, start_row + sum(f.height for f in held))
        held.append(frame)
        size += int(frame.estimated_size())
        heavy = size > bounds.BATCH
        if not last and not heavy and sum(f.height for f in held) < batch_rows:
            continue
        whole = _joined([frame for frame in held if frame.height] or held[:1])
        ready = whole.height if last or heavy else whole.height - whole.height % batch_rows
        step = min(batch_rows, whole.height * bounds.BATCH // size or 1) if heavy else batch_rows
        held = [whole[ready:]]
        size = int(held[0].estimated_size())
        for offset in range(0, ready, step):
            batch = whole[offset : min(offset + step, ready)]
            place = Location(source, number, start_row)
            number, start_row = number + 1, start_row + batch.height
            yield RawBatch(*_unmarked(batch, place))
            del batch
        del whole, frame


def _joined(frames: list[pl.DataFrame]) -> pl.DataFrame:
    """The rows of all of them."""
    if len(frames) == 1:
        return frames[0].rechunk()
    ragged = any(_RAGGED in frame.columns for frame in frames)
    how: Literal["diagonal", "vertical"] = "diagonal" if ragged else "vertical"
    return pl.concat(frames, how=how, rechunk=True)


def marked(frame: pl.DataFrame, odd: pl.DataFrame | list[tuple[int, int, str]]) -> pl.DataFrame:
    """`frame`, which `batches` takes, with its rows that have more or fewer cells than columns: the
    place of each, how many cells it has, and its text; see `RawBatch.ragged`."""
    ragged = pl.DataFrame(odd, _RAGGED_SCHEMA, orient="row")
    if ragged.is_empty():
        return frame
    places = pl.DataFrame({"at": pl.int_range(frame.height, dtype=pl.UInt32, eager=True)})
    ragged = ragged.select("at", pl.struct("cells", "line").alias(_RAGGED))
    return frame.hstack(places.join(ragged, on="at", how="left", maintain_order="left").drop("at"))


def _refuse_long_cell(frame: pl.DataFrame, source: str, start_row: int) -> None:
    if frame.estimated_size() <= bounds.CELL:
        return
    for column in frame:
        if column.dtype not in (pl.String, pl.Binary) or column.estimated_size() <= bounds.CELL:
            continue
        text = column.dtype == pl.String
        sizes = column.str.len_bytes() if text else column.bin.size()
        at = sizes.arg_max()
        if at is not None and sizes[at] > bounds.CELL:
            raise bounds.cell_too_long(source, start_row + at, column.name, sizes[at])


def _unmarked(
    batch: pl.DataFrame, place: Location
) -> tuple[pl.DataFrame, Location, pl.DataFrame | None]:
    if _RAGGED not in batch.columns:
        return batch, place, None
    ragged = batch.select(_RAGGED).with_row_index("at").drop_nulls(_RAGGED).unnest(_RAGGED)
    return batch.drop(_RAGGED), place, None if ragged.is_empty() else ragged


def _with_end(frames: Iterable[pl.DataFrame]) -> Iterator[tuple[bool, pl.DataFrame]]:
    """Each frame, and an empty one as the mark of the end."""
    end = None
    for frame in frames:
        end = frame.clear()
        yield False, frame
        del frame
    if end is not None:
        yield True, end


def unique_names(names: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """`names` stripped, none blank and none twice, and a note for each that had to change.

    A blank first name becomes `index`, for that is where pandas writes its index; others become
    `column_N`. The second `Date` becomes `Date_2`.
    """
    given = [name.strip() for name in names]
    taken = set(given)
    result: dict[str, None] = {}  # in order, and quick to look into
    notes = []
    for position, name in enumerate(given, start=1):
        if name and name not in result:
            result[name] = None
            continue
        stem = name or ("index" if position == 1 else f"column_{position}")
        new, count = stem, 1
        while new in taken or new in result:
            count += 1
            new = f"{stem}_{count}"
        result[new] = None
        notes.append(
            f"column {position} is called {name!r} like one before it: here {new!r}"
            if name
            else f"column {position} has no name: here {new!r}"
        )
    return tuple(result), tuple(notes)

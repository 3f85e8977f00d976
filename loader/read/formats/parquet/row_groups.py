"""The row groups of a Parquet file, of which those that nobody wants are passed by."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import polars as pl
import pyarrow as pa

from loader.read.batch import RawBatch, Window, batches
from loader.read.formats.parquet.footer import Group
from loader.read.formats.translation import Translation, damaged

#: Rows whose words are read at a time.
_WORDS: int = 65_536
#: The types whose statistics are numbers.
_PLAIN: Final = {"INT32": pa.int32(), "INT64": pa.int64()}


class RowGroup:
    """One row group, as a `Stretch`. `table` is a ParquetFile; `check` looks at the pages of a row
    group, by its number."""

    def __init__(
        self,
        table: Any,
        group: Group,
        translation: Translation,
        number: int,
        check: Callable[[int], None],
    ) -> None:
        self._table = table
        self._group = group
        self._columns = translation.columns
        self._number = number
        self._check = check

    def span(self, column: str) -> pl.Series | None:
        """As the statistics of the footer have it. Raw numbers, so that nanoseconds stay."""
        at = self._leaf(column)
        found = None if at is None else self._group.chunks[at].span
        if found is None:
            return None
        kind = self._table.schema_arrow.field(at).type
        plain = _PLAIN.get(self._table.metadata.schema.column(at).physical_type)
        if plain is None or any(len(value) * 8 != plain.bit_width for value in found):
            return None
        if pa.types.is_integer(kind) and not pa.types.is_signed_integer(kind):
            return None  # raw numbers have a sign
        if pa.types.is_timestamp(kind) and kind.tz is not None:
            kind = pa.timestamp(kind.unit, "UTC")  # the same instants, in a zone that all know
        lowest, highest = (int.from_bytes(value, "little", signed=True) for value in found)
        raw = pa.array([lowest, highest], plain)
        try:
            values = pl.from_arrow(raw.cast(kind))
        except pa.ArrowException:
            return None
        return values if isinstance(values, pl.Series) else None

    def words(self, column: str) -> pl.Series | None:
        """Read from the column alone: a small part of the row group."""
        at = self._leaf(column)
        if at is None:
            return None
        self._check(self._number)
        found = pl.Series(dtype=pl.String)
        name = self._table.schema_arrow.names[at]
        for batch in self._table.iter_batches(_WORDS, row_groups=[self._number], columns=[name]):
            words = pl.from_arrow(batch.column(0))
            assert isinstance(words, pl.Series)
            found = pl.concat([found, words.cast(pl.String).unique()]).unique()
        return found

    def _leaf(self, column: str) -> int | None:
        """The number of a column that is one in the file, in the schema, and in mdload alike."""
        names = self._table.schema_arrow.names
        if names.count(column) != 1 or column not in self._columns:
            return None
        at = names.index(column)
        leaves = self._table.metadata.schema
        return at if len(leaves) == len(names) and leaves.column(at).path == column else None


class RowGroups:
    """Reads the row groups that `window` wants. `check` looks at one before it is read."""

    def __init__(
        self,
        table: Any,
        groups: list[Group],
        translation: Translation,
        window: Window,
        columns: list[str] | None,
        check: Callable[[int], None],
    ) -> None:
        self._table = table
        self._groups = groups
        self._translation = translation
        self._window = window
        self._columns = columns
        self._check = check
        self._next = 0

    def batches(self, source: str, batch_rows: int) -> Iterator[RawBatch]:
        """As `loader.read.batch.batches`. The numbers of the rows are those of the whole file, and
        the first batches are those of the whole file as long as it is not known what is wanted."""
        row, number = 1, 0
        while self._next < len(self._groups):
            before = self._next
            for batch in batches(self._run(source, batch_rows), source, batch_rows, row):
                place = batch.location
                yield RawBatch(batch.frame, type(place)(place.source, number, place.start_row))
                number += 1
                del batch
            row += sum(self._groups[at].rows for at in range(before, self._next))
            while self._next < len(self._groups):  # `_run` ended before one that nobody wants
                rows = self._groups[self._next].rows
                self._window.passed_by += rows
                row += rows
                self._next += 1
                if not self._is_needless(self._next, source):
                    break

    def _run(self, source: str, batch_rows: int) -> Iterator[pl.DataFrame]:
        """Frames, up to the next row group that nobody wants."""
        with damaged(source, lambda: f" in row group {self._next + 1:,}"):
            while self._next < len(self._groups):
                self._check(self._next)
                for batch in self._table.iter_batches(
                    batch_rows, row_groups=[self._next], columns=self._columns
                ):
                    yield from self._translation.frames(batch)
                    del batch
                self._next += 1
                if self._is_needless(self._next, source):
                    return

    def _is_needless(self, number: int, source: str) -> bool:
        if self._window.needless is None or number >= len(self._groups):
            return False
        with damaged(source, lambda: f" in row group {number + 1:,}"):
            group = self._groups[number]
            return self._window.needless(
                RowGroup(self._table, group, self._translation, number, self._check)
            )

"""A part of a file: which rows are in it, and which stretches of the file have none of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

import polars as pl

from loader import bars
from loader.bars import names
from loader.bars.times import epochs, stamps
from loader.bars.words import Words, constant
from loader.check.layout.decide import Layout
from loader.errors import ColumnMismatch
from loader.read.batch import Reading, Stretch
from loader.settings import Part

#: How far a time as it is written can be from its bar's start in UTC: a zone, a session's date.
_ZONE: Final = timedelta(days=3)
#: The same for ends of bars, and days in a longest bar.
_YEAR: Final = timedelta(days=372)
_UP_TO_A_DAY: Final = frozenset(
    word for word, seconds in bars.INTERVAL_SECONDS.items() if seconds <= 86_400
)
#: Symbols that a message names.
_LISTED: Final = 5


class PartOfFile:
    """The rows of one file that are in `part`.

    A row is left out if its time or its symbol says that it is not in the part. One that could not
    be read well enough to tell stays: it is rejected, as in a load of the whole file.

    Attributes:
        passed_by: the rows of the gaps so far.
    """

    def __init__(self, part: Part, reading: Reading, name: str) -> None:
        self._part = part
        self._window = reading.window
        self._window.is_part = bool(part)
        self._name = name
        self.passed_by = 0
        self._wanted = pl.Series(part.symbols, dtype=pl.String).implode()
        self._met: set[str] = set()
        self._others: dict[str, None] = {}
        self._unseen: list[Stretch] = []
        self._is_of_others: Callable[[Stretch], bool] = lambda stretch: False

    def outside(self, found: pl.DataFrame) -> pl.Series:
        """Boolean: which of the bars (`bars.SCHEMA`) are left out."""
        part = self._part
        out = pl.repeat(False, found.height, dtype=pl.Boolean, eager=True)
        if part.since is not None:
            out |= (found["ts"] < part.since).fill_null(False)
        if part.until is not None:
            out |= (found["ts"] > part.until).fill_null(False)
        if part.symbols:
            wanted = found["symbol"].is_in(self._wanted)
            here = found["symbol"].filter(wanted.fill_null(False)).unique()
            self._met.update(here.to_list())
            if not self._met and len(self._others) < _LISTED:
                others = found["symbol"].drop_nulls().unique(maintain_order=True).head(_LISTED)
                self._others.update(dict.fromkeys(others))
            out |= (~wanted).fill_null(False)
        return out

    def gap(self) -> int:
        """How many rows were passed by since it was last asked."""
        rows = self._window.passed_by - self.passed_by
        self.passed_by = self._window.passed_by
        return rows

    def narrow(self, layout: Layout, raw: pl.DataFrame, read: pl.DataFrame) -> None:
        """Lets the reader pass by what is not in the part. `raw` are rows as the layout reads them,
        made of rows that were `read`: only columns that are alike in both can be asked about."""
        if raw.height != read.height:
            return
        alike = {name for name in raw.columns if name in read.columns}
        alike = {name for name in alike if raw.schema[name] == read.schema[name]}
        self._is_of_others = lambda stretch: self._has_other_words(stretch, layout, alike)

        def needless(stretch: Stretch) -> bool:
            if not self._is_early_or_late(stretch, layout, alike):
                return self._is_of_others(stretch)
            if self._part.symbols and not self._met:
                self._unseen.append(stretch)
            return True

        self._window.needless = needless

    def _is_early_or_late(self, stretch: Stretch, layout: Layout, alike: set[str]) -> bool:
        part, plan = self._part, layout.times
        if part.since is None and part.until is None:
            return False
        if len(plan.columns) != 1 or plan.columns[0] not in alike:
            return False
        raw = stretch.span(plan.columns[0])
        if raw is None or not _rises(raw, plan.numbers):
            return False
        first, last = stamps.read(raw, plan).shown
        if first is None or last is None:
            return False
        by_start = layout.stamp == "start" and layout.interval in _UP_TO_A_DAY
        margin = _ZONE if by_start else _ZONE + _YEAR
        return bool(
            (part.until is not None and _moved(first, -margin) > part.until)
            or (part.since is not None and _moved(last, margin) < part.since)
        )

    def _has_other_words(self, stretch: Stretch, layout: Layout, alike: set[str]) -> bool:
        """A map of symbols looks at the day as well; then a stretch says too little."""
        column = layout.columns.get("symbol")
        if not self._part.symbols or layout.naming.renames is not None or column not in alike:
            return False
        words = stretch.words(column)
        if words is None:
            return False
        spelled = names.spelled(words.to_frame(column), column, layout.symbol)
        none = constant(None, len(words), bars.TS)
        provider = Words.all(layout.provider, len(words))
        symbols = layout.naming.symbols(provider, spelled, none).rows
        if symbols.has_nulls():
            return False
        wanted = symbols.is_in(self._wanted)
        return not wanted.any()

    def refuse_mistyped(self) -> None:
        """Raises:
        ColumnMismatch: the file has been read, and no row of it is of any symbol of the part.
        """
        if not self._part.symbols or self._met:
            return
        if not all(self._is_of_others(stretch) for stretch in self._unseen):
            return  # rows of it may lie before or after the part
        others = ", ".join(self._others)
        raise ColumnMismatch.at(
            self._name,
            f"has no row of {', '.join(self._part.symbols)}",
            hint="--symbols names symbols as they are stored"
            + (f"; this file has {others}, …" if others else ""),
        )


def _rises(raw: pl.Series, numbers: str | None) -> bool:
    """Whether the times of values between the two of `raw` are between their times."""
    if isinstance(raw.dtype, pl.Datetime | pl.Date):
        return True
    if not raw.dtype.is_integer():
        return False
    if numbers == "epoch":  # each in the unit of its size
        return len(raw) in epochs.units(raw.cast(pl.Int64)).values() and (raw > 0).all()
    return numbers in ("s", "ms", "us", "ns")


def _moved(naive: datetime, by: timedelta) -> datetime:
    """`naive` as of UTC, moved; at the ends of the calendar it stays."""
    try:
        return naive.replace(tzinfo=UTC) + by
    except OverflowError:
        return naive.replace(tzinfo=UTC)

"""Files that name one symbol for all rows, and columns that show that the rows are of several."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import polars as pl

from loader.bars import names
from loader.bars.numbers import is_text
from loader.check.instruments.apart import is_about_row
from loader.check.instruments.next_steps import ADJUSTMENT, next_step
from loader.dialects.dialect import fold
from loader.errors import ColumnMismatch
from loader.lazy import regex

#: Names of columns that hold one value where all rows are of one series.
_NAMES: Final = regex(
    r"(?:trading|currency|ccy|fx)?pair(?:name|symbol|code)?|crypto(?:currency)?|token|asset(?:id)?"
    r"|(?:coin|stock|share|scrip|company|fund|instrument|security|product|contract|underlying)"
    r"(?:name|symbol|ticker|code|id|key|type)?|contract(?:month|date)|(?:local|root|option)symbol"
    r"|currency|(?:base|quote)(?:currency|asset|coin)|name|market|isin|cusip|sedol|figi|ric|wkn"
    r"|permno|conid|osi|commodity|(?:delivery|expiry|expiration|maturity)(?:date|month)?|expires?"
    r"|strike(?:price)?|(?:option)?right|callput|putcall|optiontype|(?:price|quote)type|bid/?ask"
    r"|whattoshow"
)
#: Names of columns that hold where a series is traded. A listing may move, once.
VENUES: Final = regex(
    r"(?:exchange|venue|market|mic|exch|trading(?:venue|place))(?:name|id|code)?|marketplace"
)
#: Cells of columns that tell sides or adjustments apart, whatever their names.
_SIDES: Final = frozenset(
    ["bid", "bids", "ask", "asks", "offer", "mid", "midpoint", "last", "trade", "trades", "mark"]
)
_ADJUSTED: Final = frozenset(["raw", "adj", "adjusted", "unadj", "unadjusted"])
#: Values of a column that are looked at, and the step from one price to the next that is too large
#: to be one series.
_MOST: Final = 50
_JUMP: Final = 1.5
_ONE_SERIES: Final = "if all rows are of one series: --column symbol=-"


def refuse_several_symbols(
    frame: pl.DataFrame, columns: Mapping[str, str], times: pl.Series, where: str
) -> None:
    """Refuses a table without symbols if another column distinguishes rows of one time.

    Raises:
        ColumnMismatch: the table holds several symbols, which one `--symbol` would merge.
    """
    rows = frame.height
    if "symbol" in columns or times.n_unique() > 0.9 * rows:
        return
    for name in frame.columns:
        column = frame.get_column(name)
        if name in columns.values() or not names.is_word(column.dtype) or is_about_row(name):
            continue
        with_times = pl.DataFrame([times.alias("time"), column.alias("other")])
        if column.n_unique() * 3 <= rows and with_times.n_unique() > 0.99 * rows:
            raise ColumnMismatch.at(
                where,
                f"the rows have only {times.n_unique():,} times in {rows:,}, which column "
                f"{name!r} tells apart: they are not of one symbol",
                column=name,
                hint=next_step(frame.select(name), columns),
            )


class OneSeries:
    """Looks through the rows of a file that names one symbol for all of them.

    Args:
        candidates: the columns that no bar is read from, see `apart.candidates`, with their types.
        columns: bar field to column, as in the layout.
        hint: the next step, where it is not an option of the command line.
    """

    def __init__(
        self,
        candidates: Mapping[str, pl.DataType],
        columns: Mapping[str, str],
        where: str,
        hint: str | None = None,
    ) -> None:
        self._columns = columns
        self._hint = hint
        self._where = where
        self._values: dict[str, list[str]] = {
            name: [] for name, dtype in candidates.items() if is_text(dtype) or _is_named(name)
        }
        self._blocks: dict[str, _Blocks] = {}

    def look(self, frame: pl.DataFrame, good: pl.DataFrame, start: int) -> None:
        """Looks at the `good` bars (with `row_number`) of a batch: `frame` has its rows, from
        `start`.

        Raises:
            ColumnMismatch: a column shows that they are of several series.
        """
        if good.is_empty():
            return
        rows = good["row_number"] - start
        for name in list(self._values):
            column = frame.get_column(name)
            same = column.n_unique() == 1  # as mostly; the rest takes longer
            column = column.head(1) if same else column.gather(rows)
            cells = column.cast(pl.String).str.strip_chars()
            filled = cells.filter(cells.fill_null("") != "")
            found = self._values[name]
            for cell in filled.unique(maintain_order=True).head(_MOST + 1):
                if cell not in found:
                    found.append(cell)
            if len(found) > _MOST and not _is_named(name):
                del self._values[name]
                self._blocks.pop(name, None)
            elif len(found) > 1 and _tells(name, found):
                raise self._refused(name, "tells several series apart")
            elif len(filled) and is_text(frame.schema[name]):
                blocks = self._blocks.setdefault(name, _Blocks())
                if same:
                    blocks.add_run(cells[0], good)
                else:
                    blocks.add(cells, good)
                if blocks.are_series:
                    raise self._refused(name, "changes where prices jump or times go back")
                if blocks.are_blocks and VENUES.fullmatch(fold(name)):
                    raise self._refused(name, "names several venues, one after the other")

    def _refused(self, name: str, why: str) -> ColumnMismatch:
        found = self._values[name]
        shown = ", ".join(map(repr, found[:3])) + (", …" if len(found) > 3 else "")
        step = next_step(pl.DataFrame({name: found}), self._columns)
        return ColumnMismatch.at(
            self._where,
            f"all rows would be of one symbol, but column {name!r} {why} ({shown})",
            column=name,
            hint=self._hint or f"{step}; or {_ONE_SERIES}",
        )


def _tells(name: str, found: list[str]) -> bool:
    """Whether a column with these values names instruments, sides or adjustments."""
    words = {value.lower() for value in found}
    if words <= _SIDES or words & _ADJUSTED:
        return True
    return _is_named(name)


def _is_named(name: str) -> bool:
    return bool(_NAMES.fullmatch(fold(name)) or ADJUSTMENT.fullmatch(fold(name)))


class _Blocks:
    """The runs of one column's values, in the order of rows."""

    def __init__(self) -> None:
        self._whole = True  # whether each value has one run
        self._jumps = True  # whether the price jumps where each run begins
        self._overlap = False  # whether a run goes back into the times of another
        self._rows = 0
        self._spans: dict[str, list[int]] = {}
        self._last: tuple[str, float] | None = None

    @property
    def are_blocks(self) -> bool:
        """Whether several values have a run of rows each."""
        return len(self._spans) > 1 and self._rows >= 2 * len(self._spans) and self._whole

    @property
    def are_series(self) -> bool:
        return self.are_blocks and (self._jumps or self._overlap)

    def add(self, cells: pl.Series, good: pl.DataFrame) -> None:
        """Adds rows: their `cells`, and their bars in the same order."""
        if not self._whole:
            return
        table = pl.DataFrame(
            [
                cells.alias("cell"),
                good["ts"].dt.epoch("us").alias("ts"),
                good["open"],
                good["close"],
            ]
        ).filter(pl.col("cell").fill_null("") != "")
        if table["cell"].rle_id().n_unique() > 4 * _MOST:
            self._whole = False
            return
        runs = table.group_by(table["cell"].rle_id().alias("run"), maintain_order=True).agg(
            pl.col("cell").first(), pl.col("open").first(), pl.col("close").last(),
            pl.col("ts").min().alias("lo"), pl.col("ts").max().alias("hi"), pl.len().alias("rows"),
        )  # fmt: skip
        for _, cell, first, last, lo, hi, rows in runs.iter_rows():
            self._run(cell, (first, last), (lo, hi), rows)

    def add_run(self, cell: str, good: pl.DataFrame) -> None:
        """Adds bars that all have one `cell`."""
        if self._whole:
            lo, hi = good.select(
                pl.col("ts").dt.epoch("us").min().alias("lo"),
                pl.col("ts").dt.epoch("us").max().alias("hi"),
            ).row(0)
            self._run(cell, (good["open"][0], good["close"][-1]), (lo, hi), good.height)

    def _run(
        self, cell: str, prices: tuple[float, float], span: tuple[int, int], rows: int
    ) -> None:
        self._rows += rows
        if self._last is not None and self._last[0] == cell:
            known = self._spans[cell]
            known[:] = [min(known[0], span[0]), max(known[1], span[1])]
        elif cell in self._spans:
            self._whole = False
        else:
            if self._last is not None:
                low, high = sorted((abs(self._last[1]), abs(prices[0])))
                self._jumps = self._jumps and high > _JUMP * low
            self._overlap = self._overlap or any(
                span[0] <= hi and span[1] >= lo for lo, hi in self._spans.values()
            )
            self._spans[cell] = list(span)
        self._last = (cell, prices[1])

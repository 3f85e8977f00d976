"""Reads the cells of a file as the columns of a dataset, and says what is wrong with each row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import UTC, datetime
from typing import Final

import polars as pl

from loader.bars import TS, names, numbers
from loader.bars.times import ends, stamps, zones
from loader.bars.words import Words, constant
from loader.check.reasons import LONGEST_KEY
from loader.errors import ColumnMismatch
from loader.ingest.ways.tenants.decimals import exact
from loader.ingest.ways.tenants.layout import Layout
from loader.lazy import dataclass
from loader.settings.datasets import Column, Dataset

_FIRST, _LAST = datetime(1900, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
_DTYPES: Final[dict[str, pl.DataType]] = {
    "text": pl.String(), "timestamptz": TS, "date": pl.Date(), "bigint": pl.Int64(),
}  # fmt: skip


def dtype(column: Column) -> pl.DataType:
    """How a frame has the column."""
    return pl.Decimal(*column.numeric) if column.numeric else _DTYPES[column.type]


@dataclass
class Cells:
    """The columns of a batch as they are read, and what is wrong with rows: True where it is."""

    columns: dict[str, pl.Series] = field(default_factory=dict)
    faults: dict[str, pl.Series] = field(default_factory=dict)
    rounded: dict[str, int] = field(default_factory=dict)


def read_cells(frame: pl.DataFrame, of: Dataset, layout: Layout, where: str) -> Cells:
    read = Cells()
    daily: pl.Series | bool = False
    naming = layout.naming
    for name, column in sorted(
        of.read.items(), key=lambda each: each[0] == "symbol" and naming.renames is not None
    ):  # a rename holds from one day to another, which has to be known before
        if name == "timeframe":
            daily = _timeframes(frame, layout, read)
        elif column.type == "text":
            _text(name, column, frame, of, layout, read)
        elif column.type in ("timestamptz", "date"):
            _moment(name, column, frame, of, layout, read, daily, where)
        else:
            _number(name, column, frame, layout, read, where)
        values = read.columns[name]
        if not column.optional:
            known = [f for n, f in read.faults.items() if n.startswith(f"{name}_")]
            missing = values.is_null()
            for fault in known:
                missing &= ~fault
            read.faults[f"{name}_missing"] = missing
    return read


def _text(
    name: str, column: Column, frame: pl.DataFrame, of: Dataset, layout: Layout, read: Cells
) -> None:
    said = names.trimmed(names.spelled(frame, layout.columns.get(name), layout.constants.get(name)))
    said = said.to(lambda words: words.set((words == "").fill_null(False), None))
    if name == "symbol":
        said = _symbols(said, of, layout, read)
    if column.choices:
        said = _chosen(name, column.choices, said, read)
    if name in of.key:
        read.faults[f"{name}_unreadable"] = names.unreadable(said)
        read.faults[f"{name}_too_long"] = names.too_long(said, LONGEST_KEY)
    else:  # jsonb takes no NUL, and neither does text
        read.faults[f"{name}_unreadable"] = said.each(
            lambda words: words.str.contains("\0").fill_null(False)
        )
    read.columns[name] = said.rows.alias(name)


def _symbols(said: Words, of: Dataset, layout: Layout, read: Cells) -> Words:
    naming = layout.naming
    if naming.renames is None:
        return names.symbols(said, naming.convention)
    return naming.symbols(Words.of(read.columns["vendor"]), said, read.columns[of.time].cast(TS))


def _chosen(name: str, choices: Mapping[str, str], said: Words, read: Cells) -> Words:
    def known(words: pl.Series) -> pl.Series:
        upper = words.str.to_uppercase()
        return upper.replace_strict(choices, default=None, return_dtype=pl.String)

    found = said.to(known)
    read.faults[f"{name}_unknown"] = found.rows.is_null() & said.rows.is_not_null()
    return found


def _timeframes(frame: pl.DataFrame, layout: Layout, read: Cells) -> pl.Series | bool:
    """Reads the lengths of bars. Returns which of the bars are daily or longer."""
    name = "timeframe"
    said = names.trimmed(names.spelled(frame, layout.columns.get(name), layout.constants.get(name)))
    found = names.intervals(said)
    read.columns[name] = found.rows.alias(name)
    read.faults["timeframe_unknown"] = numbers.unparsable(said.rows, found.rows)
    return names.daily(found)


def _moment(
    name: str,
    column: Column,
    frame: pl.DataFrame,
    of: Dataset,
    layout: Layout,
    read: Cells,
    daily: pl.Series | bool,
    where: str,
) -> None:
    if name not in layout.times:
        read.columns[name] = constant(None, frame.height, dtype(column)).alias(name)
        return
    plan = layout.times[name]
    cells = stamps.cells(frame, plan)
    written = stamps.read(cells, plan)
    whole = True if column.type == "date" or plan.kind == "date" else daily
    starts = stamps.starts(written, plan, whole)
    ts = starts.ts
    lost = numbers.unparsable(cells, ts) & ~(starts.nonexistent | starts.ambiguous)
    read.faults[f"{name}_unparsable"] = lost
    read.faults[f"{name}_nonexistent"] = starts.nonexistent
    read.faults[f"{name}_ambiguous"] = starts.ambiguous
    read.faults[f"{name}_out_of_range"] = ~ts.is_between(_FIRST, _LAST, closed="left").fill_null(
        True
    )
    if column.type == "date":
        off = (ts.dt.time() != datetime.min.time()).fill_null(False)
        read.faults[f"{name}_not_a_date"] = off
        ts = ts.set(off, None).dt.date()
    elif name == of.known and plan.kind == "date":
        ts = _ends(ts, plan)
    elif name == of.time and layout.are_ends:
        ts = _begun(ts, read.columns["timeframe"], daily, plan, where)
    read.columns[name] = ts.alias(name)


def _begun(
    ts: pl.Series, lengths: pl.Series, daily: pl.Series | bool, plan: stamps.TimePlan, where: str
) -> pl.Series:
    """The starts of bars that end at `ts`. Where a bar of a day ends, its date does not say."""
    days = daily if isinstance(daily, bool) else bool(daily.any())
    if days and plan.kind != "date":
        raise ColumnMismatch.at(
            where,
            "its bars of a day and longer have times of day, of which the session is not certain",
            column=plan.columns[0],
            hint="load them apart from shorter ones, without --stamp end and with the dates of "
            "their sessions",
        )
    return ends.to_starts(ts, lengths)


def _ends(days: pl.Series, plan: stamps.TimePlan) -> pl.Series:
    """The last microsecond of each day, by the clock of the plan's zone."""
    last = days.dt.replace_time_zone(None).dt.offset_by("1d").dt.offset_by("-1us")
    if plan.zone is None:
        return last.dt.replace_time_zone("UTC")
    placed = zones.to_utc(last, plan.zone)
    return placed.utc.fill_null(last.dt.replace_time_zone("UTC"))


def _number(
    name: str, column: Column, frame: pl.DataFrame, layout: Layout, read: Cells, where: str
) -> None:
    if name not in layout.columns:
        read.columns[name] = constant(None, frame.height, dtype(column)).alias(name)
        return
    raw = frame.get_column(layout.columns[name])
    if not numbers.is_number(raw.dtype):
        raise ColumnMismatch.at(
            where,
            f"column {raw.name!r} is of type {raw.dtype}, which cannot be {name}",
            column=raw.name,
            hint=f"name another column: --column {name}=NAME",
        )
    if column.numeric is not None:
        found = exact(raw, *column.numeric, layout.written)
        read.columns[name] = found.values.alias(name)
        read.faults[f"{name}_unparsable"] = found.unparsable
        read.faults[f"{name}_out_of_range"] = found.too_large
        read.rounded[name] = int(found.rounded.sum())
        return
    plain = numbers.without_missing(numbers.unformatted(raw, layout.written))
    count = numbers.to_count(plain)
    read.columns[name] = count.alias(name)
    read.faults[f"{name}_unparsable"] = numbers.unparsable(plain, count)

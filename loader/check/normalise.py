"""From a raw batch to bars: every column read once, no row dropped, none reordered."""

from __future__ import annotations

from dataclasses import field
from datetime import timedelta

import polars as pl

from loader import bars
from loader.bars import names, numbers
from loader.bars.cells import bare
from loader.bars.names import Naming
from loader.bars.times import ends, stamps
from loader.bars.words import constant
from loader.check.layout.decide import Layout
from loader.check.reasons import LONGEST_KEY
from loader.errors import ColumnMismatch
from loader.lazy import dataclass
from loader.read.batch import RawBatch


@dataclass(frozen=True, slots=True)
class Normalised:
    """A batch as bars.

    Attributes:
        bars: exactly `bars.SCHEMA`, the batch's rows in their order. A cell that is empty or does
            not parse is null.
        faults: Boolean columns, the same height, named like the rules of `check.rules` that only
            parsing can tell; true where a row broke one.
        source_symbols: String, each row's symbol as the file (or the person) spells it.
        steps: Int64, microseconds of the grid of each row's interval, null where that is.
        skipped: Boolean, true for rows that the dialect does not count as bars, or None.
        naming: how symbols were made from spellings.
    """

    bars: pl.DataFrame
    faults: pl.DataFrame
    source_symbols: pl.Series
    steps: pl.Series
    skipped: pl.Series | None = None
    naming: Naming = field(default_factory=Naming)

    def only(self, kept: pl.Series) -> Normalised:
        """The rows where `kept` (Boolean) is true."""
        return Normalised(
            self.bars.filter(kept),
            self.faults.filter(kept),
            self.source_symbols.filter(kept),
            self.steps.filter(kept),
            naming=self.naming,
        )


def normalise(batch: RawBatch, layout: Layout) -> Normalised:
    """The batch's rows as bars.

    `ts` is UTC, microseconds, the bar's start, 00:00 of the session date for daily and longer bars;
    prices are float64 in quote currency, volume float64 in units traded.

    Raises:
        ColumnMismatch: a column of the layout is absent from the batch, or local times need a zone.
    """
    frame, columns = batch.frame, layout.columns
    for name in columns.values():
        if name not in frame.columns:
            raise ColumnMismatch.at(
                batch.location.source,
                f"column {name!r} is gone from row {batch.location.start_row:,} on",
                row=batch.location.start_row,
                column=name,
            )
    if layout.marked:
        frame = bare(frame, layout.marked)
    spelled = names.spelled(frame, columns.get("symbol"), layout.symbol)
    said = names.spelled(frame, columns.get("interval"), layout.interval)
    interval = names.intervals(said, layout.dialect.intervals)
    cells = stamps.cells(frame, layout.times)
    written = stamps.read(cells, layout.times)
    starts = stamps.starts(written, layout.times, names.daily(interval))
    ts = starts.ts
    if layout.stamp == "end":
        ts = ends.to_starts(ts, interval.rows, midnight_ends=layout.midnight_ends)
    raw = {
        field: numbers.unformatted(frame.get_column(columns[field]), layout.numbers)
        for field in bars.VALUES
        if field in columns
    }
    values = {field: _number(column, field, layout) for field, column in raw.items()}
    lost = {field: numbers.unparsable(raw[field], values[field]) for field in values}
    for name in raw.keys() & set(bars.OPTIONAL):
        if lost[name].any() or _has_nan(values[name]):
            known = numbers.without_missing(raw[name])
            values[name] = _number(known, name, layout)
            lost[name] = numbers.unparsable(known, values[name])
    provider = names.trimmed(names.spelled(frame, columns.get("provider"), layout.provider))
    symbol = layout.naming.symbols(provider, spelled, ts)
    normal = {
        "provider": provider.rows,
        "symbol": symbol.rows,
        "interval": interval.rows,
        "ts": ts,
        **{
            field: values[field] if field in values else _nothing(field, frame.height)
            for field in bars.VALUES
        },
    }
    faults = {
        "key_unreadable": names.unreadable(provider) | names.unreadable(symbol),
        "key_too_long": names.too_long(provider, LONGEST_KEY)
        | names.too_long(symbol, LONGEST_KEY)
        | names.too_long(spelled, LONGEST_KEY),
        "interval_unknown": numbers.unparsable(said.rows, interval.rows),
        "ts_nonexistent": starts.nonexistent,
        "ts_ambiguous": starts.ambiguous,
        "ts_unparsable": numbers.unparsable(cells, starts.ts)
        & ~(starts.nonexistent | starts.ambiguous),
        "price_unparsable": lost["open"] | lost["high"] | lost["low"] | lost["close"],
        **{
            f"{field}_unparsable": lost[field] if field in lost else _no(frame.height)
            for field in bars.OPTIONAL
        },
    }
    return Normalised(
        pl.DataFrame(normal, schema=bars.SCHEMA),
        pl.DataFrame(faults),
        spelled.rows,
        interval.each(_grids),
        _skipped(frame, layout),
        layout.naming,
    )


def _grids(intervals: pl.Series) -> pl.Series:
    steps = [word and bars.grid(word) // timedelta(microseconds=1) for word in intervals]
    return pl.Series(steps, dtype=pl.Int64)


def _number(raw: pl.Series, field: str, layout: Layout) -> pl.Series:
    if bars.SCHEMA[field].is_integer():
        return numbers.to_count(raw)
    if field in bars.PRICED:
        return numbers.scaled(raw, layout.price_exponent)
    return numbers.scaled(raw, layout.volume_exponent if field == "volume" else 0)


def _has_nan(number: pl.Series) -> bool:
    return number.dtype.is_float() and bool(number.is_nan().any())


def _skipped(frame: pl.DataFrame, layout: Layout) -> pl.Series | None:
    if not layout.skip:
        return None
    named = frame.select(
        pl.any_horizontal(expr.fill_null(False) for expr in layout.skip.values()).alias("skipped")
    )
    skipped = named.to_series()
    return skipped if skipped.any() else None


def _nothing(field: str, height: int) -> pl.Series:
    return constant(None, height, bars.SCHEMA[field])


def _no(height: int) -> pl.Series:
    return constant(False, height, pl.Boolean())

"""Small files that are alike are checked together, by what the first of them has shown.

The checks of a file look at it from many sides, and each look takes longer than the file's rows. A
table with nothing but a bar's own columns, in which the times of each series rise, leaves most of
them nothing to find. `plain` proves of each file that its own checks would have found nothing and
read it as they read the first one; where it cannot, the file is loaded by itself.

A file may have any number of series, one after the other or in turns: what the checks see of the
order of its rows are the steps from each row of a series to its next one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import accumulate
from typing import Final

import polars as pl

from loader import bars
from loader.bars.times import spacing
from loader.bars.words import changes
from loader.check.file import rules_for
from loader.check.guard.jumps import may_jump
from loader.check.instruments.contracts import month_notes
from loader.check.layout import intervals
from loader.check.layout.decide import Layout
from loader.check.layout.scales import LARGE as LARGE_PRICE
from loader.check.normalise import normalise
from loader.check.unique import runs
from loader.check.validate import all_hold_exactly
from loader.dialects.patterns import in_folders
from loader.dialects.siblings import intervals_in
from loader.ingest.run.small import clocks
from loader.ingest.run.small.patterns import (
    NUMBER,
    WORDS,
    Pattern,
    Small,
    besides_symbol,
    is_of_vendor,
    named_by,
)
from loader.lazy import dataclass
from loader.read.batch import Location, RawBatch
from loader.read.sources import Source
from loader.results import Note
from loader.settings import Settings
from loader.store.packed import repeated

#: Symbols of a column that plain tables have as they are, and those from names.
_SYMBOL, _OF_NAME = "^[A-Z0-9.:/^+@$*&#=_-]{1,32}$", "^[A-Z][A-Z0-9]{0,11}$"
_DAY: Final = 86_400
#: Steps of this many seconds and more are those of days.
_LONG: Final = 23 * 3600


@dataclass(frozen=True, slots=True)
class Plain:
    """Plain files, the first of some.

    Attributes:
        bars: `bars.SCHEMA`, one row per key, in the order of the files and of their series.
        series: `bars.SERIES`; the first and the last ts of each (lo, hi); how many `rows` it has.
        spelled: the places of the series (UInt32), of each file in the order in which its rows name
            them.
        rows, counts: how many bars each file has, and how many series.
        notes: those of each file.
    """

    bars: pl.DataFrame
    series: pl.DataFrame
    spelled: pl.Series
    rows: list[int]
    counts: list[int]
    notes: list[tuple[Note, ...]]


def plain(smalls: Sequence[Small], pattern: Pattern, settings: Settings) -> Plain:
    """The first of the files, which are of one kind, as far as they are plain: each would come out
    of its own checks as one whole batch of good bars, with the layout of the `pattern` and these
    notes."""
    many, layout = _in_one(smalls, pattern, settings)
    file = repeated(range(len(smalls)), [small.frame.height for small in smalls])
    file = file.cast(pl.UInt32).alias("file")
    many, order = _by_series(many, file, layout.columns["symbol"])
    normal = normalise(RawBatch(many, Location(smalls[0].source.name, 0, 1)), layout)
    opens = changes([file, normal.bars["symbol"]]).alias("opens")
    facts = normal.bars.hstack([file, opens, *normal.faults, normal.steps.alias("step")])
    facts = facts.hstack(clocks.clocks(normal.bars["ts"], layout))
    facts = facts.hstack(many.select(_as_written(many, layout, pattern)))
    seconds = bars.INTERVAL_SECONDS[pattern.interval]
    found = _by_file(facts, pattern, settings, seconds)
    series = runs(normal.bars[[*bars.SERIES, "ts"]], opens)
    of_file = file.filter(opens)
    starts = [0, *accumulate(found["series"])]
    spelling = _SYMBOL if pattern.named is None else _OF_NAME
    odd = _of_wide(found, facts) | set(of_file.filter(~series["symbol"].str.contains(spelling)))
    notes: list[tuple[Note, ...]] = []
    spans: list[tuple[datetime, datetime]] = []
    for row, small, start in zip(found.iter_rows(named=True), smalls, starts, strict=False):
        begin, end, steps = row["from"], row["to"], row["rows"] - row["series"]
        if not row["plain"] or row["file"] in odd:
            break
        if not _has_plain_name(small.source, pattern, settings, steps):
            break
        if seconds < _DAY and clocks.fills_days(begin, end, seconds):
            break
        symbol = series["symbol"][start]
        if pattern.named is not None and _is_of_month(small.source, symbol, begin, end):
            break
        notes.append(pattern.notes_with(_inferred(pattern, row["same"], steps)))
        spans.append((row["lo"], row["hi"]))
    if seconds < _DAY and pattern.market is None:
        notes = notes[: clocks.first_with_ends(facts, spans, seconds)]
    most = len(notes)
    return Plain(
        normal.bars, series[: starts[most]], _as_named(series, opens, order, starts[most]),
        list(found["rows"][:most]), list(found["series"][:most]), notes,
    )  # fmt: skip


def _in_one(
    smalls: Sequence[Small], pattern: Pattern, settings: Settings
) -> tuple[pl.DataFrame, Layout]:
    """The rows of all of the files, with the symbols that their names give, and their layout."""
    layout = pattern.layout
    if pattern.named is None:
        return pl.concat([small.frame for small in smalls]), layout
    frames = []
    for small in smalls:
        symbol = (named_by(small.source, settings) or {}).get("symbol")
        frames.append(small.frame.with_columns(pl.lit(symbol, pl.String).alias("symbol")))
    return pl.concat(frames), replace(layout, columns={**layout.columns, "symbol": "symbol"})


def _by_series(
    many: pl.DataFrame, file: pl.Series, name: str
) -> tuple[pl.DataFrame, pl.Series | None]:
    """The rows in the order of their `file`, and of the symbols in column `name`; rows of one
    symbol stay in theirs. And the places where they were; None if these are the same."""
    symbol = many[name]
    opens = changes([file, symbol])
    files, symbols = file.filter(opens), symbol.filter(opens)
    if ((files[1:] != files[:-1]) | (symbols[1:] > symbols[:-1])).all():
        return many, None
    keys = pl.DataFrame([file, symbol.alias("symbol")])
    order = keys.select(pl.arg_sort_by("file", "symbol", maintain_order=True)).to_series()
    return many[order], order


def _as_named(
    series: pl.DataFrame, opens: pl.Series, order: pl.Series | None, most: int
) -> pl.Series:
    """The places of the first `most` series in the order in which their files name them."""
    if order is None:
        return pl.int_range(most, dtype=pl.UInt32, eager=True)
    return order.gather(opens.arg_true()[:most]).arg_sort()


def _as_written(many: pl.DataFrame, layout: Layout, pattern: Pattern) -> list[pl.Expr]:
    """The words of each row as they are written, and whether its text can be read in one way."""
    columns = layout.columns
    numbers = [columns[field] for field in bars.VALUES if field in columns]
    texts = [name for name in numbers if many.schema[name] == pl.String]
    read = [pl.col(name).str.contains(NUMBER).fill_null(True) for name in texts]
    if pattern.times is not None:
        read.append(pl.col(columns["ts"]).cast(pl.String).str.contains(pattern.times))
    words = [pl.col(columns[name]).alias(f"raw_{name}") for name in WORDS if name in columns]
    return [*words, pl.all_horizontal(*read, pl.lit(True)).fill_null(False).alias("read")]


def _by_file(
    facts: pl.DataFrame, pattern: Pattern, settings: Settings, seconds: int
) -> pl.DataFrame:
    """What the rows of each file show: whether they are `plain`, the first and the last time in UTC
    (lo, hi) and on the clock of the cells (from, to), how many `rows` and `series` there are, how
    many steps are the `same` as the interval, and whether all prices together span enough for a
    jump (`wide`)."""
    rules = all_hold_exactly(rules_for(settings.meaning))
    return (
        facts.lazy()
        .with_columns(
            rules.alias("exact"),
            _step("ts").alias("since"),
            _step("wall").dt.total_microseconds().alias("apart"),
        )
        .with_columns(_is_good(pattern).alias("good"))
        .group_by("file", maintain_order=True)
        .agg(
            pl.col("ts").min().alias("lo"),
            pl.col("ts").max().alias("hi"),
            pl.len().alias("rows"),
            pl.col("opens").sum().alias("series"),
            _is_plain(pattern, seconds).alias("plain"),
            pl.col("wall").min().alias("from"),
            pl.col("wall").max().alias("to"),
            _same(seconds).alias("same"),
            may_jump().fill_null(False).alias("wide"),
        )
        .collect()
    )


def _step(column: str) -> pl.Expr:
    """From the row before in the same series to this one; null in its first row. `over` would
    gather the rows of each series anew."""
    return pl.when(~pl.col("opens")).then(pl.col(column).diff())


def _same(seconds: int) -> pl.Expr:
    return (pl.col("apart") == seconds * 1_000_000).sum()


def _is_good(pattern: Pattern) -> pl.Expr:
    """Whether a row, and the step to it from the one before in its series, leaves the checks
    nothing to find; null where nothing speaks against it."""
    said = {"provider": pattern.provider, "interval": pattern.interval}
    columns = pattern.layout.columns
    return pl.all_horizontal(
        "exact",
        "read",
        (pl.col("since") > timedelta(0)).fill_null(True),
        (pl.col("apart") > 0).fill_null(True),
        *(pl.col(field) == word for field, word in said.items()),
        *(pl.col(f"raw_{field}") == word for field, word in said.items() if field in columns),
        pl.col("raw_symbol") == pl.col("symbol"),
    )


def _is_plain(pattern: Pattern, seconds: int) -> pl.Expr:
    """Whether a file's rows leave its checks nothing to find, but for symbols, jumps of prices,
    sessions and whole days: all rules hold, its text can be read in one way, times rise in each
    series, prices are not multiples of a small unit, and steps and clocks contradict neither the
    interval nor that times are starts."""
    apart, same, long = pl.col("apart"), _same(seconds), _LONG * 1_000_000
    steps = pl.len() - pl.col("opens").sum()
    found = [pl.col("good").all(), pl.col("open").abs().max() <= LARGE_PRICE]
    if "interval" not in pattern.layout.columns:
        whole = (apart % (seconds * 1_000_000) == 0).fill_null(True).all()
        shown = (steps >= spacing.MIN_STEPS) & (2 * same > steps) & whole
        # Fewer show nothing: what is given holds.
        found.append(shown if pattern.inferred else shown | (steps < spacing.MIN_STEPS))
    if seconds == _DAY:
        found.append(clocks.are_days())
    else:
        found.append((same > (apart >= long).sum()) | (steps == 0))
        found.append(clocks.are_starts(pattern, seconds))
    return pl.all_horizontal(*found).fill_null(False)


def _of_wide(found: pl.DataFrame, facts: pl.DataFrame) -> set[int]:
    """The files with a series that has prices which span enough for a jump."""
    wide = found.filter("wide")
    if wide["series"].sum() == wide.height:  # also if there are none
        return set(wide["file"])
    rows = facts.filter(pl.col("file").is_in(wide["file"].implode()))
    each = rows.group_by(pl.col("opens").cum_sum()).agg(pl.col("file").first(), wide=may_jump())
    return set(each.filter("wide")["file"])


def _has_plain_name(source: Source, pattern: Pattern, settings: Settings, steps: int) -> bool:
    """Whether neither the file's name nor its folders say anything of its bars, but for the symbol
    by the person's pattern. Too few `steps` do not settle an interval that is given and one that
    they name."""
    if in_folders(source.full_path) or is_of_vendor(source.full_path, pattern):
        return False
    is_settled = "interval" in pattern.layout.columns or steps >= spacing.MIN_STEPS
    if not is_settled and intervals_in(source.full_path):
        return False
    return besides_symbol(named_by(source, settings)) == pattern.named


def _is_of_month(source: Source, symbol: str, begin: datetime, end: datetime) -> bool:
    return bool(month_notes(source.full_path, pl.Series([begin, end]), symbol))


def _inferred(pattern: Pattern, same: int, steps: int) -> str | None:
    """What is noted of the interval where the spacing of the bars shows it."""
    if not pattern.inferred:
        return None
    return intervals.inferred(pattern.interval, spacing.said_share(same, steps))

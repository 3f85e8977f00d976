"""Small files that are alike are checked together, by what the first of them has shown.

The checks of a file look at it from many sides, and each look takes longer than the file's rows. A
table with nothing but a bar's own columns, of one series and in order, leaves most of them
nothing to find. `plain` proves of each file that its own checks would have found nothing and read
it as they read the first one; where it cannot, the file is loaded by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from functools import cache
from typing import Final

import polars as pl

from loader import bars
from loader.bars.sessions import ALIASES, LARGE, SESSIONS, python_zone, sessions
from loader.bars.times import edges, spacing, zones
from loader.bars.times.zones import UTC, Zone
from loader.check.file import rules_for
from loader.check.guard.jumps import may_jump
from loader.check.instruments.contracts import month_notes
from loader.check.layout import intervals
from loader.check.layout.decide import Layout
from loader.check.layout.scales import LARGE as LARGE_PRICE
from loader.check.normalise import normalise
from loader.check.validate import all_hold_exactly
from loader.dialects.patterns import in_folders
from loader.ingest.run.patterns import (
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

#: A symbol that every convention leaves as it is.
_SYMBOL: Final = "^[A-Z][A-Z0-9]{0,11}$"
_DAY: Final = 86_400
#: Steps of this many seconds and more are those of days.
_LONG: Final = 23 * 3600
_HOUR: Final = 3600
_A_MINUTE: Final = 60


@dataclass(frozen=True, slots=True)
class Series:
    """The bars of one plain file: `rows` of one series, from `lo` to `hi` (UTC); and the notes of
    the file."""

    symbol: str
    lo: datetime
    hi: datetime
    rows: int
    notes: tuple[Note, ...]


def plain(
    smalls: Sequence[Small], pattern: Pattern, settings: Settings
) -> tuple[list[Series], pl.DataFrame]:
    """The series of the first of the files, which are of one kind, as far as they are plain: each
    would come out of its own checks as one whole batch of good bars in order, with the layout of
    the `pattern` and the notes of the series. And the bars (`bars.SCHEMA`) of all of the files, in
    their order, with the number of their `file` (UInt32)."""
    many, layout = _in_one(smalls, pattern, settings)
    place = Location(smalls[0].source.name, 0, 1)
    normal = normalise(RawBatch(many, place), layout)
    file = repeated(range(len(smalls)), [small.frame.height for small in smalls])
    numbered = normal.bars.hstack([file.cast(pl.UInt32).alias("file")])
    ts, plan = normal.bars["ts"], layout.times
    clocks = [
        zones.to_wall(ts, _NEW_YORK).alias("new_york"),
        zones.to_wall(ts, plan.zone or UTC if plan.kind == "wall" else UTC).alias("wall"),
    ]
    facts = numbered.hstack([*normal.faults, normal.steps.alias("step"), *clocks])
    facts = facts.hstack(many.select(_as_written(many, layout, pattern)))
    seconds = bars.INTERVAL_SECONDS[pattern.interval]
    rules = all_hold_exactly(rules_for(settings.meaning))
    found = (
        facts.lazy()
        .with_columns(
            rules.alias("exact"),
            _step("ts").alias("since"),
            _step("wall").dt.total_microseconds().alias("apart"),
        )
        .with_columns(_is_good(pattern).alias("good"))
        .group_by("file", maintain_order=True)
        .agg(
            pl.col("symbol").first(),
            pl.col("ts").first().alias("lo"),
            pl.col("ts").last().alias("hi"),
            pl.len().alias("rows"),
            _is_plain(pattern, seconds).alias("plain"),
            pl.col("wall").first().alias("from"),
            pl.col("wall").last().alias("to"),
            (pl.col("apart") == seconds * 1_000_000).sum().alias("same"),
        )
        .collect()
    )
    series: list[Series] = []
    for row, small in zip(found.iter_rows(named=True), smalls, strict=True):
        begin, end = row["from"], row["to"]
        if not row["plain"] or not _has_plain_name(small.source, pattern, settings):
            break
        if seconds < _DAY and _fills_days(begin, end, seconds):
            break
        if pattern.named is not None and _is_of_month(small.source, row["symbol"], begin, end):
            break
        notes = pattern.notes_with(_inferred(pattern, row["same"], row["rows"] - 1))
        series.append(Series(row["symbol"], row["lo"], row["hi"], row["rows"], notes))
    if seconds < _DAY and pattern.market is None:
        series = series[: _first_with_ends(facts, series, seconds)]
    return series, numbered


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


def _step(column: str) -> pl.Expr:
    """From the row before in the same file to this one; null in its first row. `over` would gather
    the rows of each file anew."""
    follows = pl.col("file") == pl.col("file").shift()
    return pl.when(follows).then(pl.col(column).diff())


def _is_good(pattern: Pattern) -> pl.Expr:
    """Whether a row, and the step to it from the one before in its file, leaves the checks nothing
    to find; null where nothing speaks against it."""
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
    """Whether a file's rows leave its checks nothing to find, but for sessions and whole days: all
    rules hold, its text can be read in one way, one series, rising times, prices that are not
    multiples of a small unit and change no unit midway, and steps and clocks that contradict
    neither the interval nor that times are starts."""
    ts, apart = pl.col("ts"), pl.col("apart")
    columns, long = pattern.layout.columns, _LONG * 1_000_000
    steps = [
        pl.col("good").all(),
        (pl.col("raw_symbol") == pl.col("raw_symbol").first()).all(),
        pl.col("symbol").first().str.contains(_SYMBOL),
        pl.col("open").abs().max() <= LARGE_PRICE,
        ~may_jump(),
    ]
    same = (apart == seconds * 1_000_000).sum()
    if "interval" not in columns:
        whole = (apart % (seconds * 1_000_000) == 0).fill_null(True).all()
        steps += [pl.len() > spacing.MIN_STEPS, 2 * same > pl.len() - 1, whole]
    if seconds == _DAY:
        midnights = (ts.dt.truncate("1d") == ts).all()
        return pl.all_horizontal(*steps, midnights, (ts.dt.weekday() != _SATURDAY).all())
    if pattern.layout.times.kind == "wall":
        steps += _local_days(pattern, seconds)
    return pl.all_horizontal(
        *steps,
        (same > (apart >= long).sum()) | (pl.len() == 1),
        (pl.col("wall").dt.second() != _A_MINUTE - 1).any(),
        ~_may_end_with_week() if seconds <= _HOUR else pl.lit(True),
    ).fill_null(False)


def _may_end_with_week() -> pl.Expr:
    """Whether times that go through the night may run to 17:00 in New York."""
    here = pl.col("new_york")
    clock = here - here.dt.truncate("1d")
    night = (clock < edges.MORNING).any() & (clock > edges.NIGHT).any()
    friday = clock.filter(here.dt.weekday() == _FRIDAY).max()
    at_close = (clock == edges.CLOSE).sum()
    return night & ((at_close > 0) | (friday == edges.CLOSE).fill_null(False))


def _local_days(pattern: Pattern, seconds: int) -> list[pl.Expr]:
    """That nights do not look as if they stood under the date of their trading day, and that times
    of a market's own zone do not lie as ends do: between an opening and the close, with the close
    or one interval after the opening."""
    clock, hour = pl.col("wall").dt.time(), pl.col("wall").dt.hour()
    weekday = pl.col("wall").dt.weekday()
    monday = ((weekday == _MONDAY) & (hour < 1)).any()
    friday = ((weekday == _FRIDAY) & (hour >= _EVENING)).any()
    late, early = (hour >= _NIGHT).any(), (hour < _MORNING).any()
    found = [~(monday & friday), ~late | early]
    for opening, close in sessions(pattern.market) if pattern.market else ():
        within = (clock.min() > opening) & (clock.max() <= close)
        first = (datetime.combine(date.min, opening) + timedelta(seconds=seconds)).time()
        found.append(~(within & clock.is_in([close, first]).any()))
    return found


_NEW_YORK: Final = Zone("America/New_York")
_MONDAY, _FRIDAY, _SATURDAY = 1, 5, 6
#: Hours of nights, see `loader.check.layout.trading_dates`.
_EVENING, _NIGHT, _MORNING = 16, 20, 6


def _has_plain_name(source: Source, pattern: Pattern, settings: Settings) -> bool:
    """Whether neither the file's name nor its folders say anything of its bars, but for the symbol
    by the person's pattern."""
    if in_folders(source.full_path) or is_of_vendor(source.full_path, pattern):
        return False
    return besides_symbol(named_by(source, settings)) == pattern.named


def _is_of_month(source: Source, symbol: str, begin: datetime, end: datetime) -> bool:
    return bool(month_notes(source.full_path, pl.Series([begin, end]), symbol))


def _inferred(pattern: Pattern, same: int, steps: int) -> str | None:
    """What is noted of the interval where the spacing of the bars shows it."""
    if not pattern.inferred:
        return None
    return intervals.inferred(pattern.interval, spacing.said_share(same, steps))


def _fills_days(lo: datetime, hi: datetime, seconds: int) -> bool:
    """Whether times may run from the second bar of a day up to midnight."""
    first = (lo - timedelta(seconds=seconds)).time()
    return seconds <= _HOUR and hi.time() == first == time(0)


def _first_with_ends(rows: pl.DataFrame, series: Sequence[Series], seconds: int) -> int:
    """The number of the first file that has times which may run to the close of a market's session,
    as ends of bars do: some are its close, and none lies outside of it."""
    found, spans = len(series), {(each.lo, each.hi) for each in series}
    for name in _markets():
        zone = python_zone(name)
        if zone is None or (seconds >= _HOUR and name not in LARGE):
            found = 0 if zone is None else found
            continue
        here = ((ends, [end.astimezone(zone).time() for end in ends]) for ends in spans)
        lying = {ends for ends, (first, last) in here if _lies_within(first, last, name)}
        within = [n for n, each in enumerate(series[:found]) if (each.lo, each.hi) in lying]
        if within:
            closes = [close for _, close in sessions(name)]
            known = Zone(name) == _NEW_YORK
            wall = rows["new_york"] if known else zones.to_wall(rows["ts"], Zone(name))
            at_close = wall.dt.time().is_in(closes)
            hits = set(rows["file"].filter(at_close).unique())
            found = min((number for number in within if number in hits), default=found)
    return found


def _lies_within(first: time, last: time, market: str) -> bool:
    return any(
        opening < first <= close and opening < last <= close for opening, close in sessions(market)
    )


@cache
def _markets() -> tuple[str, ...]:
    return tuple(name for name in SESSIONS if name not in ALIASES)

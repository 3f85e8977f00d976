"""Small files that are alike are checked together, by what the first of them has shown.

The checks of a file look at it from many sides, and each look takes longer than the file's rows. A
table with nothing but a bar's own columns, typed, of one series and in order, leaves most of them
nothing to find. `plain` proves of each file that its own checks would have found nothing and read
it as they read the first one; where it cannot, the file is loaded by itself.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime, time, timedelta
from functools import cache
from typing import Final

import polars as pl

from loader import bars
from loader.bars.sessions import ALIASES, LARGE, SESSIONS, python_zone, sessions
from loader.bars.times import edges, zones
from loader.bars.times.zones import Zone
from loader.check.file import Checking, rules_for
from loader.check.guard.jumps import may_jump
from loader.check.layout.decide import Layout
from loader.check.layout.scales import LARGE as LARGE_PRICE
from loader.check.normalise import normalise
from loader.check.validate import all_hold_exactly
from loader.dialects.dialect import Opening
from loader.dialects.known import known_dialects
from loader.dialects.patterns import in_folders
from loader.dialects.recognition import PLAIN, may_fit
from loader.errors import MdloadError
from loader.read.batch import Location, RawBatch, Reading
from loader.read.sources import Source
from loader.results import Note
from loader.settings import Meaning, Settings

#: What the person may say of a file without a change to what its columns mean.
_FREE: Final = ("provider", "allow_nonpositive_prices", "check_grid", "keep_skipped")
_WORDS: Final = ("provider", "symbol", "interval")
#: A symbol that every convention leaves as it is.
_SYMBOL: Final = "^[A-Z][A-Z0-9]{0,11}$"
_DAY: Final = 86_400
#: Steps of this many seconds and more are those of days.
_LONG: Final = 23 * 3600
_HOUR: Final = 3600
_A_MINUTE: Final = 60


@dataclass(frozen=True, slots=True)
class Small:
    """A small file, read whole.

    Attributes:
        reading: what its container says of it.
        frame: its rows.
    """

    source: Source
    reading: Reading
    frame: pl.DataFrame

    @property
    def kind(self) -> tuple[object, ...]:
        """Equal for files of the same columns, read in the same way."""
        reading = self.reading
        schema = tuple((name, str(dtype)) for name, dtype in self.frame.schema.items())
        metadata = tuple(sorted(reading.metadata.items()))
        return reading.container, reading.notes, reading.header, reading.place, metadata, schema


@dataclass(frozen=True, slots=True)
class Pattern:
    """How the first file of a kind was read.

    Attributes:
        names: patterns of paths by which a vendor's format could be recognised among its like.
    """

    layout: Layout
    notes: tuple[Note, ...]
    provider: str
    interval: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Series:
    """The bars of one plain file: `rows` of one series, from `lo` to `hi` (UTC)."""

    symbol: str
    lo: datetime
    hi: datetime
    rows: int


def may_be_alike(settings: Settings) -> bool:
    """Whether files under these settings can be read by what another one has shown."""
    default = Meaning()
    return not settings.part and all(
        getattr(settings, each.name) == getattr(default, each.name)
        for each in fields(Meaning)
        if each.name not in _FREE
    )


def pattern_of(small: Small, checking: Checking, settings: Settings) -> Pattern | None:
    """What the file shows for others of its kind, or None if these need a look of their own.
    `checking` are its own checks."""
    frame = small.frame
    try:
        pieces = list(checking.pieces())
    except MdloadError:  # its own load says so
        return None
    layout, taken = checking.layout, checking.taken
    if layout is None or taken is None or len(pieces) != 1 or not _has_only_bars(frame):
        return None
    plan, names = layout.times, _names_of_others(small)
    own = dict(zip(frame.columns, frame.columns, strict=True))
    is_plain = (
        small.reading.header
        and taken.shape is None
        and layout.dialect.name == PLAIN
        and dict(layout.columns) == own
        and (plan.kind, plan.form, plan.numbers, plan.zone) == ("instant", None, None, None)
        and not (plan.evenings or layout.marked or layout.skip or layout.midnight_ends)
        and (layout.stamp, layout.price_exponent, layout.volume_exponent) == ("start", 0, 0)
        and layout.naming.renames is None
    )
    if not is_plain or names is None:
        return None
    provider, interval = (frame[name][0] for name in ("provider", "interval"))
    if bars.INTERVAL_SECONDS.get(interval, 2 * _DAY) > _DAY:
        return None
    return Pattern(layout, checking.notes, provider, interval, names)


def _has_only_bars(frame: pl.DataFrame) -> bool:
    """Whether the table has a bar's own columns under their own names, typed, and no other."""
    needed = {*bars.KEY, *bars.PRICES}
    if not (needed <= set(frame.columns) <= set(bars.COLUMNS) and frame.height):
        return False
    schema = frame.schema
    ts = schema["ts"]
    typed = all(schema[name] == pl.String for name in _WORDS)
    typed = typed and isinstance(ts, pl.Datetime) and ts.time_zone == "UTC"
    typed = typed and all(schema[name] == pl.Float64 for name in bars.PRICES)
    others = (schema[name] for name in bars.OPTIONAL if name in schema)
    return typed and all(dtype == pl.Float64 or dtype.is_integer() for dtype in others)


def _names_of_others(small: Small) -> tuple[str, ...] | None:
    """The patterns of paths by which such a file would be a vendor's; None if some need none."""
    opening = Opening(
        name=small.source.name,
        path=small.source.full_path,
        container=small.reading.container,
        first=small.frame,
        header=small.reading.header,
        place=small.reading.place,
        metadata=small.reading.metadata,
    )
    found = []
    for shape in may_fit(known_dialects().values(), opening):
        if shape.name is None:
            return None
        found.append(shape.name)
    return tuple(dict.fromkeys(found))


def plain(
    smalls: Sequence[Small], pattern: Pattern, settings: Settings
) -> tuple[list[Series], pl.DataFrame]:
    """The series of the first of the files, which are of one kind, as far as they are plain: each
    would come out of its own checks as one whole batch of good bars in order, with the layout and
    the notes of the `pattern`. And the bars (`bars.SCHEMA`) of all of the files, in their order,
    with the number of their `file` (UInt32)."""
    many = pl.concat([small.frame for small in smalls])
    place = Location(smalls[0].source.name, 0, 1)
    normal = normalise(RawBatch(many, place), pattern.layout)
    heights = enumerate(small.frame.height for small in smalls)
    file = pl.concat([pl.repeat(n, rows, dtype=pl.UInt32, eager=True) for n, rows in heights])
    numbered = normal.bars.hstack([file.alias("file")])
    shown = zones.to_wall(normal.bars["ts"], _NEW_YORK)
    raw = many.select(pl.col(name).alias(f"raw_{name}") for name in _WORDS)
    facts = numbered.hstack(normal.faults).hstack([normal.steps.alias("step")]).hstack(raw)
    seconds = bars.INTERVAL_SECONDS[pattern.interval]
    rules = all_hold_exactly(rules_for(settings.meaning))
    found = (
        facts.hstack([shown.alias("shown")])
        .lazy()
        .with_columns(rules.alias("exact"), pl.col("ts").diff().over("file").alias("since"))
        .group_by("file", maintain_order=True)
        .agg(
            pl.col("symbol").first(),
            pl.col("ts").first().alias("lo"),
            pl.col("ts").last().alias("hi"),
            pl.len().alias("rows"),
            _is_plain(pattern, seconds).alias("plain"),
        )
        .collect()
    )
    series: list[Series] = []
    for (_, symbol, lo, hi, rows, is_plain), small in zip(found.iter_rows(), smalls, strict=True):
        if not is_plain or not _has_plain_name(small.source, pattern):
            break
        if seconds < _DAY and _fills_days(lo, hi, seconds):
            break
        series.append(Series(symbol, lo, hi, rows))
    if seconds < _DAY:
        series = series[: _first_with_ends(numbered.select("file", "ts"), series, seconds)]
    return series, numbered


def _is_plain(pattern: Pattern, seconds: int) -> pl.Expr:
    """Whether a file's rows leave its checks nothing to find, but for sessions and whole days: all
    rules hold, one series, rising times, prices that are not multiples of a small unit and change
    no unit midway, and steps and clocks that contradict neither the interval nor that times are
    starts."""
    ts, since = pl.col("ts"), pl.col("since").dt.total_seconds()
    steps = [
        pl.col("exact").all(),
        (pl.col("since") > timedelta(0)).fill_null(True).all(),
        (pl.col("raw_provider") == pattern.provider).all(),
        (pl.col("provider") == pattern.provider).all(),
        (pl.col("raw_interval") == pattern.interval).all(),
        (pl.col("interval") == pattern.interval).all(),
        (pl.col("raw_symbol") == pl.col("raw_symbol").first()).all(),
        (pl.col("raw_symbol") == pl.col("symbol")).all(),
        pl.col("symbol").first().str.contains(_SYMBOL),
        pl.col("open").abs().max() <= LARGE_PRICE,
        ~may_jump(),
    ]
    if seconds == _DAY:
        midnights = (ts.dt.truncate("1d") == ts).all()
        return pl.all_horizontal(*steps, midnights, (ts.dt.weekday() != _SATURDAY).all())
    short, long = (since == seconds).sum(), (since >= _LONG).sum()
    clock = pl.col("shown") - pl.col("shown").dt.truncate("1d")
    night = (clock < edges.MORNING).any() & (clock > edges.NIGHT).any()
    friday = clock.filter(pl.col("shown").dt.weekday() == _FRIDAY).max()
    at_close = (clock == edges.CLOSE).sum()
    may_end = night & ((at_close > 0) | (friday == edges.CLOSE).fill_null(False))
    return pl.all_horizontal(
        *steps,
        (short > long) | (pl.len() == 1),
        (ts.dt.second() != _A_MINUTE - 1).any(),
        ~may_end if seconds <= _HOUR else pl.lit(True),
    ).fill_null(False)


_NEW_YORK: Final = Zone("America/New_York")
_FRIDAY, _SATURDAY = 5, 6


def _has_plain_name(source: Source, pattern: Pattern) -> bool:
    """Whether neither the file's name nor its folders say anything of its bars."""
    path = source.full_path
    return not in_folders(path) and not any(re.search(name, path) for name in pattern.names)


def _fills_days(lo: datetime, hi: datetime, seconds: int) -> bool:
    """Whether times may run from the second bar of a day up to midnight."""
    first = (lo - timedelta(seconds=seconds)).time()
    return seconds <= _HOUR and hi.time() == first == time(0)


def _first_with_ends(rows: pl.DataFrame, series: Sequence[Series], seconds: int) -> int:
    """The number of the first file that has times which may run to the close of a market's session,
    as ends of bars do: some are its close, and none lies outside of it."""
    found = len(series)
    for name in _markets():
        zone = python_zone(name)
        if zone is None or (seconds >= _HOUR and name not in LARGE):
            found = 0 if zone is None else found
            continue
        within = [
            number
            for number, each in enumerate(series[:found])
            if _lies_within(each.lo.astimezone(zone).time(), each.hi.astimezone(zone).time(), name)
        ]
        if within:
            closes = [close for _, close in sessions(name)]
            at_close = zones.to_wall(rows["ts"], Zone(name)).dt.time().is_in(closes)
            hits = rows["file"].filter(at_close).unique()
            found = min((number for number in within if number in hits), default=found)
    return found


def _lies_within(first: time, last: time, market: str) -> bool:
    return any(
        opening < first <= close and opening < last <= close for opening, close in sessions(market)
    )


@cache
def _markets() -> tuple[str, ...]:
    return tuple(name for name in SESSIONS if name not in ALIASES)

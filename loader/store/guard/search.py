"""Looks in the store for bars with the values of a sample: at other times, in other series."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import polars as pl

from loader import bars
from loader.bars import SERIES
from loader.check.guard.factors import LEAST
from loader.check.guard.moves import are_far, priced
from loader.check.guard.shift import Shift, shifts
from loader.db.arrow import Connection
from loader.lazy import dataclass
from loader.store.guard.sample import Sample
from loader.store.packed import unpacked, wanted_json

#: Shifts that are found reach so far: by zones and by a day, and by so many bars at least. Of bars
#: below a minute so many at most.
_REACH: Final = timedelta(hours=26)
_STEPS: Final = 5
_FINE_STEPS: Final = 3_000
#: Bars of a series that are compared with stored ones, in two windows.
_WINDOW: Final = 24
#: Stored bars that are read for all windows, and series that are looked at.
_READ: Final = 300_000
_SERIES: Final = 64
#: Groups for which other series are searched, bars of each, series of a pool; and of those that are
#: found, how many bars are compared.
_GROUPS: Final = 8
_PROBES: Final = 2
_POOLED: Final = 24
_VERIFIED: Final = 64
_SHARE: Final = 0.9
#: Of the bars that changed, the share of which a price changed.
_PRICED: Final = 0.5


@dataclass(frozen=True, slots=True)
class Alike:
    """Bars of a group whose prices became those of another series (of the same interval) at the
    same times: of `symbol`, None where several series each equal the one of their own symbol. Only
    those of the same symbol may not be `far` from what they were."""

    group: int
    bars: int
    matched: int
    provider: str
    symbol: str | None
    far: bool


def shifted(
    reader: Connection, rows: pl.DataFrame, ahead: pl.DataFrame | None = None
) -> list[Shift]:
    """Those groups of bars that have the values of stored bars of other times.

    Args:
        reader: sees what is committed.
        rows: `file` and `group` (ints), and `bars.KEY` and prices, by which each file is sorted.
        ahead: `file` and `bars.SCHEMA`: bars that count as stored for the files after theirs.

    Raises:
        DatabaseError: the server refused, or went away.
    """
    hits = _windows(rows)
    if hits.is_empty():
        return []
    windows = hits.group_by("file", "window", *SERIES, "reach").agg(
        lo=pl.col("ts").min() - pl.col("reach").first(),
        hi=pl.col("ts").max() + pl.col("reach").first(),
    )
    asked = windows.select(pl.col("window").alias("sid"), *SERIES, "lo", "hi")
    reader.run("wanted_set", wanted_json(asked))
    lo, hi = asked.select(pl.col("lo").min(), pl.col("hi").max()).row(0)
    stored = [
        unpacked(batch).select("ts", *bars.PRICES, window="sid")
        for batch in reader.batches("stored_bars", lo, hi)
    ]
    if ahead is not None:
        stored.append(_ahead(windows, ahead))
    return shifts(hits, pl.concat(stored)) if stored else []


def _ahead(windows: pl.DataFrame, ahead: pl.DataFrame) -> pl.DataFrame:
    """The bars of files before that of each window, in its time: ts, prices, window."""
    day = pl.date_ranges(pl.col("lo").dt.date(), pl.col("hi").dt.date())
    days = windows.lazy().with_columns(day=day).explode("day")
    found = ahead.lazy().with_columns(day=pl.col("ts").dt.date())
    found = found.join(days, on=[*SERIES, "day"], suffix="_window")
    before = pl.col("file") < pl.col("file_window")
    found = found.filter(before & pl.col("ts").is_between("lo", "hi"))
    return found.select("ts", *bars.PRICES, "window").collect()


def alike(reader: Connection, sample: Sample, groups: set[int]) -> list[Alike]:
    """Those of the `groups` that have the values of another series.

    Raises:
        DatabaseError: the server refused, or went away.
    """
    found = []
    largest = sorted(groups, key=lambda g: -sample.groups[g].changed)[:_GROUPS]
    for number in largest:
        group = sample.groups[number]
        changed = sample.rows.filter((pl.col("group") == number) & pl.col("old_open").is_not_null())
        rows = priced(changed).with_columns(sid=pl.lit(0))
        if rows.height < max(LEAST, _PRICED * changed.height):
            continue
        if group.symbol is None:
            found += _alike_pool(reader, number, rows)
        else:
            found += _alike_series(reader, number, group.symbol, rows)
    return found


def _alike_series(reader: Connection, number: int, own: str, rows: pl.DataFrame) -> list[Alike]:
    far = are_far(rows)
    probes = rows.gather_every(max(1, rows.height // _PROBES)).head(_PROBES)
    candidates = _matches(reader, "alike_series", probes).filter(
        (pl.col("bars") == probes.height) & ((pl.col("symbol") == own) | far)
    )
    if candidates.is_empty():
        return []
    every = rows.gather_every(max(1, rows.height // _VERIFIED))
    asked = every.join(
        candidates.select(other_provider="provider", other_symbol="symbol").head(4), how="cross"
    )
    best = _matches(reader, "alike_bars", asked).sort("bars", descending=True)
    for provider, symbol, matched in best.select("provider", "symbol", "bars").iter_rows():
        if matched >= _SHARE * every.height:
            return [Alike(number, every.height, matched, provider, symbol, far)]
    return []


def _alike_pool(reader: Connection, number: int, rows: pl.DataFrame) -> list[Alike]:
    """Each series of the pool against the other providers' of its symbol."""
    firsts = rows.unique(SERIES, keep="first", maintain_order=True)
    probes = pl.concat([firsts, rows]).unique(bars.KEY, maintain_order=True).head(_POOLED)
    others = _matches(reader, "alike_providers", probes).sort("bars", descending=True)
    for provider, matched in others.select("provider", "bars").iter_rows():
        if probes.height >= LEAST and matched >= _SHARE * probes.height:
            return [Alike(number, probes.height, matched, provider, None, are_far(rows))]
    return []


def _matches(reader: Connection, query: str, asked: pl.DataFrame) -> pl.DataFrame:
    reader.run("wanted_set", wanted_json(asked))
    ends: tuple[datetime, datetime] = asked.select(
        lo=pl.col("ts").min(), hi=pl.col("ts").max()
    ).row(0)
    found = list(reader.frames(query, *ends))
    none = {"provider": pl.String(), "symbol": pl.String(), "bars": pl.Int64()}
    if not found:
        return pl.DataFrame(schema=none)
    # Each shard counts the bars of its own symbols.
    whole = pl.concat(found).group_by("provider", "symbol", maintain_order=True)
    return whole.agg(pl.col("bars").sum())


def _windows(hits: pl.DataFrame) -> pl.DataFrame:
    """Up to two stretches of neighbours per series of a file, those with the most evidence first,
    as long as the file has room: with `window`, and `reach`, how far around it to look."""
    own = ["file", *SERIES]
    step = pl.col("interval").replace_strict(bars.INTERVAL_SECONDS, return_dtype=pl.Int64)
    most = pl.min_horizontal(
        pl.max_horizontal(pl.lit(int(_REACH.total_seconds())), _STEPS * step),
        pl.when(step < 60).then(_FINE_STEPS * step),
    )
    place, rows = pl.int_range(pl.len()).over(own), pl.len().over(own).cast(pl.Int64)
    at = (
        pl.when(rows <= 2 * _WINDOW)
        .then(0)
        .when(_within(place, rows // 4))
        .then(1)
        .when(_within(place, rows * 3 // 4))
        .then(2)
    )
    picked = hits.with_columns(at=at, number=rows, step=step, reach=pl.duration(seconds=most))
    picked = picked.filter(pl.col("at").is_not_null())
    first = pl.col("ts").min().over(*own, "at")
    least = pl.duration(seconds=4 * _WINDOW * pl.col("step"))
    picked = picked.filter(pl.col("ts") <= first + pl.col("reach") + least)
    room = (
        pl.col("ts").max() - pl.col("ts").min() + 2 * pl.col("reach").first()
    ).dt.total_seconds()
    windows = (
        picked.group_by(*own, "at")
        .agg(room=room // pl.col("step").first() + 1, number=pl.col("number").first())
        .sort("number", *own, "at", descending=[True, *[False] * len(own), False])
        .with_row_index("window")
        .cast({"window": pl.Int32})
    )
    before = pl.int_range(pl.len()).over("file")
    fits = (pl.col("room").cum_sum().over("file") <= _READ) & (before < 2 * _SERIES)
    windows = windows.filter(fits | (before < 2))
    return picked.join(windows.select(*own, "at", "window"), on=[*own, "at"]).select(
        "group", "file", "window", *SERIES, "reach", "ts", *bars.PRICES
    )


def _within(place: pl.Expr, start: pl.Expr) -> pl.Expr:
    return (place >= start) & (place < start + _WINDOW)

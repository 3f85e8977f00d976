"""How many bars series have: all counted from the index, or estimated from some weeks of each."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Final, TypeVar

import polars as pl

from loader.bars import SERIES, TS
from loader.db.arrow import Connection
from loader.store.packed import wanted_json
from loader.store.timescale.chunks import Stretch

T = TypeVar("T")
#: The most possible bars to count, which takes a second; larger stores are sampled to this size.
_COUNTED: Final = 10_000_000
#: With this many series or more, half of that is counted: each of them has fewer weeks.
_MANY: Final = 2_000
#: Fewest weeks of a series to count for an estimate; of thousands of series fewer, down to one.
_LEAST: Final = 6
_WEEKS: Final = 12_000
#: Up to this many symbols are named where bars are read whole; of more, all are read.
_NAMED: Final = 100
_MICROSECOND: Final = timedelta(microseconds=1)
_SLICED: Final = pl.Schema(
    {**{s: pl.String() for s in SERIES}, "slice": pl.Int64(), "first": TS, "bars": pl.Int64()}
)
_WEEK: Final = timedelta(days=7) // _MICROSECOND


def shared_out(
    sessions: Sequence[Connection],
    rows: pl.DataFrame,
    work: Callable[[Connection, pl.DataFrame], T],
) -> list[T]:
    """What `work` makes of the series of `rows` (by `sid`), each session with a part of them."""
    if len(sessions) == 1:
        return [work(sessions[0], rows)]
    share = pl.col("sid").rank("dense").cast(pl.Int64) % len(sessions)
    parts = rows.with_columns(part=share).partition_by(
        "part", maintain_order=True, include_key=False
    )
    with ThreadPoolExecutor(len(sessions)) as pool:
        return list(pool.map(work, sessions, parts))


def in_slices(
    connection: Connection, pieces: pl.DataFrame, origin: datetime, width: timedelta
) -> pl.DataFrame:
    """The bars of one stretch's `pieces` slice by slice, for all series at once: `sid`, `slice`
    (its number; slices are `width` long, counted from `origin`), `first` (ts) and `bars` of those
    that hold any."""
    name = "series_between"
    if (symbols := pieces["symbol"].unique()).len() <= _NAMED:
        name = "series_between_of"
        connection.run("wanted_set", json.dumps(symbols.to_list()))
    first, last = pieces.select(pl.col("first").min(), pl.col("last").max()).row(0)
    frames = [pl.DataFrame(schema=_SLICED)]
    number = (first - origin) // width
    while (begin := origin + number * width) <= last:
        lo, hi = max(begin, first), min(begin + width - _MICROSECOND, last)
        for found in connection.frames(name, lo, hi):
            placed = found.with_columns(slice=pl.lit(number, pl.Int64()))
            frames.append(placed.select(_SLICED.names()).cast(_SLICED))
        number += 1
    wanted = pieces.select("sid", *SERIES)
    return wanted.join(pl.concat(frames), on=SERIES).select("sid", "slice", "first", "bars")


def counts(
    sessions: Sequence[Connection],
    pieces: pl.DataFrame,
    apart: Sequence[Stretch],
    stops: pl.DataFrame,
    width: timedelta,
    *,
    exact: bool,
) -> dict[int, tuple[int, bool]]:
    """The number of bars of each series, and whether it was counted.

    `stops` have a row (sid, stretch, ts, length) for the first bar of each slice of time, `width`
    long. If there are too many bars, only some weeks are counted, and the other weeks with bars are
    assumed to be like them. Pieces that were read whole have their counts.
    """
    known = pieces.group_by("sid").agg(pl.col("bars").sum())
    found = {sid: (many, True) for sid, many in known.iter_rows()}
    pieces = pieces.filter(pl.col("bars").is_null())
    stops = stops.join(pieces, on=["sid", "stretch"], how="semi", maintain_order="left")
    if not stops.height:
        return found
    origin = stops["ts"].min()
    ends = pieces.group_by("sid").agg(lo=pl.col("first").min(), hi=pl.col("last").max())
    possible = _most(stops.join(ends, on="sid"), width)
    share = 1.0 if exact or possible <= _COUNTED else _sampled(ends.height) / possible
    least = max(1, min(_LEAST, _WEEKS // ends.height))
    week = max(width // _MICROSECOND, _WEEK)
    weeks = stops.select(
        "sid", week=(pl.col("ts") - origin).dt.total_microseconds() // week * week
    ).unique(maintain_order=True)
    begins = pl.lit(origin).cast(TS) + pl.duration(microseconds="week")
    whole = weeks.select("sid", lo=begins, hi=begins + (week - 1) * _MICROSECOND)
    every = dict(whole.group_by("sid", maintain_order=True).len().iter_rows())
    picked = {
        sid: _spread(many, max(math.ceil(many * share), min(many, least)), sid)
        for sid, many in every.items()
    }
    places = pl.DataFrame(
        [(sid, place) for sid, own in picked.items() if len(own) < every[sid] for place in own],
        {"sid": whole.schema["sid"], "place": pl.Int64()}, orient="row",
    )  # fmt: skip
    some = whole.with_columns(place=pl.int_range(pl.len()).over("sid")).join(
        places, on=["sid", "place"], how="semi"
    )
    entire = [sid for sid, own in picked.items() if len(own) == every[sid]]
    wanted = pl.concat(
        [some.drop("place"), ends.filter(pl.col("sid").is_in(entire)).select("sid", "lo", "hi")]
    )
    counted = _counted(sessions, wanted, pieces, apart)
    for sid, own in picked.items():
        estimate = round(counted[sid] * every[sid] / len(own))
        found[sid] = (found[sid][0] + estimate, len(own) == every[sid])
    return found


def _sampled(series: int) -> int:
    return _COUNTED if series < _MANY else _COUNTED // 2


def _most(stops: pl.DataFrame, width: timedelta) -> int:
    """The bars that may lie in the slices that begin with `stops`, up to the last one (`hi`)."""
    within = pl.min_horizontal(pl.lit(width), pl.col("hi") - pl.col("ts"))
    many = within.dt.total_microseconds() // pl.col("length").dt.total_microseconds()
    return int(stops.select(many.clip(1).sum()).item() or 0)


def _counted(
    sessions: Sequence[Connection],
    wanted: pl.DataFrame,
    pieces: pl.DataFrame,
    apart: Sequence[Stretch],
) -> Counter[int]:
    """Counts bars by `sid` between `lo` and `hi` of `wanted` and within the pieces."""
    within = (
        wanted.join(pieces, on="sid")
        .select(
            "sid", "stretch", *SERIES,
            lo=pl.max_horizontal("lo", "first"), hi=pl.min_horizontal("hi", "last"),
        )
        .filter(pl.col("lo") <= pl.col("hi"))
    )  # fmt: skip

    def looked(connection: Connection, own: pl.DataFrame) -> Counter[int]:
        counted: Counter[int] = Counter()
        for (number,), part in own.group_by("stretch"):
            assert isinstance(number, int)
            connection.run("wanted_set", wanted_json(part.drop("stretch")))
            for frame in connection.frames("stretch_counts", apart[number].lo, apart[number].hi):
                counted.update(dict(frame.iter_rows()))
        return counted

    total: Counter[int] = Counter()
    for part in shared_out(sessions, within, looked):
        total.update(part)
    return total


def _spread(all_: int, taken: int, series: int) -> list[int]:
    """Picks one place in each of `taken` equal parts of `all_` places, at varying distances: the
    sample must not line up with monthly or yearly patterns."""
    if taken >= all_:
        return list(range(all_))
    golden = (math.sqrt(5) - 1) / 2
    places = (int((n + (n + series) * golden % 1) * all_ / taken) for n in range(taken))
    return list(dict.fromkeys(places))  # neighbours may meet in one place

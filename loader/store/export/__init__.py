"""Bars back out: streamed from one snapshot of the store, in order of their key, at flat memory."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from typing import Final

import polars as pl
import pyarrow as pa

from loader import bars
from loader.bars import SERIES
from loader.db.arrow import Connection, connect
from loader.db.cancelling import cancellable, stop
from loader.lazy import dataclass
from loader.read.ahead import ahead
from loader.store.packed import counts, unpacked, unpacked_times, wanted_json
from loader.store.series import SeriesFilter, stored_series
from loader.store.versions.instants import Instant
from loader.store.versions.past import read_at

#: Bars of a series that the server packs at a time. Twice as many cost it a third more for each.
PIECE: Final = 30_000
#: Bars of several series to ask for at once; ten times as many if their density was overestimated.
_GROUP: Final = 100_000
_SPARSEST: Final = 0.1
#: Time to ask for at once at least: a chunk's.
_LEAST: Final = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export wrote. `min_ts` and `max_ts` are the first and last ts (UTC)."""

    rows: int = 0
    series: int = 0
    min_ts: datetime | None = None
    max_ts: datetime | None = None


def export(
    url: str,
    asked: SeriesFilter,
    columns: tuple[str, ...],
    write: Callable[[pl.DataFrame], object],
    at: Instant | None = None,
) -> Exported:
    """Calls `write` with the selected bars, piece by piece: `columns` of `bars.SCHEMA`, sorted by
    provider, symbol, interval and ts; as they are, or were `at` an instant.

    Raises:
        NothingStored: there are no such series, or none of them has a bar within the bounds.
        DatabaseError: the server failed. What `write` raises is raised as it is.
    """
    with connect(url) as connection, reading(connection, asked, at) as (series, pieces):
        rows = 0
        for piece in pieces:
            write(piece.select(columns))
            rows += piece.height
    return Exported(rows, series.height, series["first"].min(), series["last"].max())  # type: ignore[arg-type]


def totals(
    frames: Iterable[pl.DataFrame],
    columns: tuple[str, ...],
    write: Callable[[pl.DataFrame], object],
) -> Exported:
    """Calls `write` with `columns` of each of `frames` (`bars.SCHEMA`), and counts them."""
    rows, series, times = 0, pl.DataFrame(schema=dict.fromkeys(SERIES, pl.String())), []
    for frame in frames:
        write(frame.select(columns))
        rows += frame.height
        series = pl.concat([series, frame.select(SERIES).unique()]).unique()
        times += [at for at in (frame["ts"].min(), frame["ts"].max()) if isinstance(at, datetime)]
    return Exported(rows, series.height, min(times, default=None), max(times, default=None))


@contextmanager
def reading(
    connection: Connection, asked: SeriesFilter, at: Instant | None = None
) -> Iterator[tuple[pl.DataFrame, Iterator[pl.DataFrame]]]:
    """The series that have selected bars, as `stored_series`, and their bars piece by piece:
    columns of `bars.SCHEMA` after `sid`, sorted by key. All of it is one snapshot.

    Raises:
        NothingStored: there are no such series.
        DatabaseError: the server failed.
    """
    with connection.transaction():
        connection.run("session_of_moments")
        read_at(connection, at)
    series = cancellable(connection, lambda: stored_series(connection, asked))
    series = series.drop_nulls("first")
    names = series.select("sid", *SERIES)
    packed = ahead(_packed(connection, series), stop=lambda: stop(connection))
    with closing(packed) as pieces:
        yield (
            series,
            (unpacked(piece).join(names, on="sid", maintain_order="left") for piece in pieces),
        )


def _packed(connection: Connection, series: pl.DataFrame) -> Generator[pa.RecordBatch, None, None]:
    """Rows of `exported_bars`, a stretch of a series each, in order of the bars' key."""
    wanted = series.select("sid", *SERIES, lo="first", hi="last", bars=PIECE)
    seconds = series["interval"].replace_strict(bars.INTERVAL_SECONDS, default=1)
    possible = (series["last"] - series["first"]).dt.total_seconds() // seconds + 1
    before = [0, *possible.cum_sum().to_list()]
    density = 1.0  # of what is possible; markets close at night
    begin = 0
    while begin < wanted.height:
        end = max(bisect_right(before, before[begin] + _GROUP / density) - 1, begin + 1)
        found = _ask(connection, wanted[begin:end])
        bars_found = sum(map(sum, map(counts, found)))
        density = max(bars_found / (before[end] - before[begin]), _SPARSEST)
        begin = end
        for packed in found:
            if max(counts(packed)) < PIECE:
                yield packed
                continue
            for stretch in _stretches(packed):
                yield stretch
                yield from _rest(connection, wanted, stretch)


def _rest(
    connection: Connection, wanted: pl.DataFrame, stretch: pa.RecordBatch
) -> Iterator[pa.RecordBatch]:
    """The rest of a series that is longer than a piece, from after its last bar so far."""
    one = wanted.filter(sid=stretch["sid"][0].as_py())
    dtype = one["lo"].dtype
    lo, hi = one.select("lo", "hi").row(0)
    last = _last(stretch)
    while last < hi:
        # The server plans for every chunk that the statement does not exclude: so ask for twice
        # the time of the bars so far.
        span = max(last - lo, _LEAST)
        lo = last + timedelta(microseconds=1)
        last = min(lo + 2 * span, hi)
        asked = one.with_columns(lo=pl.lit(lo, dtype), hi=pl.lit(last, dtype))
        for packed in _ask(connection, asked):
            for piece in _stretches(packed):
                yield piece
                if counts(piece) == [PIECE]:
                    last = _last(piece)


def _ask(connection: Connection, wanted: pl.DataFrame) -> list[pa.RecordBatch]:
    connection.run("wanted_set", wanted_json(wanted))
    ends = wanted.select(pl.col("lo").min(), pl.col("hi").max()).row(0)
    return [packed for packed in connection.batches("exported_bars", *ends) if packed.num_rows]


def _stretches(packed: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    return (packed.slice(at, 1) for at in range(packed.num_rows))


def _last(stretch: pa.RecordBatch) -> datetime:
    last: datetime = unpacked_times(stretch)["ts"][-1]
    return last

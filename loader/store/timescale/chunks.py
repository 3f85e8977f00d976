"""The chunks in which TimescaleDB keeps the bars, and which of them a load touches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final, Self

import polars as pl

from loader.bars import TS
from loader.db.arrow import Connection
from loader.lazy import dataclass

_SCHEMA = pl.Schema(
    {"chunk": pl.String(), "lo": TS, "hi": TS, "compressed": pl.Boolean(), "due": pl.Boolean()}
)
#: Chunks are assumed to span whole hours; mdload makes them of 7 days.
_HOURS = pl.Schema({"interval": pl.String(), "ts": TS, "rows": pl.Int64()})
_FILLED = pl.Schema({"chunk": pl.String(), "bars": pl.Float64(), "symbols": pl.Float64()})
#: Chunks per statement that probes: fewer make more statements, more make each probe dearer.
_PROBED: Final = 8
#: Chunks per statement that reads them whole.
_WHOLE: Final = 64
#: Bars of a series in a chunk up to which reading all bars costs less than probes per series.
_FEW: Final = 64
#: Bars of which the hours are not yet counted; a piece of a large file has more.
_WAITING: Final = 50_000
_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Touched:
    """A chunk and the number of rows that a load wrote into it. `lo` is its first instant, `hi` the
    first one after it; `compressed` says whether its other rows are compressed, `due` whether the
    policy would compress it."""

    chunk: str
    lo: datetime
    hi: datetime
    compressed: bool
    due: bool
    rows: int


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of time from `lo` to `hi`, both included. `whole` says that its bars are read all
    at once rather than probed series by series: they are compressed (the newest may not be), or
    each series has few of them in a chunk."""

    lo: datetime
    hi: datetime
    whole: bool


#: Of a plain table.
ALL_TIME: Final = Stretch(
    datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC), whole=False
)


def chunked(session: Connection) -> bool:
    """Whether the bars are a hypertable that has chunks."""
    return bool(session.one("bars_chunked")[0])


def chunks(session: Connection) -> pl.DataFrame:
    """All chunks in order of time: chunk, lo, hi, compressed, due. Only if `chunked`."""
    return session.frame("bars_chunks").cast(_SCHEMA)


def stretches(session: Connection, *, few: bool = False) -> list[Stretch]:
    """Stretches that can hold bars, in order of time; a plain table has one. A statement that has
    the ends of a stretch as literals looks at few chunks, and either all of them are read whole or
    none. `few` says that few of the stored series are wanted: then only compressed chunks are."""
    if not chunked(session):
        return [ALL_TIME]
    found = chunks(session)
    whole = pl.col("compressed")
    if not few:
        found = found.join(
            session.frame("chunks_filled").cast(_FILLED), on="chunk", how="left",
            maintain_order="left",
        )  # fmt: skip
        whole |= (pl.col("bars") <= _FEW * pl.col("symbols")).fill_null(False)
    rows = found.select("lo", "hi", whole).rows()
    return _together([Stretch(lo, hi - _MICROSECOND, whole) for lo, hi, whole in rows])


def cut(apart: Sequence[Stretch], edges: Iterable[datetime]) -> list[Stretch]:
    """`apart`, with those that are read whole cut at `edges`: none of them has one within."""
    found = list(apart)
    for edge in edges:
        found = [
            part
            for one in found
            for part in (
                (replace(one, hi=edge - _MICROSECOND), replace(one, lo=edge))
                if one.whole and one.lo < edge <= one.hi
                else (one,)
            )
        ]
    return found


def _together(single: list[Stretch]) -> list[Stretch]:
    """Merges neighbours that are alike, and chunks of the same time, which exist if someone divided
    the table by more than time: no bar is in two stretches."""
    apart: list[Stretch] = []
    for chunk in single:
        if apart and chunk.lo <= apart[-1].hi:
            last = apart[-1]
            apart[-1] = Stretch(last.lo, max(last.hi, chunk.hi), last.whole and chunk.whole)
        else:
            apart.append(chunk)
    alike: list[Stretch] = []
    count = 0
    for chunk in apart:
        most = _WHOLE if chunk.whole else _PROBED
        if alike and alike[-1].whole == chunk.whole and count < most:
            alike[-1] = replace(alike[-1], hi=chunk.hi)
            count += 1
        else:
            alike.append(chunk)
            count = 1
    return alike or [ALL_TIME]


class HourCounts:
    """Counts bars by interval and hour. What is added is put together once somebody asks, or much
    has come."""

    def __init__(self) -> None:
        self._counted = pl.DataFrame(schema=_HOURS)
        self._added: list[tuple[str, pl.Series]] = []
        self._waiting = 0

    def add(self, bars: pl.DataFrame) -> None:
        """Counts `bars`, which have `interval` and `ts`."""
        if not bars.height:
            return
        first, last = bars["interval"].min(), bars["interval"].max()
        parts = [bars] if first == last else bars.partition_by("interval")
        for part in parts:
            self._added.append((str(part["interval"][0]), part["ts"]))
        self._waiting += bars.height
        if self._waiting > _WAITING:
            self._together()

    def counting(self, frames: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
        """Yields `frames` and counts their bars."""
        for frame in frames:
            self.add(frame)
            yield frame

    def __iadd__(self, other: HourCounts) -> Self:
        self._counted = pl.concat([self._counted, other._counted])
        if other._counted.height:
            self._together()
        self._added += other._added
        self._waiting += other._waiting
        if self._waiting > _WAITING:
            self._together()
        return self

    def _together(self) -> pl.DataFrame:
        by_interval: dict[str, list[pl.Series]] = {}
        for interval, ts in self._added:
            by_interval.setdefault(interval, []).append(ts)
        for interval, times in by_interval.items():
            hours = pl.concat(times).dt.truncate("1h").alias("ts").to_frame()
            new = hours.group_by("ts").agg(rows=pl.len())
            new = new.select(pl.lit(interval).alias("interval"), "ts", "rows").cast(_HOURS)
            self._counted = pl.concat([self._counted, new])
        self._added, self._waiting = [], 0
        self._counted = self._counted.group_by("interval", "ts").agg(pl.col("rows").sum())
        return self._counted

    @property
    def rows(self) -> int:
        return int(self._counted["rows"].sum()) + self._waiting

    def between(self, lo: datetime, hi: datetime | None) -> HourCounts:
        """Those from `lo` up to before `hi`."""
        part = HourCounts()
        part._counted = self._together().filter(
            (pl.col("ts") >= lo) & (pl.col("ts") < hi if hi else pl.lit(True))
        )
        return part

    def spans(self, interval: str) -> list[tuple[datetime, datetime]]:
        """First and last instant of stretches of bars of `interval` that are at least a week
        apart."""
        times = self._together().filter(pl.col("interval") == interval).sort("ts")["ts"]
        opens = (times.diff() > timedelta(days=7)).fill_null(True)
        end = timedelta(hours=1, microseconds=-1)
        ends = opens.shift(-1, fill_value=True)
        return [
            (lo, hi + end) for lo, hi in zip(times.filter(opens), times.filter(ends), strict=True)
        ]

    def sorted(self) -> pl.DataFrame:
        """`ts` (the hour) and `rows`, of all intervals."""
        return self._together().group_by("ts").agg(pl.col("rows").sum()).sort("ts")


def touched(all_chunks: pl.DataFrame, hours: HourCounts) -> list[Touched]:
    """The chunks that hold any of the hours, in order of time."""
    found = (
        hours.sorted()
        .join_asof(all_chunks.sort("lo"), left_on="ts", right_on="lo", coalesce=False)
        .filter(pl.col("ts") < pl.col("hi"))
        .group_by(*_SCHEMA)
        .agg(pl.col("rows").sum())
        .sort("lo")
    )
    return [Touched(**row) for row in found.iter_rows(named=True)]

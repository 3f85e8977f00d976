"""The chunks of the bars, where TimescaleDB keeps them in chunks: which of them a load touches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

import polars as pl

from loader import bars
from loader.db import Connection

TS = bars.SCHEMA["ts"]
_SCHEMA = pl.Schema(
    {"chunk": pl.String(), "lo": TS, "hi": TS, "compressed": pl.Boolean(), "due": pl.Boolean()}
)
#: Chunks are taken for whole hours; 7 days is what mdload makes.
_HOURS = pl.Schema({"ts": TS, "rows": pl.Int64()})


@dataclass(frozen=True, slots=True)
class Touched:
    """A chunk and the rows that a load wrote into it. `lo` is its first instant, `hi` the first one
    after it; `compressed` says whether its other rows are, `due` whether the policy would do it."""

    chunk: str
    lo: datetime
    hi: datetime
    compressed: bool
    due: bool
    rows: int


def chunked(session: Connection) -> bool:
    """Whether the bars are a hypertable that has chunks."""
    return bool(session.one("bars_chunked")[0])


def chunks(session: Connection) -> pl.DataFrame:
    """All of them, in order of time: chunk, lo, hi, compressed, due. Only where `chunked`."""
    return session.frame("bars_chunks").cast(_SCHEMA)


class Hours:
    """How many bars of each hour were counted."""

    def __init__(self) -> None:
        self._counted = pl.DataFrame(schema=_HOURS)

    def add(self, ts: pl.Series) -> None:
        new = ts.dt.truncate("1h").alias("ts").to_frame().group_by("ts").agg(rows=pl.len())
        both = pl.concat([self._counted, new.cast(_HOURS)])
        self._counted = both.group_by("ts").agg(pl.col("rows").sum())

    def counting(self, frames: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
        """`frames`, whose `ts` are counted as they go by."""
        for frame in frames:
            self.add(frame["ts"])
            yield frame

    def __iadd__(self, other: Hours) -> Self:
        both = pl.concat([self._counted, other._counted])
        self._counted = both.group_by("ts").agg(pl.col("rows").sum())
        return self

    @property
    def rows(self) -> int:
        return int(self._counted["rows"].sum())

    def between(self, lo: datetime, hi: datetime | None) -> Hours:
        """Those from `lo` up to before `hi`."""
        part = Hours()
        part._counted = self._counted.filter(
            (pl.col("ts") >= lo) & (pl.col("ts") < hi if hi else pl.lit(True))
        )
        return part

    def spans(self) -> list[tuple[datetime, datetime]]:
        """First and last instant of stretches that are a week apart at least."""
        times = self.sorted()["ts"]
        opens = (times.diff() > timedelta(days=7)).fill_null(True)
        end = timedelta(hours=1, microseconds=-1)
        ends = opens.shift(-1, fill_value=True)
        return [
            (lo, hi + end) for lo, hi in zip(times.filter(opens), times.filter(ends), strict=True)
        ]

    def sorted(self) -> pl.DataFrame:
        """`ts` (the hour) and `rows`."""
        return self._counted.sort("ts")


def touched(all_chunks: pl.DataFrame, hours: Hours) -> list[Touched]:
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

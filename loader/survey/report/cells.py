"""The time of a report, cut into cells, and how many bars each series has in each of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import polars as pl

from loader import bars
from loader.bars import SERIES
from loader.db.arrow import Connection
from loader.lazy import dataclass
from loader.store.packed import wanted_json
from loader.store.timescale.chunks import Stretch
from loader.survey.counts import in_slices

_MICROSECOND: Final = timedelta(microseconds=1)
_DAY: Final = timedelta(days=1)
#: Up to this many bars, the index entries of all are counted, cell by cell: four seconds at most.
COUNTED: Final = 20_000_000
#: Up to this many bars shorter than a day, each one's time is looked at: two seconds at most.
EXACT: Final = 2_000_000


@dataclass(frozen=True, slots=True)
class Cells:
    """Cells of whole days: `many` of them, each `step` long; the first begins at `origin` (UTC)."""

    origin: datetime
    step: timedelta
    many: int

    @classmethod
    def over(cls, first: datetime, last: datetime, most: int, *, weekly: bool) -> Cells:
        """Cells from `first` to `last`, at most `most`. `weekly` makes them of whole weeks, so that
        weekends are in all of them alike."""
        origin = first.replace(hour=0, minute=0, second=0, microsecond=0)
        unit = 7 * _DAY if weekly else _DAY
        units = -(-(last + _MICROSECOND - origin) // unit)
        step = unit * max(1, -(-units // most))
        return cls(origin, step, max(1, -(-(last + _MICROSECOND - origin) // step)))

    @property
    def edges(self) -> list[datetime]:
        """`many` + 1 times: where the cells begin, and where the last one ends."""
        return [self.origin + n * self.step for n in range(self.many + 1)]

    def holding(self, stretch: Stretch) -> int | None:
        """The number of the cell that all of the stretch lies in, if there is one."""
        number = (stretch.lo - self.origin) // self.step
        return number if (stretch.hi - self.origin) // self.step == number else None

    def number(self, ts: pl.Expr) -> pl.Expr:
        return (ts - self.origin).dt.total_microseconds() // (self.step // _MICROSECOND)


def about(connection: Connection, series: pl.DataFrame) -> int:
    """About how many bars the series have: what their intervals have room for, or all bars of the
    table by its statistics, if these are fewer."""
    length = pl.col("interval").replace_strict(
        bars.INTERVAL_SECONDS, default=86_400, return_dtype=pl.Int64
    )
    room = (pl.col("last") - pl.col("first")).dt.total_seconds() // length + 1
    possible = int(series.select(room.sum()).item() or 0)
    stored = connection.one("bars_about")[0]
    return possible if stored is None else min(possible, int(stored))


def counted(
    connection: Connection, pieces: pl.DataFrame, apart: Sequence[Stretch], cells: Cells
) -> pl.DataFrame:
    """`sid`, `cell` and `bars`: how many bars each series has in each cell that has any."""
    frames = [pl.DataFrame(schema={"sid": pl.Int32(), "cell": pl.Int64(), "bars": pl.Int64()})]
    for (number,), own in pieces.drop_nulls("first").group_by("stretch", maintain_order=True):
        assert isinstance(number, int)
        stretch = apart[number]
        if stretch.whole:
            cell = cells.holding(stretch)
            if cell is None:
                sliced = in_slices(connection, own, cells.origin, cells.step)
                frames.append(sliced.select("sid", cell="slice", bars="bars"))
            else:
                frames.append(own.select("sid", cell=pl.lit(cell, pl.Int64()), bars="bars"))
            continue
        wanted = own.select(
            "sid", *SERIES, lo="first", hi="last", origin=cells.origin,
            step=pl.lit(f"{cells.step // _MICROSECOND} microseconds"),
        )  # fmt: skip
        connection.run("wanted_set", wanted_json(wanted))
        for found in connection.frames("cell_counts", stretch.lo, stretch.hi):
            begun = found.cast({"cell": bars.TS})
            frames.append(begun.select("sid", cell=cells.number(pl.col("cell")), bars="bars"))
    return pl.concat(frames).group_by("sid", "cell").agg(pl.col("bars").sum())

"""The bars that a series should have by an exchange's calendar. Pure: frames in, frames out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Final, Literal

import polars as pl

from loader import bars
from loader.lazy import dataclass
from loader.survey.calendars import Calendar

#: Bars of a session start at its open (and again after its break), or on the clock in UTC. Minutes
#: are the same both ways; an hourly bar of New York starts at 13:30 or at 13:00.
Anchor = Literal["open", "clock"]
ANCHORS: Final[tuple[Anchor, ...]] = ("open", "clock")

#: A session (date) or the start of a bar (UTC).
Bound = date | datetime
#: Intervals with starts that no calendar defines.
UNKNOWN: Final = ("3d",)
#: Polars' words for intervals that are periods of the civil calendar.
PERIODS: Final = {"1w": "1w", "1mo": "1mo", "3mo": "3mo", "1y": "1y"}


def slots(calendar: Calendar, interval: str, anchor: Anchor, now: datetime) -> pl.DataFrame:
    """The bars of `interval` in the calendar's sessions that have ended by `now`.

    One row per bar, in order: `slot` (its number), `ts` (the bar's start, UTC) and `session` (Date;
    for a week or longer, the first day of the period). A day is one bar at 00:00 UTC. A week,
    month, quarter or year with a session is one bar at its first day. A shorter bar is expected if
    it contains any trading, so the last one before a close may be partial. `interval` must not be
    in `UNKNOWN`.
    """
    parts = calendar.parts
    if interval in PERIODS:
        begins = pl.col("session").cast(bars.TS).dt.truncate(PERIODS[interval])
        found = parts.select(session=begins.dt.date(), ts=begins).unique(maintain_order=True)
        found = found.with_columns(end=pl.col("ts").dt.offset_by(PERIODS[interval]))
    elif bars.is_daily(interval):
        found = parts.group_by("session", maintain_order=True).agg(end=pl.col("close").max())
        found = found.with_columns(ts=pl.col("session").cast(bars.TS))
    else:
        step = timedelta(seconds=bars.INTERVAL_SECONDS[interval])
        opens = pl.col("open") if anchor == "open" else pl.col("open").dt.truncate(step)
        found = (
            parts.select(
                "session", "close", ts=pl.datetime_ranges(opens, "close", step, closed="left")
            )
            .explode("ts", empty_as_null=False)
            .select("session", "ts", end=pl.min_horizontal(pl.col("ts") + step, "close"))
            .unique("ts", keep="first", maintain_order=True)
            .sort("ts")
        )
    return (
        found.filter(pl.col("end") <= now)
        .select("ts", "session")
        .with_row_index("slot")
        .cast({"slot": pl.Int64()})
    )


def period(ts: pl.Expr, interval: str) -> pl.Expr:
    """The ts of the slot that contains a bar at `ts`: weeks begin on Monday, whichever day a
    provider uses. Bars of a day or shorter keep their own ts."""
    return ts.dt.truncate(PERIODS[interval]) if interval in PERIODS else ts


@dataclass(frozen=True, slots=True)
class SlotGrid:
    """The expected bars of an interval, with one choice of anchor.

    `ts` and `session` have an entry per slot; `begins` and `ends` hold the first and last slot of
    each session.
    """

    anchor: Anchor
    interval: str
    ts: pl.Series
    session: pl.Series
    begins: Sequence[int]
    ends: Sequence[int]

    def ranges(
        self, series: pl.DataFrame, since: Bound | None, until: Bound | None
    ) -> pl.DataFrame:
        """The first and last expected slot of each series (`sid`, `first`, `last`): `a` and `b`;
        `b` is `a - 1` if none is expected. The series' own ends replace missing bounds."""
        a = self._place(since, series["first"], "left")
        b = self._place(until, series["last"], "right") - 1
        return series.select("sid", a=a, b=pl.max_horizontal(b, a - 1))

    def _place(
        self, bound: Bound | None, stored: pl.Series, side: Literal["left", "right"]
    ) -> pl.Series:
        if bound is None:
            stamped = stored.to_frame("ts").select(period(pl.col("ts"), self.interval)).to_series()
            return self.ts.search_sorted(stamped, side).cast(pl.Int64)
        return pl.Series([self.place(bound, side)], dtype=pl.Int64).new_from_index(0, stored.len())

    def place(self, bound: Bound, side: Literal["left", "right"]) -> int:
        """The number of slots before `bound`, or up to and including it."""
        among = self.ts if isinstance(bound, datetime) else self.session
        return int(among.search_sorted(pl.Series([bound], dtype=among.dtype), side)[0])


def slot_grids(sessions: Calendar, interval: str, now: datetime) -> list[SlotGrid]:
    """The distinct grids of `interval`, one per anchor; at least one."""
    grids: list[SlotGrid] = []
    for anchor in ANCHORS:
        expected = slots(sessions, interval, anchor, now)
        if not any(expected["ts"].equals(grid.ts) for grid in grids):
            by_session = expected.group_by("session", maintain_order=True).agg(
                begins=pl.col("slot").first(), ends=pl.col("slot").last()
            )
            begins, ends = by_session["begins"].to_list(), by_session["ends"].to_list()
            ts, session = expected["ts"], expected["session"]
            grids.append(SlotGrid(anchor, interval, ts, session, begins, ends))
    return grids

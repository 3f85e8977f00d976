"""Bars of single series, with what revised bars were before."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from loader import bars
from loader.bars import SERIES
from loader.db.arrow import Connection
from loader.db.rows import Session
from loader.errors import NothingStored
from loader.lazy import dataclass
from loader.survey.report.asked import Asked, Row
from loader.survey.report.coverage import Covered
from loader.survey.report.vintages import Vintages

#: Bars of a picture.
_BARS: Final = 120
#: Of these, bars that follow the newest revised one.
_AFTER: Final = 30
#: Series that are drawn at most.
_SERIES: Final = 24
_PARTS: Final = 3


@dataclass(frozen=True, slots=True)
class Candles:
    """
    Attributes:
        provider, symbol, interval: of the series.
        sample: whether it was chosen, not asked for.
        bars: in order of time: `ts`, the values of a bar, and `before`: for a revised bar its
            oldest values within the report and the `run_id` and `known_at` of the first change;
            else None.
        gone: bars in this time that were taken away: `ts`, old values, `run_id`, `known_at`.
    """

    provider: str
    symbol: str
    interval: str
    sample: bool
    bars: list[Row]
    gone: list[Row]


def candles(
    connection: Connection, session: Session, asked: Asked, covered: Covered, changed: Vintages
) -> list[Candles]:
    """
    Raises:
        NothingStored: a series asked for is not stored.
    """
    found = [(row, False) for text in asked.shown for row in _named(text, covered.series)]
    if not found and covered.series:
        found = [(_sample(covered.series, changed.series), True)]
    return [
        _candles(connection, session, asked, row, changed, sample=sample)
        for row, sample in found[:_SERIES]
    ]


def _named(text: str, series: Sequence[Row]) -> list[Row]:
    parts = text.split(":")
    found = [
        row for row in series
        if text.upper() == row["symbol"]
        or (len(parts) > 1 and (row["provider"], row["symbol"]) == (parts[0], parts[1].upper())
            and (len(parts) < _PARTS or row["interval"] == parts[2]))
    ]  # fmt: skip
    if not found:
        raise NothingStored(
            f"no series {text!r} is stored",
            hint="name it as SYMBOL, PROVIDER:SYMBOL or PROVIDER:SYMBOL:INTERVAL; "
            "see them: mdload coverage",
        )
    return found


def _sample(series: Sequence[Row], changed: Sequence[Row]) -> Row:
    """The series with most changed bars, else the one with most bars."""
    stored = {tuple(row[name] for name in SERIES): row for row in series}
    for row in changed:
        if (key := tuple(row[name] for name in SERIES)) in stored:
            return stored[key]
    return max(series, key=lambda row: row["bars"] or 0)


def _candles(
    connection: Connection, session: Session, asked: Asked, row: Row, changed: Vintages,
    *, sample: bool,
) -> Candles:  # fmt: skip
    provider, symbol, interval = key = tuple(row[name] for name in SERIES)
    until = row["last"]
    own = [c for c in changed.changes if tuple(c[name] for name in SERIES) == key]
    if own:
        step = timedelta(seconds=bars.INTERVAL_SECONDS.get(row["interval"], 86_400))
        newest = max(own, key=lambda change: change["known_at"])
        until = min(until, newest["last"] + _AFTER * step)
    shown = connection.frame("report_candles", *key, until, _BARS).cast({"ts": bars.TS}).sort("ts")
    if not shown.height:
        return Candles(provider, symbol, interval, sample, [], [])
    first, last = shown["ts"][0], shown["ts"][-1]
    revised: dict[datetime, Row] = {}
    gone = []
    for one in session.rows("report_revised", *key, first, last):
        if asked.since is not None and one["known_at"] < asked.since:
            continue
        old = {name: one[f"old_{name}"] for name in bars.VALUES}
        when = {"run_id": one["run_id"], "known_at": one["known_at"]}
        if one["op"] == "delete":
            gone.append({"ts": one["ts"], **old, **when})
        else:
            revised.setdefault(one["ts"], old | when)
    stored = shown.select("ts", *bars.VALUES)
    rows = [bar | {"before": revised.get(bar["ts"])} for bar in stored.iter_rows(named=True)]
    there = {bar["ts"] for bar in rows}
    return Candles(
        provider, symbol, interval, sample, rows, [bar for bar in gone if bar["ts"] not in there]
    )

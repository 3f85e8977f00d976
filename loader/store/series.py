"""Stored series (provider, symbol, interval), with their first and last bar."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from difflib import get_close_matches
from typing import Final

import polars as pl

from loader.bars import SERIES, TS
from loader.db.arrow import Connection
from loader.errors import NothingStored
from loader.lazy import dataclass
from loader.store.timescale.chunks import ALL_TIME, Stretch, stretches

_PIECES: Final = pl.Schema(
    {**{s: pl.String() for s in SERIES}, "first": TS, "last": TS, "bars": pl.Int64()}
)


@dataclass(frozen=True, slots=True)
class SeriesFilter:
    """Selects bars. `since` and `until` are moments, both included; None sets no limit."""

    provider: str | None = None
    symbols: Sequence[str] = ()
    interval: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    @property
    def lo(self) -> datetime:
        return self.since or ALL_TIME.lo

    @property
    def hi(self) -> datetime:
        return self.until or ALL_TIME.hi


def stored_series(connection: Connection, asked: SeriesFilter) -> pl.DataFrame:
    """The stored series that are asked for, in key order: `sid` (their number), provider, symbol,
    interval, and `first` and `last` (UTC): their bars' ts within the bounds, null where none is.

    Costs three index probes per stored series, however many bars; in chunks as many for each,
    unless `stretches` has it read whole.

    Raises:
        NothingStored: none is stored at all, or none of one of the named symbols.
    """
    return series_of(stored_pieces(connection, asked, apart_for(connection, asked)))


def apart_for(connection: Connection, asked: SeriesFilter) -> list[Stretch]:
    """The stretches in which bars that are asked for can be."""
    return stretches(connection, few=bool(asked.symbols))


def ends(
    connection: Connection, asked: SeriesFilter, apart: Sequence[Stretch]
) -> tuple[datetime, datetime] | None:
    """The first and the last ts of the bars asked for, whatever their symbol; None without any."""

    def end(name: str, stretch: Stretch) -> datetime | None:
        lo, hi = max(stretch.lo, asked.lo), min(stretch.hi, asked.hi)
        found = connection.row(name, lo, hi, asked.provider, asked.interval)
        return None if found is None else found[0]

    first = next(filter(None, (end("bars_first", one) for one in apart)), None)
    last = next(filter(None, (end("bars_last", one) for one in reversed(apart))), None)
    return None if first is None or last is None else (first, last)


def series_of(pieces: pl.DataFrame) -> pl.DataFrame:
    """`pieces` of series put together."""
    return (
        pieces.group_by("sid", *SERIES).agg(pl.col("first").min(), pl.col("last").max()).sort("sid")
    )


def stored_pieces(
    connection: Connection, asked: SeriesFilter, apart: Sequence[Stretch], *, within: bool = False
) -> pl.DataFrame:
    """`stored_series` stretch by stretch: with the number of the `stretch`, a row for each that has
    bars of the series, and `bars`, how many within the bounds (null: not counted). `within` leaves
    stretches out that have no time within the bounds, if there are such series in the others.

    Raises:
        NothingStored: as `stored_series`.
    """
    if asked.symbols:
        wanted = pl.Series(asked.symbols, dtype=pl.String).unique().to_list()
        connection.run("wanted_set", json.dumps(wanted))
    looked = {
        number: stretch
        for number, stretch in enumerate(apart)
        if not within or (stretch.lo <= asked.hi and stretch.hi >= asked.lo)
    }
    found = pl.concat(
        [
            pl.DataFrame(schema={**_PIECES, "stretch": pl.Int32()}),
            *(
                _pieces(connection, asked, stretch).with_columns(stretch=pl.lit(number, pl.Int32()))
                for number, stretch in looked.items()
            ),
        ]
    )
    everything = found
    for name in ("provider", "interval"):
        if (value := getattr(asked, name)) is not None:
            found = found.filter(pl.col(name) == value)
    if asked.symbols:
        found = found.filter(pl.col("symbol").is_in(asked.symbols))
    absent = sorted(set(asked.symbols) - set(found["symbol"]))
    if absent or not found.height:
        if len(looked) < len(apart):
            return stored_pieces(connection, asked, apart)
        raise NothingStored(_none_stored(asked, absent), hint=_next_step(asked, everything))
    series = found.select(SERIES).unique().sort(SERIES).with_row_index("sid")
    return series.cast({"sid": pl.Int32()}).join(found, on=SERIES, maintain_order="left_right")


def _pieces(connection: Connection, asked: SeriesFilter, stretch: Stretch) -> pl.DataFrame:
    """What of each series lies in the stretch (`_PIECES`)."""
    lo, hi = max(stretch.lo, asked.lo), min(stretch.hi, asked.hi)
    if not stretch.whole:
        name = "series_of_symbols" if asked.symbols else "series_all"
        return _frame(connection, name, stretch.lo, stretch.hi, lo, hi)
    name = "series_between_of" if asked.symbols else "series_between"
    whole = _frame(connection, name, stretch.lo, stretch.hi)
    if (lo, hi) == (stretch.lo, stretch.hi):
        return whole
    within = _frame(connection, name, lo, hi) if lo <= hi else whole.clear()
    return whole.select(SERIES).join(within, on=SERIES, how="left")


def _frame(connection: Connection, name: str, *times: datetime) -> pl.DataFrame:
    frames = [
        frame if "bars" in frame.columns else frame.with_columns(bars=None)
        for frame in connection.frames(name, *times)
    ]
    return pl.concat([pl.DataFrame(schema=_PIECES), *(frame.cast(_PIECES) for frame in frames)])


def _none_stored(asked: SeriesFilter, absent: Sequence[str]) -> str:
    what = f" of {', '.join(absent)}" if absent else ""
    kind = f" {asked.interval}" if asked.interval else ""
    source = f" from {asked.provider}" if asked.provider else ""
    return f"no{kind} bars{what}{source} are stored"


def _next_step(asked: SeriesFilter, stored: pl.DataFrame) -> str:
    """What a mistyped name may have meant, among the stored ones."""
    for name, value in (("provider", asked.provider), ("interval", asked.interval)):
        names = stored[name].unique().to_list()
        if value is None or value in names:
            continue
        close = get_close_matches(value, names, 1)
        likely = close or sorted(other for other in names if other.startswith(value))
        if likely:
            return f"did you mean {likely[0]}? See what there is: mdload coverage"
    if not stored.height and not asked.symbols:
        return "load some: mdload backfill FILE --provider NAME"
    return "see what there is: mdload coverage"

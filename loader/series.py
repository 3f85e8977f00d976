"""Stored series (provider, symbol, interval): which there are, from when to when."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import polars as pl

from loader import bars
from loader.db import Connection
from loader.errors import NothingStored

SERIES: Final = bars.KEY[:3]
_TS: Final = bars.SCHEMA["ts"]
#: What stands for no bound at all: PostgreSQL and Polars both know these years.
_BEGINNING: Final = datetime(1, 1, 1, tzinfo=UTC)
_END: Final = datetime(9999, 12, 31, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Asked:
    """Which bars are meant. `since` and `until` are moments, both included; None is no limit."""

    provider: str | None = None
    symbols: Sequence[str] = ()
    interval: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    @property
    def lo(self) -> datetime:
        return self.since or _BEGINNING

    @property
    def hi(self) -> datetime:
        return self.until or _END


def stored_series(connection: Connection, asked: Asked) -> pl.DataFrame:
    """The stored series that are asked for, in key order: `sid` (their number), provider, symbol,
    interval, and `first` and `last` (UTC): their bars' ts within the bounds, null where none is.

    Costs an index probe per stored series and two per series asked for, however many bars.

    Raises:
        NothingStored: none is stored at all, or none of one of the named symbols.
    """
    if asked.symbols:
        wanted = pl.Series(asked.symbols, dtype=pl.String).unique().to_frame("symbol")
        connection.run("wanted_set", json.dumps(wanted["symbol"].to_list()))
        found = connection.frame("series_of_symbols")
    else:
        found = connection.frame("series_all")
    for name in ("provider", "interval"):
        if (value := getattr(asked, name)) is not None:
            found = found.filter(pl.col(name) == value)
    absent = sorted(set(asked.symbols) - set(found["symbol"]))
    if absent or not found.height:
        raise NothingStored(_none_stored(asked, absent), hint="see what there is: mdload coverage")
    series = found.sort(SERIES).with_row_index("sid").cast({"sid": pl.Int32()})
    connection.run("wanted_set", wanted_json(series.with_columns(lo=asked.lo, hi=asked.hi)))
    spans = connection.frame("series_spans").cast({"first": _TS, "last": _TS})
    return series.join(spans, on="sid", how="left", maintain_order="left")


def wanted_json(wanted: pl.DataFrame) -> str:
    """Rows for `wanted_set`: times become text that PostgreSQL reads exactly."""
    stamps = [name for name, dtype in wanted.schema.items() if isinstance(dtype, pl.Datetime)]
    return wanted.with_columns(pl.col(stamps).dt.to_string("%Y-%m-%dT%H:%M:%S%.6fZ")).write_json()


def _none_stored(asked: Asked, absent: Sequence[str]) -> str:
    what = f" of {', '.join(absent)}" if absent else ""
    kind = f" {asked.interval}" if asked.interval else ""
    source = f" from {asked.provider}" if asked.provider else ""
    return f"no{kind} bars{what}{source} are stored"

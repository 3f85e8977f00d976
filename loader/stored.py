"""What the store has already: bars read back and compared, so that only differences are written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from loader import bars
from loader.db import Connection
from loader.duplicates import SERIES, TS

#: A gap of more bars than this starts a new stretch: an index probe is cheaper than reading on.
_GAP_BARS = 64
#: Bars to read back at a time, however widely a piece's keys are scattered.
_READ_ROWS = 500_000
_STORED = {"sid": pl.Int32(), "ts": TS, **{v: bars.SCHEMA[v] for v in bars.VALUES}}


@dataclass(frozen=True, slots=True)
class Compared:
    """`new` and `changed` have `bars.SCHEMA`, sorted by key; `unchanged` counts the rest."""

    new: pl.DataFrame
    changed: pl.DataFrame
    unchanged: int


class Stored:
    """Compares pieces of one file with the store, over a connection of its own.

    What it sees is committed by others or was there before: pieces of the file itself must not
    repeat a key.
    """

    def __init__(self, reader: Connection) -> None:
        self._reader = reader
        self._spans = pl.DataFrame(
            schema={**{s: pl.String() for s in SERIES}, "stored_lo": TS, "stored_hi": TS}
        )
        reader.run("session_setup")

    def compare(self, frame: pl.DataFrame, series: pl.DataFrame) -> Compared:
        """Splits `frame` (columns of `bars.SCHEMA` at least, sorted by key, one row per key)."""
        series = self._with_spans(series).with_row_index("sid").cast({"sid": pl.Int32()})
        met = series.filter(
            (pl.col("lo") <= pl.col("stored_hi")) & (pl.col("hi") >= pl.col("stored_lo"))
        )
        if not met.height:
            return Compared(frame.select(bars.COLUMNS), frame.select(bars.COLUMNS).clear(), 0)
        rows = frame.join(
            series.select(*SERIES, "sid", "stored_lo", "stored_hi"),
            on=SERIES,
            maintain_order="left",
        ).with_columns(inside=pl.col("ts").is_between("stored_lo", "stored_hi").fill_null(False))
        stored = [self._read(part) for part in _stretches(rows.filter("inside"), series)]
        old = pl.concat(stored) if stored else pl.DataFrame(schema=_STORED)
        joined = rows.join(
            old.with_columns(found=pl.lit(True)),
            on=["sid", "ts"], how="left", suffix="_old", maintain_order="left",
        )  # fmt: skip
        found = pl.col("found").fill_null(False)
        differs = pl.any_horizontal(pl.col(v).ne_missing(pl.col(f"{v}_old")) for v in bars.VALUES)
        joined = joined.with_columns(found=found, differs=differs)
        new = joined.filter(~pl.col("found")).select(bars.COLUMNS)
        changed = joined.filter(pl.col("found") & pl.col("differs")).select(bars.COLUMNS)
        return Compared(new, changed, frame.height - new.height - changed.height)

    def _with_spans(self, series: pl.DataFrame) -> pl.DataFrame:
        unknown = series.join(self._spans, on=SERIES, how="anti").with_row_index("sid")
        if unknown.height:
            self._reader.run("wanted_set", unknown.select("sid", *SERIES).write_json())
            spans = self._reader.frame("stored_spans").cast({"sid": pl.UInt32()})
            asked = unknown.select("sid", *SERIES).join(spans, on="sid", how="left").drop("sid")
            self._spans = pl.concat([self._spans, asked.cast(self._spans.schema)])
        return series.join(self._spans, on=SERIES, how="left", maintain_order="left")

    def _read(self, stretches: pl.DataFrame) -> pl.DataFrame:
        self._reader.run("wanted_set", stretches.write_json())
        return self._reader.frame("stored_bars").cast(_STORED)  # type: ignore[arg-type]


def _stretches(rows: pl.DataFrame, series: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Stretches of time per series (sid, provider, symbol, interval, lo, hi) that hold `rows`, in
    groups that read back at most about `_READ_ROWS` bars."""
    if not rows.height:
        return
    step = pl.col("interval").replace_strict(bars.INTERVAL_SECONDS, return_dtype=pl.Int64)
    opens = (pl.col("sid") != pl.col("sid").shift()) | (
        pl.col("ts").diff().dt.total_seconds() > _GAP_BARS * step
    )
    stretches = (
        rows.select("sid", "interval", "ts")
        .with_columns(stretch=opens.fill_null(True).cum_sum())
        .group_by("stretch", maintain_order=True)
        .agg(pl.col("sid", "interval").first(), lo=pl.col("ts").min(), hi=pl.col("ts").max())
        .with_columns(estimate=(pl.col("hi") - pl.col("lo")).dt.total_seconds() // step + 1)
        .with_columns(group=pl.col("estimate").cum_sum() // _READ_ROWS)
        .join(series.select("sid", "provider", "symbol"), on="sid", maintain_order="left")
        .with_columns(pl.col("lo", "hi").dt.to_string("%Y-%m-%dT%H:%M:%S%.6fZ"))
    )
    for _, part in stretches.group_by("group", maintain_order=True):
        yield part.select("sid", *SERIES, "lo", "hi")

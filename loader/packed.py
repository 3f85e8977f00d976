"""Stored bars as the query `stored_bars` packs them: a row per stretch, and in it each column's
values one after the other, 8 bytes each, big-endian."""

from __future__ import annotations

import sys
from array import array

import polars as pl
import pyarrow as pa

from loader import bars

#: Times count from 2000-01-01 there.
_EPOCH = 946_684_800_000_000


def unpacked(stretches: pl.DataFrame) -> pl.DataFrame:
    """The bars of `stretches`: `sid`, `ts` and the values of `bars.SCHEMA`, in their order.

    `stretches` has `sid`, `bars` (how many, at least one), per column of a bar one of that name
    (Binary), without its NULLs, and `no_volume` and its like: the packed ts of those NULLs.
    """
    rows = stretches.select(pl.col("sid").repeat_by("bars").explode()).with_columns(
        _stamps(stretches["ts"]).alias("ts")
    )
    values = {name: _values(stretches[name], bars.SCHEMA[name]) for name in bars.VALUES}
    for name in bars.OPTIONAL:
        if values[name].len() < rows.height:
            absent = stretches.select("sid", ts=f"no_{name}").drop_nulls()
            values[name] = _with_nulls(values[name], absent, rows)
    return rows.with_columns(**values)


def unpacked_times(stretches: pl.DataFrame) -> pl.DataFrame:
    """`sid` and `ts` of bars whose times alone were packed: a row per stretch with both."""
    counts = pl.col("ts").bin.size() // 8
    return stretches.select(pl.col("sid").repeat_by(counts).explode()).with_columns(
        _stamps(stretches["ts"]).alias("ts")
    )


def _values(packed: pl.Series, dtype: pl.DataType) -> pl.Series:
    numbers = array("d" if dtype == pl.Float64 else "q")
    for part in packed.drop_nulls():
        numbers.frombytes(part)
    if sys.byteorder == "little":
        numbers.byteswap()
    kind = pa.float64() if dtype == pl.Float64 else pa.int64()
    column = pa.Array.from_buffers(kind, len(numbers), [None, pa.py_buffer(numbers)])
    frame = pl.from_arrow(pa.RecordBatch.from_arrays([column], ["values"]))
    assert isinstance(frame, pl.DataFrame)
    return frame.to_series()


def _stamps(packed: pl.Series) -> pl.Series:
    return (_values(packed, pl.Int64()) + _EPOCH).cast(bars.SCHEMA["ts"])


def _with_nulls(values: pl.Series, absent: pl.DataFrame, rows: pl.DataFrame) -> pl.Series:
    """`values` at their places among `rows`; `absent` has sid and the packed ts of the others."""
    if not values.len():
        return pl.Series([None], dtype=values.dtype).new_from_index(0, rows.height)
    counts = absent.select("sid", n=pl.col("ts").bin.size() // 8)
    nulls = counts.select(pl.col("sid").repeat_by("n").explode()).with_columns(
        _stamps(absent["ts"]).alias("ts"), null=True
    )
    marked = rows.join(nulls, on=["sid", "ts"], how="left", maintain_order="left")
    there = marked["null"].is_null()
    place = there.cum_sum().cast(pl.Int64) - 1
    return pl.select(pl.when(there).then(values.gather(place))).to_series()

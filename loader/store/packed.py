"""Reads bars as the queries `stored_bars` and `exported_bars` pack them: a row per stretch, with
each column's values one after the other, 8 bytes each, big-endian.

Arrow stores the bytes of such a column without gaps, so all stretches of a batch are read at once.
`stretches` says which to ask for.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import polars as pl
import pyarrow as pa

from loader import bars
from loader.bars import SERIES
from loader.check.unique import runs
from loader.db.queries.shards import Shards

#: A series with fewer bars than this share of what its interval has room for is split: markets that
#: open for six and a half hours on weekdays trade a fifth of the time.
_SCATTERED = 1 / 8
#: In a split series, a gap of more bars than this starts a new stretch: finding a
#: stretch costs as much as reading these.
_GAP_BARS = 64
#: Bars that one query reads back; a stretch has at most half as many.
_READ_ROWS = 60_000
#: Seconds of a bar, and how many bars fit from `lo` to `hi`.
_STEP = pl.col("interval").replace_strict(bars.INTERVAL_SECONDS, return_dtype=pl.Int64)
ROOM = (pl.col("hi") - pl.col("lo")).dt.total_seconds() // _STEP + 1


def wanted_json(wanted: pl.DataFrame) -> str:
    """Rows as an array of objects; times become text that PostgreSQL reads exactly."""
    stamps = [name for name, dtype in wanted.schema.items() if isinstance(dtype, pl.Datetime)]
    return wanted.with_columns(pl.col(stamps).dt.to_string("%Y-%m-%dT%H:%M:%S%.6fZ")).write_json()


#: PostgreSQL counts times from 2000-01-01: microseconds from 1970 to then.
_EPOCH = 946_684_800_000_000
_WIDTH = 8


def unpacked(stretches: pa.RecordBatch) -> pl.DataFrame:
    """The bars of `stretches`: `sid` (Int32), `ts` and the values of `bars.SCHEMA`, in their order.

    `stretches` has `sid` (int32) and binary columns with a stretch's values without NULLs: `ts`,
    `prices` (open, high, low, close of a bar together), each of `bars.OPTIONAL`; and `no_volume`
    and its like, the ts of the bars where that value is NULL. Binary, not large binary.
    """
    rows = unpacked_times(stretches)
    prices = _series(_numbers(stretches["prices"], "d")).to_frame("all")
    each = pl.col("all").gather_every
    found = prices.select(each(len(bars.PRICES), at).alias(p) for at, p in enumerate(bars.PRICES))
    columns = found.get_columns()
    for name in bars.OPTIONAL:
        values = _series(_numbers(stretches[name], "d" if name in _FLOATS else "q"))
        if values.len() < rows.height:
            absent = _rows(stretches["sid"], stretches[f"no_{name}"])
            values = _with_nulls(values, absent, rows)
        columns.append(values.alias(name))
    return rows.hstack(columns)


def unpacked_times(stretches: pa.RecordBatch) -> pl.DataFrame:
    """`sid` and `ts` alone."""
    return _rows(stretches["sid"], stretches["ts"])


def counts(stretches: pa.RecordBatch) -> list[int]:
    """How many bars each stretch has."""
    return _counts(stretches["ts"])


def repeated(numbers: Iterable[int], counts: Iterable[int]) -> pl.Series:
    """Each number, repeated as often as its count says (Int32)."""
    rows = array("i")
    for number, count in zip(numbers, counts, strict=True):
        rows.extend(array("i", (number,)) * count)
    return _series(rows)


_FLOATS = {name for name in bars.VALUES if bars.SCHEMA[name] == pl.Float64}


def _rows(sid: Any, ts: Any) -> pl.DataFrame:
    stamps = (_series(_numbers(ts, "q")) + _EPOCH).cast(bars.TS)
    return pl.DataFrame([repeated(sid.to_pylist(), _counts(ts)).alias("sid"), stamps.alias("ts")])


def _counts(column: Any) -> list[int]:
    return [(end - begin) // _WIDTH for begin, end in pairwise(_offsets(column))]


def _offsets(column: Any) -> Sequence[int]:
    """Where each row's bytes begin among the column's, and where the last one's end."""
    places: Sequence[int] = memoryview(column.buffers()[1]).cast("i")
    return places[column.offset : column.offset + len(column) + 1]


def _numbers(column: Any, kind: str) -> array[Any]:
    """All values of all rows (`d`: float64, `q`: int64)."""
    numbers = array(kind)
    places = _offsets(column)
    if places[-1] > places[0]:
        numbers.frombytes(memoryview(column.buffers()[2])[places[0] : places[-1]])
    if sys.byteorder == "little":
        numbers.byteswap()
    return numbers


def _series(numbers: array[Any]) -> pl.Series:
    kind = {"d": pa.float64(), "q": pa.int64(), "i": pa.int32()}[numbers.typecode]
    column = pa.Array.from_buffers(kind, len(numbers), [None, pa.py_buffer(numbers)])
    # Not the bare array: for that Polars imports pyarrow.compute, which takes 25 ms.
    frame = pl.from_arrow(pa.RecordBatch.from_arrays([column], ["values"]))
    assert isinstance(frame, pl.DataFrame)
    return frame.to_series()


def _with_nulls(values: pl.Series, absent: pl.DataFrame, rows: pl.DataFrame) -> pl.Series:
    """`values` at their places among `rows`, and null elsewhere; `absent` has sid and ts of the
    nulls."""
    if not values.len():
        return pl.Series([None], dtype=values.dtype).new_from_index(0, rows.height)
    nulls = absent.with_columns(null=True)
    marked = rows.join(nulls, on=["sid", "ts"], how="left", maintain_order="left")
    there = marked["null"].is_null()
    place = there.cum_sum().cast(pl.Int64) - 1
    return pl.select(pl.when(there).then(values.gather(place))).to_series()


def near() -> pl.Expr:
    """Whether the bars of a series are close together."""
    return pl.col("rows") >= ROOM * _SCATTERED


def few() -> pl.Expr:
    return pl.col("rows") <= _READ_ROWS // 2


def stretches(rows: pl.DataFrame, series: pl.DataFrame) -> pl.DataFrame:
    """Stretches of time (sid, provider, symbol, interval, lo, hi) that hold the keys of the piece,
    in their order, with the number of its `rows` in each and about how many bars it has at `most`.
    A series is one stretch from `lo` to `hi` where it is `whole`, else it is split."""
    whole = series["whole"]
    columns = ["sid", *SERIES, "lo", "hi", "rows", "most"]
    entire = series.filter(whole).with_columns(most="rows").select(columns)
    if whole.all():
        return entire
    others = series.filter(~whole).select("sid", *SERIES, "lo", "hi")
    keys = rows.select("sid", "ts").join(others, on="sid", maintain_order="left")
    keys = keys.filter(pl.col("ts").is_between("lo", "hi")).drop("lo", "hi")
    seconds = pl.col("ts").dt.epoch("s")
    opens = (
        (pl.col("sid") != pl.col("sid").shift())
        | (seconds.diff() > _GAP_BARS * _STEP)
        | (pl.int_range(pl.len()) % (_READ_ROWS // 2) == 0)
        | ((seconds // (_STEP * (_READ_ROWS // 2))).diff() != 0)
    )
    parts = runs(keys, keys.select(opens.fill_null(True)).to_series()).with_columns(most=ROOM)
    return pl.concat([entire, parts.select(columns)]).sort("sid", "lo")


def grouped(stretches: pl.DataFrame, shards: Shards | None = None) -> list[pl.DataFrame]:
    """Groups of stretches with about `_READ_ROWS` bars each; a group has at least one stretch.
    Where bars are distributed, those of a shard stand together: each takes a statement."""
    if shards is not None:
        numbers = pl.Series(shards.numbers(stretches["symbol"]), dtype=pl.Int64)
        stretches = stretches.with_columns(shard=numbers).sort("shard", maintain_order=True)
        stretches = stretches.drop("shard")
    group = pl.col("most").cum_sum() // _READ_ROWS
    return stretches.with_columns(group=group).partition_by(
        "group", maintain_order=True, include_key=False
    )

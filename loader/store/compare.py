"""Reads stored bars back and compares them, so that only differences are written."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass

import polars as pl

from loader import bars
from loader.bars import SERIES, TS
from loader.check.unique import UniqueBatch, runs
from loader.db.arrow import Connection
from loader.store.packed import repeated, unpacked, wanted_json
from loader.store.timescale.chunks import chunked

#: A series with fewer bars than this share of what its interval has room for is split: markets that
#: open for six and a half hours on weekdays trade a fifth of the time.
_SCATTERED = 1 / 8
#: Once the store is known to hold this many times more bars than the file, every series is split.
_DENSER = 1.25
#: In a split series, a gap of more bars than this starts a new stretch: finding a
#: stretch costs as much as reading these.
_GAP_BARS = 64
#: Bars that one query reads back; a stretch has at most half as many.
_READ_ROWS = 60_000
#: Sessions that read at a time: encoding a row costs the server more than finding it.
_READERS = 2
#: Seconds of a bar, and how many bars fit from `lo` to `hi`.
_STEP = pl.col("interval").replace_strict(bars.INTERVAL_SECONDS, return_dtype=pl.Int64)
_ROOM = (pl.col("hi") - pl.col("lo")).dt.total_seconds() // _STEP + 1
_STORED = pl.Schema({"sid": pl.Int32(), "ts": TS, **{v: bars.SCHEMA[v] for v in bars.VALUES}})


@dataclass(frozen=True, slots=True)
class PendingDiff:
    """A piece, and the stored bars to compare it with, which are still being read.

    `rows` has `bars.SCHEMA`, sorted by key, one row per key, and `sid`, the series' number in the
    piece. It is None if nothing of the piece can be stored yet.
    """

    unique: UniqueBatch
    rows: pl.DataFrame | None = None
    parts: Sequence[Future[list[pl.DataFrame]]] = ()

    def stored(self) -> pl.DataFrame:
        """The stored bars (`_STORED`) in the order of `rows`. Waits until they are read.

        Raises:
            DatabaseError: they could not be read.
        """
        frames = [frame for part in self.parts for frame in part.result()]
        return pl.concat(frames) if frames else pl.DataFrame(schema=_STORED)


@dataclass(frozen=True, slots=True)
class Diff:
    """`new` and `changed` have `bars.SCHEMA`, sorted by key; `unchanged` counts the rest."""

    unique: UniqueBatch
    new: pl.DataFrame
    changed: pl.DataFrame
    unchanged: int


class StoredReader:
    """Reads the stored bars that the pieces of one file meet, over sessions of its own.

    It sees only what is committed, not what the file itself has written: pieces of the file must
    not repeat a key.
    """

    def __init__(self, session: Callable[[], AbstractContextManager[Connection]]) -> None:
        self._session = session
        self._stack = ExitStack()
        self._asking: Connection | None = None
        self._chunked: bool | None = None
        self._is_denser: bool | None = None  # whether the store is denser than the file, if known
        self._own = threading.local()  # the session of each thread that reads
        self._spans = pl.DataFrame(
            schema={**{s: pl.String() for s in SERIES}, "stored_lo": TS, "stored_hi": TS}
        )

    def __enter__(self) -> StoredReader:
        self._pool = ThreadPoolExecutor(_READERS, "mdload-stored")
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        # The pool first, so that no session is closed while a thread still reads over it. After an
        # error of the file, the pieces before it are still needed: their reads go on to the end,
        # unless nobody takes them.
        self._pool.shutdown(cancel_futures=kind is GeneratorExit)
        self._stack.close()

    def beside(self, unique: UniqueBatch) -> PendingDiff:
        """Starts to read the stored bars between the first and last ts of each series of the piece.

        The reads go on while the next piece is prepared.
        """
        series = unique.series
        if spanned := not self._in_chunks():
            series = self._with_spans(series)
            met = (pl.col("lo") <= pl.col("stored_hi")) & (pl.col("hi") >= pl.col("stored_lo"))
            if not series.select(met.any()).item():
                return PendingDiff(unique)
        series = series.with_row_index("sid").cast({"sid": pl.Int32})
        rows = unique.bars.select(bars.COLUMNS).with_columns(
            repeated(range(series.height), series["rows"]).alias("sid")
        )
        if spanned:
            series = series.filter(met).with_columns(
                lo=pl.max_horizontal("lo", "stored_lo"), hi=pl.min_horizontal("hi", "stored_hi")
            )
        if self._is_denser is None:
            self._is_denser = self._has_more(series.filter(_near()).top_k(1, by="rows"))
        groups = _grouped(_stretches(rows, series, apart=bool(self._is_denser)))
        parts = [self._pool.submit(self._read, group, rows) for group in groups]
        return PendingDiff(unique, rows, parts)

    def _in_chunks(self) -> bool:
        """Whether the bars are in chunks. Then the ends of a series cost a probe per chunk, and its
        bars between two times only the chunks of that time."""
        if self._chunked is None:
            self._chunked = chunked(self._asked())
        return self._chunked

    def _asked(self) -> Connection:
        self._asking = self._asking or self._stack.enter_context(self._session())
        return self._asking

    def _with_spans(self, series: pl.DataFrame) -> pl.DataFrame:
        unknown = series.join(self._spans, on=SERIES, how="anti").with_row_index("sid")
        if unknown.height:
            asking = self._asked()
            asking.run("wanted_set", unknown.select("sid", *SERIES).write_json())
            spans = asking.frame("stored_spans").cast({"sid": pl.UInt32()})
            asked = unknown.select("sid", *SERIES).join(spans, on="sid", how="left").drop("sid")
            self._spans = pl.concat([self._spans, asked.cast(self._spans.schema)])
        return series.join(self._spans, on=SERIES, how="left", maintain_order="left")

    def _has_more(self, one: pl.DataFrame) -> bool | None:
        """Whether the store has more bars of that series between its ends than the piece. None if
        there is no series, or it has no gaps to judge by."""
        if one.is_empty():
            return None
        lo, hi, rows, room = one.select("lo", "hi", "rows", room=_ROOM).row(0)
        if room <= _DENSER * rows:
            return None
        asking = self._asked()
        asking.run("wanted_set", wanted_json(one.select("sid", *SERIES, "lo", "hi")))
        stored = sum(frame["bars"].sum() for frame in asking.frames("stretch_counts", lo, hi))
        return bool(stored > _DENSER * rows)

    def _read(self, stretches: pl.DataFrame, rows: pl.DataFrame) -> list[pl.DataFrame]:
        """The stored bars of the stretches. If these hold many more bars than the piece (it is not
        in order, or the store is denser), only those with a key of `rows` stay in memory."""
        reader = getattr(self._own, "reader", None)
        if reader is None:
            reader = self._own.reader = self._stack.enter_context(self._session())
        reader.run("wanted_set", wanted_json(stretches.drop("rows", "most")))
        ends = stretches.select(pl.col("lo").min(), pl.col("hi").max()).row(0)
        wanted = int(stretches["rows"].sum())
        read, found = 0, []
        for batch in reader.batches("stored_bars", *ends):
            frame = unpacked(batch)
            read += frame.height
            many = frame.height > 2 * wanted
            found.append(frame.join(rows, on=["sid", "ts"], how="semi") if many else frame)
        if read > _DENSER * wanted:
            self._is_denser = True
        return found


def compare(beside: PendingDiff) -> Diff:
    """Splits a piece into new, changed and unchanged bars."""
    unique, rows = beside.unique, beside.rows
    if rows is None:
        bare = unique.bars.select(bars.COLUMNS)
        return Diff(unique, bare, bare.clear(), 0)
    stored = beside.stored()
    old = stored.with_columns(found=pl.lit(True)).rename({v: f"{v}_old" for v in bars.VALUES})
    if _same_keys(rows, stored):  # only known bars, as in a replay: no need to search
        joined = rows.hstack(old.drop("sid", "ts"))
    else:
        joined = rows.join(old, on=["sid", "ts"], how="left", maintain_order="left")
    differs = pl.any_horizontal(pl.col(v).ne_missing(pl.col(f"{v}_old")) for v in bars.VALUES)
    marked = joined.select(found=pl.col("found").fill_null(False), differs=differs)
    new = rows.filter(~marked["found"]).select(bars.COLUMNS)
    changed = rows.filter(marked["found"] & marked["differs"]).select(bars.COLUMNS)
    return Diff(unique, new, changed, rows.height - new.height - changed.height)


def _same_keys(rows: pl.DataFrame, stored: pl.DataFrame) -> bool:
    return rows.height == stored.height and all(
        (rows[key] == stored[key]).all() for key in ("sid", "ts")
    )


def _near() -> pl.Expr:
    """Whether the bars of a series are close together."""
    return pl.col("rows") >= _ROOM * _SCATTERED


def _stretches(rows: pl.DataFrame, series: pl.DataFrame, *, apart: bool) -> pl.DataFrame:
    """Stretches of time (sid, provider, symbol, interval, lo, hi) that hold the keys of the piece,
    in their order, with the number of its `rows` in each and about how many bars it has at `most`.
    A series is one stretch from `lo` to `hi`; it is split if its bars are scattered or many, or if
    `apart` says so for all."""
    few = pl.col("rows") <= _READ_ROWS // 2
    whole = series.select(_near() & few & pl.lit(not apart)).to_series()
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
    parts = runs(keys, keys.select(opens.fill_null(True)).to_series()).with_columns(most=_ROOM)
    return pl.concat([entire, parts.select(columns)]).sort("sid", "lo")


def _grouped(stretches: pl.DataFrame) -> list[pl.DataFrame]:
    """Groups of stretches with about `_READ_ROWS` bars each; a group has at least one stretch."""
    group = pl.col("most").cum_sum() // _READ_ROWS
    return stretches.with_columns(group=group).partition_by(
        "group", maintain_order=True, include_key=False
    )

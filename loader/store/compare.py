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
from loader.check.unique import UniqueBatch
from loader.db.arrow import Connection
from loader.store.packed import (
    ROOM,
    few,
    grouped,
    near,
    repeated,
    stretches,
    unpacked,
    wanted_json,
)
from loader.store.timescale.chunks import chunked

#: Once the store is known to hold this many times more bars than the file, every series is split.
_DENSER = 1.25
#: Sessions that read at a time: encoding a row costs the server more than finding it.
_READERS = 2
_SPANS = pl.Schema({**{s: pl.String() for s in SERIES}, "stored_lo": TS, "stored_hi": TS})
_STORED = pl.Schema({"sid": pl.Int32(), "ts": TS, **{v: bars.SCHEMA[v] for v in bars.VALUES}})


@dataclass(frozen=True, slots=True)
class PendingDiff:
    """A piece, and the stored bars to compare it with, which are still being read.

    `rows` has `bars.SCHEMA`, sorted by key, one row per key, and `sid`, the series' number in the
    piece. It is None if nothing of the piece can be stored yet.

    `series` has those of the piece in the order of their `sid`: `stored_lo` and `stored_hi`, the
    first and last stored ts (null: not stored, or not known), and whether all stored bars from the
    piece before up to the end of this one are read (`whole`), not only those near its own.
    """

    unique: UniqueBatch
    rows: pl.DataFrame | None = None
    parts: Sequence[Future[Reading]] = ()
    series: pl.DataFrame | None = None

    def stored(self) -> Reading:
        """The stored bars in the order of `rows`. Waits until they are read.

        Raises:
            DatabaseError: they could not be read.
        """
        read = [part.result() for part in self.parts]
        frames = [frame for one in read for frame in one.frames]
        return Reading(
            [pl.concat(frames) if frames else pl.DataFrame(schema=_STORED)],
            [counts for one in read for counts in one.others],
        )


@dataclass(frozen=True, slots=True)
class Reading:
    """Stored bars: `frames` of `_STORED`, and how many `others` of the same stretches there are,
    which were not kept in memory (sid, len)."""

    frames: list[pl.DataFrame]
    others: list[pl.DataFrame]


@dataclass(frozen=True, slots=True)
class Met:
    """A piece beside the stored bars, row by row.

    `joined` has the rows of the piece, with `sid` and the stored values as `open_old` …; `found`
    says which of them are stored, `changed` which of these with other values. `stored` is what was
    read: `sid` of each, and `others` as in `Reading`.
    """

    joined: pl.DataFrame
    found: pl.Series
    changed: pl.Series
    stored: pl.Series
    others: list[pl.DataFrame]


@dataclass(frozen=True, slots=True)
class Diff:
    """`new` and `changed` have `bars.SCHEMA`, sorted by key; `unchanged` counts the rest. `series`
    are those of the `PendingDiff`; `met` is None where nothing of the piece can be stored."""

    unique: UniqueBatch
    new: pl.DataFrame
    changed: pl.DataFrame
    unchanged: int
    series: pl.DataFrame | None = None
    met: Met | None = None


class StoredReader:
    """Reads the stored bars that the pieces of one file meet, over sessions of its own.

    It sees only what is committed, not what the file itself has written: pieces of the file must
    not repeat a key. Unless they are `scattered`, each series goes on where the piece before ended:
    then the stored bars in between are read too. A piece that is `alone` is read by the thread that
    asks for it, because there is nothing to prepare meanwhile.
    """

    def __init__(
        self,
        session: Callable[[], AbstractContextManager[Connection]],
        *,
        scattered: bool = False,
        alone: bool = False,
        in_chunks: Callable[[Connection], bool] = chunked,
    ) -> None:
        self._session, self._ask_chunked = session, in_chunks
        self._scattered, self._alone = scattered, alone
        self._passed: list[pl.DataFrame] = []
        self._stack = ExitStack()
        self._asking: Connection | None = None
        self._chunked: bool | None = None
        self._is_denser: bool | None = None  # whether the store is denser than the file, if known
        self._own = threading.local()  # the session of each thread that reads
        self._spans = pl.DataFrame(schema=_SPANS)

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
            if series["stored_lo"].null_count() == series.height:
                return PendingDiff(unique)
            series = self._going_on(series)
            met = (pl.col("lo") <= pl.col("stored_hi")) & (pl.col("hi") >= pl.col("stored_lo"))
            if not series.select(met.any()).item():
                return PendingDiff(
                    unique, series=series.with_columns(whole=pl.lit(not self._scattered))
                )
        else:
            unknown = pl.lit(None, dtype=TS)
            series = self._going_on(series).with_columns(stored_lo=unknown, stored_hi=unknown)
        series = series.with_row_index("sid").cast({"sid": pl.Int32})
        rows = unique.bars.select(bars.COLUMNS).with_columns(
            repeated(range(series.height), series["rows"]).alias("sid")
        )
        asked = series.filter(met) if spanned else series
        if spanned:
            asked = asked.with_columns(
                lo=pl.max_horizontal("lo", "stored_lo"), hi=pl.min_horizontal("hi", "stored_hi")
            )
        if self._is_denser is None:
            self._is_denser = self._has_more(asked.filter(near()).top_k(1, by="rows"))
        asked = asked.with_columns(whole=near() & few() & pl.lit(not self._is_denser))
        groups = grouped(stretches(rows, asked), self._asked().shards)
        parts = [self._started(group, rows) for group in groups]
        split = asked.filter(~pl.col("whole"))["sid"]
        is_whole = ~pl.col("sid").is_in(split.implode()) & pl.lit(not self._scattered)
        return PendingDiff(unique, rows, parts, series.with_columns(whole=is_whole))

    def passed(self, unique: UniqueBatch) -> None:
        """Notes a piece that is not compared."""
        if not self._scattered:
            self._passed.append(unique.series)

    def _going_on(self, series: pl.DataFrame) -> pl.DataFrame:
        """The series from (or up to) where the pieces before this one ended."""
        if self._scattered:
            return series
        if not self._passed:  # the only piece of most files
            self._passed.append(series)
            return series
        own = [frame.select(*SERIES, "lo", "hi") for frame in self._passed]
        known = pl.concat(own).group_by(SERIES).agg(pl.col("lo").min(), pl.col("hi").max())
        self._passed = [known, series]
        past = series.join(
            known.rename({"lo": "past_lo", "hi": "past_hi"}), on=SERIES, how="left",
            maintain_order="left",
        )  # fmt: skip
        tick = pl.duration(microseconds=1)
        return past.with_columns(
            lo=pl.when(pl.col("past_hi") < pl.col("lo"))
            .then(pl.col("past_hi") + tick)
            .otherwise("lo"),
            hi=pl.when(pl.col("past_lo") > pl.col("hi"))
            .then(pl.col("past_lo") - tick)
            .otherwise("hi"),
        ).drop("past_lo", "past_hi")

    def _in_chunks(self) -> bool:
        """Whether the bars are in chunks. Then the ends of a series cost a probe per chunk, and its
        bars between two times only the chunks of that time."""
        if self._chunked is None:
            self._chunked = self._ask_chunked(self._asked())
        return self._chunked

    def _asked(self) -> Connection:
        self._asking = self._asking or self._stack.enter_context(self._session())
        return self._asking

    def _with_spans(self, series: pl.DataFrame) -> pl.DataFrame:
        unknown = series.join(self._spans, on=SERIES, how="anti").with_row_index("sid")
        if unknown.height:
            asking = self._asked()
            wanted = unknown.select("sid", *SERIES).write_json()
            spans = asking.frame("stored_spans", wanted).cast({"sid": pl.UInt32()})
            asked = unknown.select("sid", *SERIES).join(spans, on="sid", how="left").drop("sid")
            self._spans = pl.concat([self._spans, asked.cast(self._spans.schema)])
        return series.join(self._spans, on=SERIES, how="left", maintain_order="left")

    def _has_more(self, one: pl.DataFrame) -> bool | None:
        """Whether the store has more bars of that series between its ends than the piece. None if
        there is no series, or it has no gaps to judge by."""
        if one.is_empty():
            return None
        lo, hi, rows, room = one.select("lo", "hi", "rows", room=ROOM).row(0)
        if room <= _DENSER * rows:
            return None
        asking = self._asked()
        asking.run("wanted_set", wanted_json(one.select("sid", *SERIES, "lo", "hi")))
        stored = sum(frame["bars"].sum() for frame in asking.frames("stretch_counts", lo, hi))
        return bool(stored > _DENSER * rows)

    def _started(self, asked: pl.DataFrame, rows: pl.DataFrame) -> Future[Reading]:
        if self._alone:
            self._own.reader = self._asked()
            (read := Future[Reading]()).set_result(self._read(asked, rows))
            return read
        return self._pool.submit(self._read, asked, rows)

    def _read(self, asked: pl.DataFrame, rows: pl.DataFrame) -> Reading:
        """The stored bars of the stretches. If these hold many more bars than the piece (it is not
        in order, or the store is denser), only those with a key of `rows` stay in memory."""
        reader = getattr(self._own, "reader", None)
        if reader is None:
            reader = self._own.reader = self._stack.enter_context(self._session())
        reader.run("wanted_set", wanted_json(asked.drop("rows", "most")))
        ends = asked.select(pl.col("lo").min(), pl.col("hi").max()).row(0)
        wanted = int(asked["rows"].sum())
        read, found, others = 0, [], []
        for batch in reader.batches("stored_bars", *ends):
            frame = unpacked(batch)
            read += frame.height
            if frame.height > 2 * wanted:
                left = frame.select("sid", "ts").join(rows, on=["sid", "ts"], how="anti")
                others.append(left.group_by("sid").len())
                frame = frame.join(rows, on=["sid", "ts"], how="semi")
            found.append(frame)
        if read > _DENSER * wanted:
            self._is_denser = True
        return Reading(found, others)


def compare(beside: PendingDiff) -> Diff:
    """Splits a piece into new, changed and unchanged bars."""
    unique, rows = beside.unique, beside.rows
    if rows is None:
        bare = unique.bars.select(bars.COLUMNS)
        return Diff(unique, bare, bare.clear(), 0, beside.series)
    reading = beside.stored()
    (stored,) = reading.frames
    old = stored.with_columns(found=pl.lit(True)).rename({v: f"{v}_old" for v in bars.VALUES})
    if _same_keys(rows, stored):  # only known bars, as in a replay: no need to search
        joined = rows.hstack(old.drop("sid", "ts"))
    else:
        joined = rows.join(old, on=["sid", "ts"], how="left", maintain_order="left")
    differs = pl.any_horizontal(pl.col(v).ne_missing(pl.col(f"{v}_old")) for v in bars.VALUES)
    marked = joined.select(found=pl.col("found").fill_null(False), differs=differs)
    found, is_changed = marked["found"], marked["found"] & marked["differs"]
    new = rows.filter(~found).select(bars.COLUMNS)
    changed = rows.filter(is_changed).select(bars.COLUMNS)
    met = Met(joined, found, is_changed, stored["sid"], reading.others)
    unchanged = rows.height - new.height - changed.height
    return Diff(unique, new, changed, unchanged, beside.series, met)


def _same_keys(rows: pl.DataFrame, stored: pl.DataFrame) -> bool:
    return rows.height == stored.height and all(
        (rows[key] == stored[key]).all() for key in ("sid", "ts")
    )

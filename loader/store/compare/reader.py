"""Reads the stored bars that the pieces of a file meet."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack

import polars as pl
import pyarrow as pa

from loader import bars
from loader.bars import SERIES, TS
from loader.check.unique import UniqueBatch
from loader.db.arrow import Connection
from loader.store.compare import ENDS, PendingDiff, Reading, meets
from loader.store.compare.ends import Ends
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
        self._ends = Ends()

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
        series = self._with_ends(unique.series)
        if series["known"].all() and series["stored_lo"].null_count() == series.height:
            return PendingDiff(unique)
        series = self._going_on(series)
        met = ~pl.col("known") | meets()
        if not series.select(met.any()).item():
            series = series.drop("known").with_columns(whole=pl.lit(not self._scattered))
            return PendingDiff(unique, series=series)
        series = series.with_row_index("sid").cast({"sid": pl.Int32})
        rows = unique.bars.select(bars.COLUMNS).with_columns(
            repeated(range(series.height), series["rows"]).alias("sid")
        )
        asked = series.filter(met).with_columns(
            lo=pl.max_horizontal("lo", "stored_lo"), hi=pl.min_horizontal("hi", "stored_hi")
        )
        if self._is_denser is None:
            self._is_denser = self._has_more(asked.filter(near()).top_k(1, by="rows"))
        asked = asked.with_columns(whole=near() & few() & pl.lit(not self._is_denser))
        parts = stretches(rows, asked)
        unknown = asked.filter(~pl.col("known"))["sid"]
        if reads_ends := self._with_bars and unknown.len() > 0:
            is_first = pl.col("sid").is_first_distinct()
            parts = parts.with_columns(ends=is_first & pl.col("sid").is_in(unknown.implode()))
        reads = [self._started(group, rows) for group in grouped(parts, self._asked().shards)]
        if reads_ends:
            self._ends.expect(parts.filter("ends"), reads)
        split = asked.filter(~pl.col("whole"))["sid"]
        is_whole = ~pl.col("sid").is_in(split.implode()) & pl.lit(not self._scattered)
        series = series.drop("known").with_columns(whole=is_whole)
        return PendingDiff(unique, rows, reads, series, reads_ends)

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

    @property
    def _with_bars(self) -> bool:
        """Whether the ends of a series are read together with its bars: a statement per shard, and
        not two."""
        return self._asked().shards is not None and not self._in_chunks()

    def _with_ends(self, series: pl.DataFrame) -> pl.DataFrame:
        """`series` with `stored_lo`, `stored_hi` and whether these are `known`, and not to be asked
        for with the bars, or not at all."""
        if self._in_chunks():
            nothing = pl.lit(None, dtype=TS)
            return series.with_columns(
                stored_lo=nothing, stored_hi=nothing, known=pl.lit(value=False)
            )
        beside = self._ends.beside(series)
        if beside["known"].all() or self._with_bars:
            return beside
        asked = beside.filter(~pl.col("known")).with_row_index("sid").cast({"sid": pl.Int32})
        wanted = asked.select("sid", *SERIES).write_json()
        self._ends.add(asked, self._asked().frame("stored_spans", wanted))
        return self._ends.beside(series)

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
        name = "stored_bars_and_ends" if "ends" in asked.columns else "stored_bars"
        bounds = asked.select(pl.col("lo").min(), pl.col("hi").max()).row(0)
        wanted = int(asked["rows"].sum())
        read, found, others = 0, [], []
        ends = pl.DataFrame(schema=ENDS)
        for batch in reader.batches(name, *bounds):
            if "ends" in asked.columns:
                ends.extend(_ends(batch))
            frame = unpacked(batch)
            read += frame.height
            if frame.height > 2 * wanted:
                left = frame.select("sid", "ts").join(rows, on=["sid", "ts"], how="anti")
                others.append(left.group_by("sid").len())
                frame = frame.join(rows, on=["sid", "ts"], how="semi")
            found.append(frame)
        if read > _DENSER * wanted:
            self._is_denser = True
        if "ends" in asked.columns:
            self._ends.learn(asked.filter("ends"), ends)
        return Reading(found, others, ends)


def _ends(stretches: pa.RecordBatch) -> pl.DataFrame:
    frame = pl.from_arrow(stretches.select(list(ENDS)))
    assert isinstance(frame, pl.DataFrame)
    return frame.cast(ENDS).drop_nulls()

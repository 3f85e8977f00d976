"""The first and last stored bar of series, before a file adds its own."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from datetime import timedelta
from typing import Final

import polars as pl

from loader import bars
from loader.bars import SERIES, TS
from loader.db.arrow import Connection
from loader.store.compare import Met
from loader.store.packed import wanted_json

#: How far from new bars others are looked for in a hypertable, where each chunk costs a probe per
#: series: for so long, and at least so many bars.
_AROUND: Final = timedelta(days=31)
_STEPS: Final = 400
_SPAN: Final = pl.Schema({
    **{name: pl.String() for name in SERIES},
    "asked_lo": TS, "asked_hi": TS, "stored_lo": TS, "stored_hi": TS,
})  # fmt: skip


class Spans:
    """Spans of series by name. `session` opens a session that sees what is committed.

    Those of a plain table are known once its bars were asked for. In a hypertable they are looked
    for around the new bars of a piece, and what was found is remembered.
    """

    def __init__(self, session: Callable[[], AbstractContextManager[Connection]]) -> None:
        self._session = session
        self._stack = ExitStack()
        self._reader: Connection | None = None
        self._known = pl.DataFrame(schema=_SPAN)

    def of(self, series: pl.DataFrame, added: pl.DataFrame, met: Met) -> pl.DataFrame:
        """stored_lo and stored_hi (UTC, null where there are none) by the `sid` of `series`, for
        those that `added` (sid, ts) has new bars of."""
        if series["stored_lo"].null_count() < series.height:
            return series.select("sid", "stored_lo", "stored_hi")
        wanted = added.group_by("sid").agg(lo=pl.col("ts").min(), hi=pl.col("ts").max())
        named = series.select("sid", *SERIES).join(wanted, on="sid")
        around = named.join(self._known, on=SERIES, how="left", maintain_order="left")
        edge = _room() / 2
        outside = (pl.col("lo") - edge < pl.col("asked_lo")) | (
            pl.col("hi") + edge > pl.col("asked_hi")
        )
        if (asked := around.filter(outside.fill_null(True))).height:
            self._ask(asked.select("sid", *SERIES, "lo", "hi"))
            around = named.join(self._known, on=SERIES, how="left", maintain_order="left")
        return around.select("sid", "stored_lo", "stored_hi")

    def _ask(self, asked: pl.DataFrame) -> None:
        wanted = asked.with_columns(lo=pl.col("lo") - _room(), hi=pl.col("hi") + _room())
        self._reader = self._reader or self._stack.enter_context(self._session())
        self._reader.run("wanted_set", wanted_json(wanted))
        ends = wanted.select(pl.col("lo").min(), pl.col("hi").max()).row(0)
        frames = list(self._reader.frames("spans_around", *ends))
        found = pl.concat(frames) if frames else pl.DataFrame(schema={"sid": pl.Int32()})
        found = wanted.join(found, on="sid", how="left").select(
            *SERIES, asked_lo="lo", asked_hi="hi", stored_lo="stored_lo", stored_hi="stored_hi"
        )
        lowest, highest = ("asked_lo", "stored_lo"), ("asked_hi", "stored_hi")
        self._known = (
            pl.concat([self._known, found.cast(_SPAN)])
            .group_by(SERIES)
            .agg(pl.col(lowest).min(), pl.col(highest).max())
            .select(_SPAN.names())
        )

    def close(self) -> None:
        self._stack.close()


def _room() -> pl.Expr:
    step = pl.col("interval").replace_strict(bars.INTERVAL_SECONDS, return_dtype=pl.Int64)
    return pl.max_horizontal(pl.lit(_AROUND), pl.duration(seconds=_STEPS * step))

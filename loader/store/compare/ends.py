"""The first and last stored ts of the series of one file, as far as they are known."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, wait
from typing import Final

import polars as pl

from loader.bars import SERIES, TS
from loader.store.compare import ENDS, Reading

_SPANS: Final = pl.Schema({**{s: pl.String() for s in SERIES}, "stored_lo": TS, "stored_hi": TS})


class Ends:
    """The ends of series, as far as they are known. One thread asks, and those that read stored
    bars `learn`."""

    def __init__(self) -> None:
        self._known = pl.DataFrame(schema=_SPANS)
        self._learned: list[pl.DataFrame] = []
        self._reading: list[tuple[pl.DataFrame, Sequence[Future[Reading]]]] = []

    def beside(self, series: pl.DataFrame) -> pl.DataFrame:
        """`series` (`SERIES`, others) with `stored_lo` and `stored_hi`, null for those without
        bars, and whether they are `known`."""
        self._gather()
        if any(_share(series, asked) for asked, _ in self._reading):
            wait([part for _, parts in self._reading for part in parts])
            self._gather()
        known = self._known.with_columns(known=pl.lit(value=True))
        beside = series.join(known, on=SERIES, how="left", maintain_order="left")
        return beside.with_columns(pl.col("known").fill_null(value=False))

    def add(self, asked: pl.DataFrame, found: pl.DataFrame) -> None:
        """Remembers what was `found` (`ENDS`) of the series that were `asked` (sid, `SERIES`)."""
        spans = asked.select("sid", *SERIES).join(found.cast(ENDS), on="sid", how="left")
        self._known = pl.concat([self._known, spans.select(_SPANS.names())])

    def learn(self, asked: pl.DataFrame, found: pl.DataFrame) -> None:
        """As `add`, for any thread: it counts from the next `beside` on."""
        spans = asked.select("sid", *SERIES).join(found, on="sid", how="left")
        self._learned.append(spans.select(_SPANS.names()))

    def expect(self, asked: pl.DataFrame, parts: Sequence[Future[Reading]]) -> None:
        """Notes that `parts` will `learn` the ends of the series that were `asked`."""
        self._reading.append((asked.select(SERIES), parts))

    def _gather(self) -> None:
        self._reading = [one for one in self._reading if not all(part.done() for part in one[1])]
        while self._learned:
            self._known = pl.concat([self._known, self._learned.pop()])


def _share(series: pl.DataFrame, others: pl.DataFrame) -> bool:
    return series.join(others, on=SERIES, how="semi").height > 0

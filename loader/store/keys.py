"""Keys come again and again in a feed: what normalisation made of them is looked up."""

from __future__ import annotations

from typing import Any, Final

import polars as pl

from loader import bars
from loader.batch import Location, RawBatch
from loader.distinct import constant
from loader.duplicates import SERIES
from loader.layout import Hints, Layout, decide
from loader.normalise import Normalised, normalise

#: Of more rows than that the whole is normalised as quickly as their keys are looked up.
_FEW: Final = 1_500
#: Keys to remember; a program has that many instruments only by mistake.
_MOST: Final = 100_000


class KnownKeys:
    """`loader.normalise.normalise` for frames that `loader.store.bar` makes, ten times as fast for
    small ones: numbers and times are in order by their types, and keys are few."""

    def __init__(self) -> None:
        empty = RawBatch(pl.DataFrame(schema=bars.SCHEMA), Location("bars", 0, 1))
        self._layout: Layout = decide(empty, Hints())
        self._faults = normalise(empty, self._layout).faults.columns
        #: What a key as given comes to, and whether it has each of the faults.
        self._known: dict[tuple[Any, ...], tuple[Any, ...]] = {}

    def normalise(self, batch: RawBatch) -> Normalised:
        """The batch's rows as bars."""
        frame = batch.frame
        if frame.height > _FEW or frame.schema["trade_count"] != bars.SCHEMA["trade_count"]:
            return normalise(batch, self._layout)
        given = list(zip(*(frame.get_column(name).to_list() for name in SERIES), strict=True))
        self._learn(set(given))
        found = list(zip(*(self._known[key] for key in given), strict=True))
        words = [
            pl.Series(name, values, dtype=pl.String)
            for name, values in zip(SERIES, found, strict=False)
        ]
        faults = [
            pl.Series(name, values, dtype=pl.Boolean)
            if any(values)
            else constant(False, frame.height, pl.Boolean()).alias(name)
            for name, values in zip(self._faults, found[len(SERIES) :], strict=True)
        ]
        rest = frame.get_columns()[len(SERIES) :]
        return Normalised(
            pl.DataFrame([*words, *rest]), pl.DataFrame(faults), frame.get_column("symbol")
        )

    def _learn(self, keys: set[tuple[Any, ...]]) -> None:
        unseen = keys - self._known.keys()
        if not unseen:
            return
        if len(self._known) + len(unseen) > _MOST:
            self._known.clear()
            unseen = keys
        keys_alone = pl.DataFrame(
            list(unseen), schema=dict.fromkeys(SERIES, pl.String), orient="row"
        )
        nothing = pl.DataFrame(schema=bars.SCHEMA).clear(len(unseen))
        batch = RawBatch(nothing.with_columns(keys_alone), Location("bars", 0, 1))
        normal = normalise(batch, self._layout)
        meanings = normal.bars.select(SERIES).hstack(normal.faults)
        self._known.update(zip(unseen, meanings.iter_rows(), strict=True))

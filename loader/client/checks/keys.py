"""The keys of a feed repeat: remembers their normalised form instead of computing it again."""

from __future__ import annotations

from typing import Any, Final

import polars as pl

from loader import bars
from loader.bars import SERIES
from loader.check.layout.decide import Layout, decide
from loader.check.normalise import Normalised, normalise
from loader.read.batch import Location, RawBatch
from loader.settings import Meaning

_COUNTS: Final = [name for name, dtype in bars.SCHEMA.items() if dtype.is_integer()]
#: Above this, normalising all rows is as fast as looking up their keys.
_FEW: Final = 1_500
#: The normalised key, the source symbol, the step of the grid (microseconds), and whether the key
#: has each fault.
KeyMeaning = tuple[tuple[Any, ...], Any, Any, tuple[bool, ...]]

#: What is not known of a bar, as NumPy writes it, is null.
_KNOWN: Final = [pl.col(name).fill_nan(None) for name in ("volume", "vwap")]


class KnownKeys:
    """Normalises frames from `client.bar` as `check.normalise` does, small ones ten times as fast:
    their types leave nothing to do for numbers and times, and keys are few."""

    #: Keys to remember; a program with more instruments makes a mistake.
    MOST: Final = 100_000

    def __init__(self) -> None:
        empty = RawBatch(pl.DataFrame(schema=bars.SCHEMA), Location("bars", 0, 1))
        self._layout: Layout = decide(empty, Meaning())
        faults = normalise(empty, self._layout).faults.columns
        #: For each fault a column of one row without it, to extend to any length.
        self._sound = {name: pl.Series(name, [False]) for name in faults}
        #: By key as given.
        self._known: dict[tuple[Any, ...], KeyMeaning] = {}

    def normalise(self, batch: RawBatch) -> Normalised:
        """Normalises the rows of `batch`."""
        frame = batch.frame
        counts_are_whole = all(frame.schema[name].is_integer() for name in _COUNTS)
        if not 0 < frame.height <= _FEW or not counts_are_whole:
            return normalise(batch, self._layout)
        given = list(zip(*(frame.get_column(name).to_list() for name in SERIES), strict=True))
        self.learn(set(given))
        found = zip(*(self._known[key] for key in given), strict=True)
        words, source_symbols, steps, faults = found
        normal = [
            pl.Series(name, values, dtype=pl.String)
            for name, values in zip(SERIES, zip(*words, strict=True), strict=True)
        ]
        faulty = [
            pl.Series(name, values, dtype=pl.Boolean)
            if any(values)
            else sound.new_from_index(0, frame.height)
            for (name, sound), values in zip(
                self._sound.items(), zip(*faults, strict=True), strict=True
            )
        ]
        return Normalised(
            pl.DataFrame([*normal, *frame.get_columns()[len(SERIES) :]]).with_columns(_KNOWN),
            pl.DataFrame(faulty),
            pl.Series("symbol", source_symbols, dtype=pl.String),
            pl.Series("steps", steps, dtype=pl.Int64),
        )

    def meaning(self, key: tuple[Any, ...]) -> KeyMeaning | None:
        """What a key means that `learn` was given; None if it is new."""
        return self._known.get(key)

    def learn(self, keys: set[tuple[Any, ...]]) -> None:
        """Finds out what those of the keys mean that are new: strings, or None."""
        unseen = keys - self._known.keys()
        if not unseen:
            return
        if len(self._known) + len(unseen) > self.MOST:
            self._known.clear()
            unseen = keys
        keys_alone = pl.DataFrame(
            list(unseen), schema=dict.fromkeys(SERIES, pl.String), orient="row"
        )
        nothing = pl.DataFrame(schema=bars.SCHEMA).clear(len(unseen))
        batch = RawBatch(nothing.with_columns(keys_alone), Location("bars", 0, 1))
        normal = normalise(batch, self._layout)
        meanings = zip(
            normal.bars.select(SERIES).rows(), normal.source_symbols, normal.steps,
            normal.faults.rows(), strict=True,
        )  # fmt: skip
        self._known.update(zip(unseen, meanings, strict=True))

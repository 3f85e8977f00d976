"""Checks objects as the loader checks files, in batches of a given size."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import islice, pairwise
from typing import Final

import polars as pl

from loader import bars
from loader.bars import forks
from loader.check import rawjson
from loader.check.reasons import SYMBOL_COLLISION
from loader.check.unique import UniqueBatch
from loader.check.validate import CheckedBatch, RuleSettings, validate, with_keys
from loader.client.bar import BarLike, Columns, columns, frame
from loader.client.checks.keys import KnownKeys
from loader.client.checks.plain import FEW, PlainBars, PlainBatch
from loader.errors import SymbolCollision
from loader.read.batch import Location, RawBatch

#: Objects to check together if the caller has them in a sequence: a check takes some milliseconds,
#: however few objects it covers.
_AT_HAND: Final = 10_000


class Checks:
    """Checks the bars of one program by `rules`."""

    def __init__(self, rules: RuleSettings) -> None:
        self._rules = rules
        self._keys = KnownKeys()
        self._plain = PlainBars(self._keys, rules)

    def objects(self, given: Iterable[BarLike], size: int) -> Iterator[CheckedBatch | PlainBatch]:
        """Batches of `size` objects; rows are numbered from 1 over all of them. An iterator is read
        no further than the batch.

        Raises:
            TypeError, ValueError: see `loader.client.bar`; raised at the batch with the object.
            ValueError: `size` is not positive.
        """
        positive(size)
        if not isinstance(given, Sequence):
            remaining, first = iter(given), 0
            while batch := list(islice(remaining, size)):
                yield self.quickly(columns(batch, first), first)
                first += len(batch)
            return
        if size <= FEW:  # without frames also for each of many batches
            for first in range(0, len(given), size):
                yield self.quickly(columns(given[first : first + size], first), first)
            return
        step = size * max(1, _AT_HAND // size)
        for first in range(0, len(given), step):
            piece = given[first : first + step]
            checked = None
            with suppress(TypeError, ValueError):
                checked = self.batch(columns(piece, first), first)
            if checked is not None:
                yield from in_batches(checked, size)
                continue
            # The batches before the one with the error are good.
            for start in range(first, min(first + step, len(given)), size):
                piece = given[start : min(start + size, first + step)]
                yield self.batch(columns(piece, start), start)

    def quickly(self, values: Columns, first: int) -> CheckedBatch | PlainBatch:
        """The same as `batch`; a small batch of good bars comes without frames, ten times as fast.

        Raises:
            TypeError, ValueError, ForkedProcess: see `batch`.
        """
        forks.refuse()
        plain = self._plain.batch(values, first, lambda: self.batch(values, first))
        return self.batch(values, first) if plain is None else plain

    def batch(self, values: Columns, first: int) -> CheckedBatch:
        """One batch, of values that were read from objects; the first of them is row `first + 1`.

        Raises:
            TypeError, ValueError: see `loader.client.bar`.
            ForkedProcess: see `loader.bars.forks`.
        """
        forks.refuse()
        batch = RawBatch(frame(values, first), Location("bars", 0, first + 1))
        return validate(batch, self._keys.normalise(batch), self._rules)


def in_batches(checked: CheckedBatch, size: int) -> Iterator[CheckedBatch]:
    """`checked` in batches of `size` rows, good and bad."""
    if checked.good.height + checked.bad.height <= size:
        yield checked
        return
    parts = (checked.good, checked.bad)
    numbers = [part["row_number"] for part in parts]
    ends = [n[i] for n in numbers if n.len() for i in (0, -1)]
    starts = pl.Series(range(min(ends), max(ends) + size + 1, size))
    cuts = [n.search_sorted(starts).to_list() for n in numbers]
    for (good_from, good_to), (bad_from, bad_to) in zip(*map(pairwise, cuts), strict=True):
        good, bad = checked.good[good_from:good_to], checked.bad[bad_from:bad_to]
        rejected = Counter(bad["rules"].explode()) if bad.height else {}
        yield replace(checked, good=good, bad=bad, rejected=rejected)


def positive(batch_size: int) -> int:
    """`batch_size`, if it is positive.

    Raises:
        TypeError: it is not an integer, or a bool.
        ValueError: it is not positive.
    """
    if isinstance(batch_size, bool) or not isinstance(batch_size, int):
        raise TypeError(f"batch_size is a whole number, not {batch_size!r}")
    if batch_size < 1:
        raise ValueError(f"batch_size must be positive, not {batch_size}")
    return batch_size


def keep_out(batch: UniqueBatch, collision: SymbolCollision) -> UniqueBatch:
    """The batch with the bars of the collision's symbol, which is another security's already,
    turned into rejects."""
    assert batch.bad is not None
    assert batch.spellings is not None
    pair = ["provider", "symbol"]
    theirs = (pl.col("provider") == collision.provider) & (pl.col("symbol") == collision.symbol)
    lost = batch.bars.filter(theirs).join(
        batch.spellings.unique(pair), on=pair, how="left", maintain_order="left"
    )
    raw = lost.with_columns(symbol="source_symbol").select(bars.COLUMNS)
    bad = lost.select(
        "row_number", pl.lit([SYMBOL_COLLISION], dtype=pl.List(pl.String)).alias("rules")
    ).with_columns(rawjson.encode(raw))
    bad = with_keys(bad)  # without a key: the bar there is another security's
    return replace(
        batch,
        bars=batch.bars.filter(~theirs),
        series=batch.series.filter(~theirs),
        spellings=batch.spellings.filter(~theirs),
        bad=pl.concat([batch.bad, bad]),
        rejected=Counter(batch.rejected) + Counter({SYMBOL_COLLISION: bad.height}),
    )

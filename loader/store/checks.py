"""Objects and frames checked as the loader checks files, in batches of the size asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from itertools import islice
from typing import Final

import polars as pl

from loader import bars
from loader.batch import Location, RawBatch
from loader.layout import Hints, Layout, decide
from loader.normalise import normalise
from loader.store.bar import Bar, Row, frame, rows
from loader.validate import Checked, RuleSettings, validate

#: Objects to check at a time where they are at hand anyway: a check costs some milliseconds,
#: whatever it is of.
_AT_HAND: Final = 10_000


def of_objects(given: Iterable[Bar], size: int, rules: RuleSettings) -> Iterator[Checked]:
    """Batches of `size` objects; rows are numbered from 1 over all of them. What arrives over time
    is not waited for beyond the batch.

    Raises:
        TypeError, ValueError: see `loader.store.bar`; at the batch that holds the object.
        ValueError: `size` is not positive.
    """
    positive(size)
    if not isinstance(given, Sequence):
        remaining, first = iter(given), 0
        while batch := list(islice(remaining, size)):
            yield of_rows(rows(batch, first), first, rules)
            first += len(batch)
        return
    step = size * max(1, _AT_HAND // size)
    for first in range(0, len(given), step):
        piece = given[first : first + step]
        try:
            checked = of_rows(rows(piece, first), first, rules)
        except (TypeError, ValueError):  # the batches before the object are good
            for start in range(first, first + len(piece), size):
                yield of_rows(rows(given[start : start + size], start), start, rules)
        else:
            yield from in_batches(checked, size)


def of_rows(given: Sequence[Row], first: int, rules: RuleSettings) -> Checked:
    """One batch, of what objects said before.

    Raises:
        TypeError, ValueError: see `loader.store.bar`.
    """
    return of_frame(frame(given, first), first, _typed(), "bars", rules)


def of_frame(
    part: pl.DataFrame, first: int, layout: Layout, source: str, rules: RuleSettings
) -> Checked:
    """One batch, read by `layout`; the first of its rows is row `first + 1`."""
    batch = RawBatch(part, Location(source, 0, first + 1))
    return validate(batch, normalise(batch, layout), rules)


def in_batches(checked: Checked, size: int) -> Iterator[Checked]:
    """`checked` in batches of `size` rows, good and bad."""
    if checked.good.height + checked.bad.height <= size:
        yield checked
        return
    numbers = [part["row_number"] for part in (checked.good, checked.bad) if part.height]
    for start in range(min(n[0] for n in numbers), max(n[-1] for n in numbers) + 1, size):
        good, bad = (_slice(part, start, start + size) for part in (checked.good, checked.bad))
        rejected = Counter(bad["rules"].explode()) if bad.height else {}
        yield replace(checked, good=good, bad=bad, rejected=rejected)


def positive(batch_size: int) -> int:
    """Itself.

    Raises:
        ValueError: it is not.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size must be positive, not {batch_size}")
    return batch_size


def _slice(part: pl.DataFrame, start: int, end: int) -> pl.DataFrame:
    """The rows that are numbered from `start` up to `end`, without it."""
    numbers = part["row_number"]
    low, high = (int(numbers.search_sorted(row)) for row in (start, end))
    return part[low:high]


@cache
def _typed() -> Layout:
    """The layout of frames that `loader.store.bar` makes."""
    empty = RawBatch(pl.DataFrame(schema=bars.SCHEMA), Location("bars", 0, 1))
    return decide(empty, Hints())

"""The cases: the table before, the loaded file, and the required table afterwards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from benchmarks.made_bars import SESSION, Stretch, Universe


@dataclass(frozen=True)
class Case:
    """One task for every contender.

    Attributes:
        name: as in `--cases` and in the results.
        title: as in the report.
        source: the bars to load, as one file.
        after: the table afterwards, as stretches without common keys.
        full: whether the table holds all bars of the universe before, or none.
        format: the file's format.
        merges: whether the file meets stored bars, which rules out append-only contenders.
    """

    name: str
    title: str
    source: Callable[[Universe], Stretch]
    after: Callable[[Universe], tuple[Stretch, ...]]
    full: bool = True
    format: Literal["parquet", "csv"] = "parquet"
    merges: bool = True


#: A case without a database: how long `mdload --help` takes.
HELP = "help"


def base(universe: Universe) -> Stretch:
    return Stretch(universe, 0, universe.bars)


def _restated(share: float) -> Callable[[Universe], Stretch]:
    return lambda universe: replace(base(universe), restated=share)


def _last_restated(universe: Universe) -> Stretch:
    """The last hundredth of each symbol's bars, like a late correction of some days."""
    return replace(base(universe), restated=1.0, restated_from=universe.bars * 99 // 100)


def _next_day(universe: Universe) -> Stretch:
    return Stretch(universe, universe.bars, universe.bars + min(SESSION, universe.bars))


def _from_the_middle(universe: Universe) -> Stretch:
    half = universe.bars // 2
    return Stretch(universe, half, universe.bars + universe.bars - half)


def _one_bar(universe: Universe) -> Stretch:
    # A universe of one symbol has the ticker that is first in every universe.
    return Stretch(replace(universe, rows=1), universe.bars, universe.bars + 1)


def _second(universe: Universe) -> Stretch:
    return replace(base(universe), provider="second")


def _beside(source: Callable[[Universe], Stretch]) -> Callable[[Universe], tuple[Stretch, ...]]:
    return lambda universe: (base(universe), source(universe))


def _only(source: Callable[[Universe], Stretch]) -> Callable[[Universe], tuple[Stretch, ...]]:
    return lambda universe: (source(universe),)


def _with(news: Callable[[Universe], Stretch]) -> Callable[[Universe], tuple[Stretch, ...]]:
    """All bars, followed by those of `news`."""

    def after(universe: Universe) -> tuple[Stretch, ...]:
        new = news(universe)
        return base(universe), replace(new, start=max(new.start, universe.bars))

    return after


CASES = {
    case.name: case
    for case in (
        Case("fresh", "fresh load", base, _only(base), full=False, merges=False),
        Case("csv", "fresh load from CSV", base, _only(base), full=False, format="csv",
             merges=False),
        Case("replay", "identical replay", base, _only(base)),
        Case("restated-1", "1 % restated", _restated(0.01), _only(_restated(0.01))),
        Case("restated-last", "the last 1 % restated", _last_restated, _only(_last_restated)),
        Case("restated-10", "10 % restated", _restated(0.10), _only(_restated(0.10))),
        Case("append", "nightly append", _next_day, _with(_next_day), merges=False),
        Case("mixed", "half new, half equal", _from_the_middle, _with(_from_the_middle)),
        Case("second", "the same times of another provider", _second, _beside(_second),
             merges=False),
        Case("one", "one row", _one_bar, _with(_one_bar), merges=False),
    )
}  # fmt: skip

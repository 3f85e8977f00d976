"""The goals of a release, evaluated on the medians of one run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.cases import CASES, HELP
from benchmarks.results import Results

_KILO, _MEGA = 1e3, 1e6
Value = Callable[[Results], float | None]


@dataclass(frozen=True)
class Goal:
    """`goal` and `stretch` are upper limits, or lower limits if `more` is better."""

    text: str
    value: Value
    goal: float
    stretch: float | None = None
    more: bool = False
    unit: str = "×"

    def met(self, value: float, limit: float | None) -> bool:
        return limit is not None and (value >= limit if self.more else value <= limit)


def _of(case: str, contender: str = "mdload", field: str = "seconds", unit: float = 1.0) -> Value:
    def value(results: Results) -> float | None:
        found = results.median(case, contender, field)
        return None if found is None else found / unit

    return value


def _ratio(above: Value, below: Value) -> Value:
    def value(results: Results) -> float | None:
        a, b = above(results), below(results)
        return None if a is None or not b else a / b

    return value


def _known(results: Results) -> float | None:
    """The rate of a fresh load without start-up, which is the time of a load of one row."""
    known = _of("replay", "mdload-known")(results)
    start, fresh = _of("one")(results), _of("fresh")(results)
    return None if None in (known, start, fresh) else (known - start) / fresh  # type: ignore[operator]


def _closest(results: Results) -> float | None:
    """The time of the fastest merging contender divided by mdload's, in the worst case."""
    ratios = [
        _ratio(_of(case, other), _of(case))(results)
        for case in CASES
        for other in results.contenders
        if other in results.merging and not other.startswith("mdload")
    ]
    return min((ratio for ratio in ratios if ratio is not None), default=None)


def _peak(results: Results) -> float | None:
    peaks = [_of(case, field="peak_bytes", unit=_MEGA)(results) for case in ("fresh", "csv")]
    return max((peak for peak in peaks if peak is not None), default=None)


GOALS = (
    Goal("fresh load, against the floor", _ratio(_of("fresh"), _of("fresh", "floor")), 1.25, 1.05),
    Goal("nightly append, against the floor",
         _ratio(_of("append"), _of("append", "floor")), 1.4, 1.15),
    Goal("identical replay, against own fresh load",
         _ratio(_of("replay"), _of("fresh")), 0.4, 0.25),
    Goal("identical replay recognised, of own fresh load, beyond start-up", _known, 0.05),
    Goal("1 % restated, against own fresh load",
         _ratio(_of("restated-1"), _of("fresh")), 0.55, 0.35),
    Goal("fresh load, faster than the usual pattern",
         _ratio(_of("fresh", "usual"), _of("fresh")), 2, 2.5, more=True),
    Goal("identical replay, faster than the usual pattern",
         _ratio(_of("replay", "usual"), _of("replay")), 4, 6, more=True),
    Goal("closest contender that merges, in any case", _closest, 1, more=True),
    Goal("WAL of an identical replay",
         _of("replay", field="wal_bytes", unit=_KILO), 256, unit="kB"),
    Goal("rows touched by an identical replay",
         _of("replay", field="rows_touched"), 0, unit="rows"),
    Goal("CSV, against Parquet of the same rows", _ratio(_of("csv"), _of("fresh")), 1.3),
    Goal("peak memory, Parquet and CSV", _peak, 600, 400, unit="MB"),
    Goal("mdload --help", _of(HELP), 0.2, unit="s"),
    Goal("one row on a running server", _of("one"), 0.8, unit="s"),
)  # fmt: skip

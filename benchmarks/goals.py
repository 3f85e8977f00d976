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
    peaks = [
        _of(case, contender, "peak_bytes", _MEGA)(results)
        for case in results.cases
        for contender in results.contenders
        if contender.startswith("mdload")
    ]
    return max((peak for peak in peaks if peak is not None), default=None)


def _each(case: str, contender: str = "mdload") -> Value:
    """Milliseconds for each of the files of a case."""

    def value(results: Results) -> float | None:
        seconds = _of(case, contender)(results)
        return None if seconds is None else seconds * _KILO / results.cases[case]["files"]

    return value


def _faster_with_two(case: str) -> Value:
    return _ratio(_of(case), _of(case, "mdload-2"))


def _faster(case: str, other: str) -> Value:
    """How many times as fast mdload is as `other`."""
    return _ratio(_of(case, other), _of(case))


GOALS = (
    Goal("fresh load, against the floor", _ratio(_of("fresh"), _of("fresh", "floor")), 0.70, 0.60),
    Goal("fresh load from CSV, against the floor",
         _ratio(_of("csv"), _of("csv", "floor")), 0.85, 0.75),
    Goal("nightly append, against the floor",
         _ratio(_of("append"), _of("append", "floor")), 1.4, 1.15),
    Goal("identical replay, against own fresh load",
         _ratio(_of("replay"), _of("fresh")), 0.4, 0.25),
    Goal("identical replay recognised, of own fresh load, beyond start-up", _known, 0.05),
    Goal("1 % restated, against own fresh load",
         _ratio(_of("restated-1"), _of("fresh")), 0.55, 0.35),
    Goal("fresh load, faster than the usual pattern", _faster("fresh", "usual"), 2, 2.5, more=True),
    Goal("identical replay, faster than the usual pattern",
         _faster("replay", "usual"), 4, 6, more=True),
    Goal("identical replay, faster than DuckDB's MERGE",
         _faster("replay", "duckdb"), 1.3, 1.6, more=True),
    Goal("1 % restated, faster than DuckDB's MERGE",
         _faster("restated-1", "duckdb"), 1.3, 1.6, more=True),
    Goal("closest contender that merges, in any case", _closest, 1, more=True),
    Goal("WAL of an identical replay",
         _of("replay", field="wal_bytes", unit=_KILO), 256, unit="kB"),
    Goal("rows touched by an identical replay",
         _of("replay", field="rows_touched"), 0, unit="rows"),
    Goal("CSV, against Parquet of the same rows", _ratio(_of("csv"), _of("fresh")), 1.3),
    Goal("many small files, against COPY and a commit for each",
         _ratio(_of("files"), _of("files", "floor")), 2.0, 1.3),
    Goal("many small files, recognised, each",
         _each("files-known", "mdload-known"), 1, 0.5, unit="ms"),
    Goal("many small files, compared, each", _each("files-compared"), 6, 3, unit="ms"),
    Goal("two workers on many small files", _faster_with_two("files"), 1.5, 1.8, more=True),
    Goal("two workers on four large files", _faster_with_two("large"), 1.5, 1.8, more=True),
    Goal("peak memory, in any case", _peak, 400, 350, unit="MB"),
    Goal("mdload --help", _of(HELP), 0.10, unit="s"),
    Goal("one row on a running server", _of("one"), 0.33, 0.25, unit="s"),
)  # fmt: skip

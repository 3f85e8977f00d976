"""Small batches of bars that leave the rules nothing to find, proven in plain Python.

The checks of a batch take some milliseconds, however few its bars are: most of it is the start of
queries. A feed's bars are nearly always good, of plain types, and of few keys.
`PlainBars` proves that with a few comparisons for each bar, and encodes them for the statement that
merges them. All others go through the rules in `loader.check`, which decide what it leaves open.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from math import inf
from typing import Any, Final
from zoneinfo import ZoneInfo

from loader import bars
from loader.bars.names import Naming
from loader.check.rules import RuleSettings
from loader.check.validate import CheckedBatch
from loader.client.bar import Columns
from loader.client.checks.keys import KeyMeaning, KnownKeys
from loader.lazy import dataclass

#: With more bars, Polars is quicker than Python.
FEW: Final = 500
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_UTC: Final = ("UTC", "Etc/UTC")
_ON_GRID: Final = timedelta(0)
#: Whole numbers up to this one are floats without a loss, and those below the other are `bigint`.
_EXACT: Final = 1 << 53
_WIDE: Final = 1 << 63
_STRING, _TIME, _FLOAT = frozenset({str}), frozenset({datetime}), frozenset({float})
_NUMBER: Final = frozenset({float, int})
_OPTIONAL: Final = _NUMBER | {type(None)}
_COUNT: Final = frozenset({int, type(None)})
_CONVENTION: Final = Naming().convention

_VALUES: Final = ",".join(f'"{name}":%s' for name in bars.VALUES)
_BAR: Final = f'{{%s,"ts":"%s",{_VALUES}}}'


@dataclass(frozen=True, slots=True)
class PlainBatch:
    """A small batch of which all bars are good and no two have one key.

    Attributes:
        rows: number of bars.
        encoded: a JSON array of them, sorted by key; see `loader.store.merge.Statement`.
        lo, hi: their first and last ts, in UTC.
        spelled: distinct provider, source symbol, symbol, convention.
        series: distinct provider, symbol, interval.
        last_row: as `CheckedBatch.last_row`.
        checked: gives the same bars as the rules check them, for a caller that needs frames.
    """

    rows: int
    encoded: str
    lo: datetime
    hi: datetime
    spelled: list[tuple[str, str, str, str]]
    series: list[tuple[str, str, str]]
    last_row: int
    checked: Callable[[], CheckedBatch]


@dataclass(frozen=True, slots=True, eq=False)
class _Series:
    """What a key as given means, where nothing is wrong with it.

    Attributes:
        encoded: its words as the members of a JSON object.
    """

    words: tuple[str, str, str]
    spelled: tuple[str, str, str, str]
    step: timedelta
    encoded: str


class PlainBars:
    """Finds the plain ones among the batches of one program. `keys` are those that it has seen."""

    def __init__(self, keys: KnownKeys, rules: RuleSettings) -> None:
        self._keys = keys
        self._rules = rules
        #: By key as given.
        self._series: dict[tuple[Any, ...], _Series] = {}

    def batch(
        self, values: Columns, first: int, checked: Callable[[], CheckedBatch]
    ) -> PlainBatch | None:
        """The batch of `values`, as `Checks.batch` takes them, or None if it is not plain."""
        *words, ts, opens, highs, lows, closes, volume, vwap, count = values
        rows = len(ts)
        if not 0 < rows <= FEW or not _has_plain_types(values):
            return None
        series = self._known(list(zip(*words, strict=True)))
        if series is None or not self._has_plain_times(series, ts):
            return None
        numbers = [_floats(column) for column in (opens, highs, lows, closes, volume, vwap)]
        if not _has_plain_numbers(numbers, count):
            return None
        texts = {time: time.isoformat() for time in set(ts)}  # of many symbols at a time: few
        cells = [[each.encoded for each in series], map(texts.__getitem__, ts)]
        encoded = [
            _BAR % row for row in zip(*cells, *map(_encoded, (*numbers, count)), strict=True)
        ]
        keys = [(each.words, time) for each, time in zip(series, ts, strict=True)]
        if not all(before < key for before, key in pairwise(keys)):
            if len(set(keys)) < rows:
                return None
            encoded = [encoded[i] for i in sorted(range(rows), key=keys.__getitem__)]
        distinct = list(dict.fromkeys(series))
        return PlainBatch(
            rows, f"[{','.join(encoded)}]", min(ts), max(ts),
            list(dict.fromkeys(each.spelled for each in distinct)),
            list(dict.fromkeys(each.words for each in distinct)),
            first + rows, checked,
        )  # fmt: skip

    def _known(self, given: Sequence[tuple[Any, ...]]) -> list[_Series] | None:
        """What each of the keys means; None if one is broken, or not known."""
        found = list(map(self._series.get, given))
        if None in found:
            unseen = {key for key, each in zip(given, found, strict=True) if each is None}
            if all(word.isascii() for key in unseen for word in key):  # others may not be Unicode
                self._keys.learn(unseen)
            for key in unseen:
                meaning = self._keys.meaning(key)
                learned = None if meaning is None else _series(meaning)
                if learned is None:
                    return None
                if len(self._series) >= KnownKeys.MOST:
                    self._series.clear()
                self._series[key] = learned
            found = list(map(self._series.get, given))
        known = [each for each in found if each is not None]
        return known if len(known) == len(given) else None

    def _has_plain_times(self, series: Sequence[_Series], ts: Sequence[datetime]) -> bool:
        """Whether all are in UTC, within the limits, and on the grid of their interval."""
        return (
            all(map(_is_utc, {id(time.tzinfo): time for time in ts}.values()))
            and self._rules.min_ts <= min(ts)
            and max(ts) < self._rules.max_ts
            and all(
                (time - _EPOCH) % step == _ON_GRID
                for time, step in {(time, each.step) for time, each in zip(ts, series, strict=True)}
            )
        )


def _is_utc(time: datetime) -> bool:
    zone = time.tzinfo
    return zone is UTC or (type(zone) is ZoneInfo and zone.key in _UTC)


def _series(meaning: KeyMeaning) -> _Series | None:
    words, source_symbol, step, faults = meaning
    if any(faults) or None in words or source_symbol is None or not step:
        return None
    named = dict(zip(bars.SERIES, words, strict=True))
    provider, symbol, _ = words
    return _Series(
        words,
        (provider, source_symbol, symbol, _CONVENTION),
        timedelta(microseconds=step),
        json.dumps(named, ensure_ascii=False, separators=(",", ":"))[1:-1],
    )


def _has_plain_types(values: Columns) -> bool:
    kinds = [set(map(type, column)) for column in values]
    *words, ts, opens, highs, lows, closes, volume, vwap, count = kinds
    return (
        all(kind == _STRING for kind in words)
        and ts == _TIME
        and all(kind <= _NUMBER for kind in (opens, highs, lows, closes))
        and volume <= _OPTIONAL
        and vwap <= _OPTIONAL
        and count <= _COUNT
    )


def _floats(column: Sequence[Any]) -> Sequence[float | None]:
    """The numbers as floats; not a number for a whole one that no float is equal to."""
    if set(map(type, column)) <= _FLOAT:
        return column
    return [
        each
        if type(each) is not int
        else float(each)
        if -_EXACT <= each <= _EXACT
        else float("nan")
        for each in column
    ]


def _has_plain_numbers(numbers: Sequence[Sequence[Any]], count: Sequence[int | None]) -> bool:
    """Whether they keep every rule, whatever may be allowed."""
    opens, highs, lows, closes, volume, vwap = numbers
    return (
        all(
            0 < low <= open_ <= high < inf and low <= close <= high
            for open_, high, low, close in zip(opens, highs, lows, closes, strict=True)
        )
        and all(each is None or 0 <= each < inf for each in volume)
        and all(each is None or 0 <= each < inf for each in vwap)
        and all(each is None or 0 <= each < _WIDE for each in count)
    )


def _encoded(column: Sequence[float | None]) -> list[str]:
    if None in column:
        return ["null" if each is None else repr(each) for each in column]
    return list(map(repr, column))

"""Small batches of bars that leave the rules nothing to find, proven in plain Python.

The checks of a batch take some milliseconds, however few its bars are: most of it is the start of
queries. A feed's bars are nearly always good, of plain types, and of few keys.
`PlainBars` proves that with a few comparisons for each bar, and encodes them for the statement that
merges them. All others go through the rules in `loader.check`, which decide what it leaves open.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import islice
from math import inf
from operator import attrgetter, le, lt, mod
from typing import Any, Final
from zoneinfo import ZoneInfo

from loader.bars.columns import TYPES
from loader.bars.names import Naming
from loader.check.rules import RuleSettings
from loader.check.validate import CheckedBatch
from loader.client.bar import Columns
from loader.client.checks.keys import KeyMeaning, KnownKeys
from loader.db.prepared import arrays
from loader.lazy import dataclass
from loader.store.merge import Statement

#: With more bars, Polars is quicker than Python.
FEW: Final = 500
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_UTC: Final = ("UTC", "Etc/UTC")
#: Whole numbers up to this one are floats without a loss, and those below the other are `bigint`.
_EXACT: Final = 1 << 53
_WIDE: Final = 1 << 63
_STRING, _TIME, _FLOAT = frozenset({str}), frozenset({datetime}), frozenset({float})
_NUMBER: Final = frozenset({float, int})
_OPTIONAL: Final = _NUMBER | {type(None)}
_COUNT: Final = frozenset({int, type(None)})
_CONVENTION: Final = Naming().convention
_EIGHT_BYTES: Final = tuple(TYPES.values())[3:]
_KINDS: Final = (*(_STRING,) * 3, _TIME, *(_NUMBER,) * 4, _OPTIONAL, _OPTIONAL, _COUNT)
#: Where the server begins to count, in microseconds since 1970.
_SERVERS_EPOCH: Final = (arrays.EPOCH - _EPOCH) // _MICROSECOND


@dataclass(frozen=True, slots=True)
class PlainBatch:
    """A small batch of which all bars are good and no two have one key.

    Attributes:
        statement: the statement that merges them.
        spelled: distinct provider, source symbol, symbol, convention.
        series: distinct provider, symbol, interval.
        last_row: as `CheckedBatch.last_row`.
        checked: gives the same bars as the rules check them, for a caller that needs frames.
    """

    statement: Statement
    spelled: list[tuple[str, str, str, str]]
    series: list[tuple[str, str, str]]
    last_row: int
    checked: Callable[[], CheckedBatch]


@dataclass(frozen=True, slots=True, eq=False)
class _Series:
    """What a key as given means, where nothing is wrong with it.

    Attributes:
        step: of the grid, in microseconds.
        encoded: its words as elements of arrays.
    """

    words: tuple[str, str, str]
    spelled: tuple[str, str, str, str]
    step: int
    encoded: tuple[bytes, bytes, bytes]


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
        rows = len(values[0])
        if not 0 < rows <= FEW:
            return None
        kinds = [frozenset(map(type, column)) for column in values]
        if not all(map(le, kinds, _KINDS)):
            return None
        *words, ts = values[:4]
        series = self._known(list(zip(*words, strict=True)))
        times = None if series is None else self._times(series, ts)
        if series is None or times is None:
            return None
        numbers = list(map(_floats, values[4:-1], kinds[4:-1]))
        numbers.append(values[-1])
        if not _has_plain_numbers(numbers):
            return None
        keys = list(zip([each.words for each in series], times, strict=True))
        columns: list[Sequence[Any]] = [series, ts, times, *numbers]
        if not all(map(lt, keys, islice(keys, 1, None))):
            if len(set(keys)) < rows:
                return None
            order = sorted(range(rows), key=keys.__getitem__)
            columns = [list(map(column.__getitem__, order)) for column in columns]
        distinct = list(dict.fromkeys(series))
        return PlainBatch(
            _statement(*columns),
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

    def _times(self, series: Sequence[_Series], ts: Sequence[datetime]) -> list[int] | None:
        """Microseconds since 1970; None unless all are in UTC, within the limits, and on the grid
        of their interval."""
        zones = set(map(attrgetter("tzinfo"), ts))
        if not all(map(_is_utc, zones)):
            return None
        epoch = _EPOCH.replace(tzinfo=zones.pop())  # times of one zone are ten times as fast
        times = [(time - epoch) // _MICROSECOND for time in ts]
        fit = self._rules.min_ts <= min(ts) and max(ts) < self._rules.max_ts
        return times if fit and not any(map(mod, times, [each.step for each in series])) else None


def _is_utc(zone: tzinfo | None) -> bool:
    return zone is UTC or (type(zone) is ZoneInfo and zone.key in _UTC)


def _series(meaning: KeyMeaning) -> _Series | None:
    words, source_symbol, step, faults = meaning
    if any(faults) or None in words or source_symbol is None or not step:
        return None
    provider, symbol, interval = words
    return _Series(
        (provider, symbol, interval),
        (provider, source_symbol, symbol, _CONVENTION),
        step,
        (arrays.text(provider), arrays.text(symbol), arrays.text(interval)),
    )


def _statement(
    series: Sequence[_Series],
    ts: Sequence[datetime],
    times: Sequence[int],
    *numbers: Sequence[float | None],
) -> Statement:
    """The statement for bars that are sorted by key; `times` as microseconds since 1970."""
    since = [time - _SERVERS_EPOCH for time in times]
    return Statement(
        [*zip(*[each.words for each in series], strict=True), ts, *numbers],
        [
            *map(arrays.texts, zip(*[each.encoded for each in series], strict=True)),
            *map(arrays.numbers, _EIGHT_BYTES, (since, *numbers)),
        ],
        min(ts), max(ts),
    )  # fmt: skip


def _floats(column: Sequence[Any], kinds: frozenset[type]) -> Sequence[float | None]:
    """The numbers as floats; not a number for a whole one that no float is equal to."""
    if kinds <= _FLOAT:
        return column
    return [
        each
        if type(each) is not int
        else float(each)
        if -_EXACT <= each <= _EXACT
        else float("nan")
        for each in column
    ]


def _has_plain_numbers(numbers: Sequence[Sequence[Any]]) -> bool:
    """Whether they keep every rule, whatever may be allowed. What is not a number is not less than
    itself, nor than another."""
    opens, highs, lows, closes, volume, vwap, count = numbers
    return (
        all(all(map(le, lows, each)) and all(map(le, each, highs)) for each in (opens, closes))
        and min(lows) > 0
        and max(highs) < inf
        and all(each is None or 0 <= each < inf for each in volume)
        and all(each is None or 0 <= each < inf for each in vwap)
        and all(each is None or 0 <= each < _WIDE for each in count)
    )

"""The objects in which a program holds its bars, and how they become a frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any, Final, NoReturn, Protocol, SupportsFloat, runtime_checkable

import polars as pl
import pyarrow as pa

from loader import bars

#: The values of one bar, in the order of `bars.COLUMNS`; of many bars, one sequence per column.
Row = tuple[Any, ...]
Columns = Sequence[Sequence[Any]]

_REQUIRED: Final = (*bars.KEY, *bars.PRICES, "volume")
_MORE: Final = tuple(name for name in bars.COLUMNS if name not in _REQUIRED)
_required: Final = [attrgetter(name) for name in _REQUIRED]
_PLAIN: Final = frozenset({float, int, type(None)})
_WIDE: Final = 1 << 63


@runtime_checkable
class Bar(Protocol):
    """Any object with these attributes is a bar: a dataclass, a named tuple, a model; and a dict
    with these keys.

    `ts` is the start of the bar and has a time zone; prices are in quote currency, volume in units
    traded. A number is a float, an int, a Decimal, or another object with `__float__`. Two more
    attributes are read if an object has them: `vwap` (a number) and `trade_count` (an int). None
    means not known; a rule rejects bars without a value that they need.
    """

    @property
    def provider(self) -> str: ...
    @property
    def symbol(self) -> str: ...
    @property
    def interval(self) -> str: ...
    @property
    def ts(self) -> datetime: ...
    @property
    def open(self) -> SupportsFloat: ...
    @property
    def high(self) -> SupportsFloat: ...
    @property
    def low(self) -> SupportsFloat: ...
    @property
    def close(self) -> SupportsFloat: ...
    @property
    def volume(self) -> SupportsFloat | None: ...


#: What is taken for a bar.
BarLike = Bar | Mapping[str, Any]


class _Item:
    """A dict, or another mapping, that has the values of a bar under their names."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[Any, Any]) -> None:
        self._values = values

    def __getattr__(self, name: str) -> Any:
        try:
            return self._values[name]
        except KeyError:
            raise AttributeError(name) from None


def columns(objects: Sequence[object], first: int) -> Columns:
    """The values that `objects` have now, in the order of `bars.COLUMNS`; `first` is the index of
    the first one.

    Raises:
        TypeError: an object lacks an attribute of a bar.
    """
    try:  # by column: a container per object would burden the garbage collector
        values = [list(map(get, objects)) for get in _required]
        return [*values, *([getattr(o, n, None) for o in objects] for n in _MORE)]
    except AttributeError as error:
        if any(isinstance(one, Mapping) for one in objects):
            return columns(
                [_Item(one) if isinstance(one, Mapping) else one for one in objects], first
            )
        for index, one in enumerate(objects, start=first):
            for name in _REQUIRED:
                if not hasattr(one, name):
                    kind = "dict" if isinstance(one, _Item) else type(one).__name__
                    what = "key" if isinstance(one, _Item) else "attribute"
                    raise TypeError(f"bars[{index}] ({kind}) has no {what} {name!r}") from error
        raise


def checked_row(one: object, index: int) -> Row:
    """The values that one bar has now, if `frame` accepts them.

    Raises:
        TypeError, ValueError: as `columns` and `frame`.
    """
    values = columns([one], index)
    row = tuple(column[0] for column in values)
    if not _is_plain(row):
        frame(values, index)
    return row


def frame(values: Columns, first: int) -> pl.DataFrame:
    """A frame with `bars.SCHEMA`, `ts` in UTC. `trade_count` is Float64 if not all of it are whole
    numbers: validation rejects the others.

    Raises:
        TypeError: a value has a wrong type.
        ValueError: a `ts` has no time zone, or a text is not valid Unicode.
    """
    named = zip(bars.COLUMNS, values, strict=True)
    return pl.DataFrame([_series(name, column, first) for name, column in named])


def _is_plain(row: Row) -> bool:
    """Whether all values have plain types: the full check takes a hundred times as long."""
    provider, symbol, interval, ts, *numbers = row
    return (
        all(type(word) is str and word.isascii() for word in (provider, symbol, interval))
        and type(ts) is datetime
        and ts.utcoffset() is not None
        and all(
            type(number) in _PLAIN and (type(number) is not int or -_WIDE < number < _WIDE)
            for number in numbers
        )
    )


def _series(name: str, values: Sequence[Any], first: int) -> pl.Series:
    if name == "ts":
        return _times(values, first)
    dtype = bars.SCHEMA[name]
    if truths := [] if dtype == pl.String else [t for t in set(map(type, values)) if _is_truth(t)]:
        at = next(i for i, value in enumerate(values) if type(value) in truths)
        _refuse(first + at, name, values[at], "a number")
    try:
        return pl.Series(name, values, dtype=dtype, strict=True)
    except (TypeError, ValueError, OverflowError) as error:
        for index, value in enumerate(values, start=first):
            try:
                pl.Series([value], dtype=dtype if dtype == pl.String else pl.Float64, strict=True)
            except UnicodeError:
                raise ValueError(f"bars[{index}].{name} is not Unicode: {value!r}") from error
            except OverflowError:
                raise ValueError(f"bars[{index}].{name} is too large a number") from error
            except (TypeError, ValueError):
                _refuse(index, name, value, "text" if dtype == pl.String else "a number")
    return pl.Series(name, values, dtype=pl.Float64)


def _is_truth(kind: type) -> bool:
    """Whether it is `bool` or NumPy's, which Polars would take for 0 and 1."""
    return kind.__name__ in ("bool", "bool_")


def _times(values: Sequence[Any], first: int) -> pl.Series:
    try:  # zones are few: each is checked once
        by_zone = {id(value.tzinfo): value for value in values}
        sound = None not in {value.utcoffset() for value in by_zone.values()}
    except AttributeError:
        sound = False
    if not sound:
        for index, value in enumerate(values, start=first):
            if not isinstance(value, datetime | None):
                _refuse(index, "ts", value, "a datetime")
            if value is not None and value.utcoffset() is None:
                raise ValueError(
                    f"bars[{index}].ts has no time zone: {value.isoformat()}; "
                    "give it its own, for example tzinfo=datetime.UTC"
                )
    return pl.Series("ts", pa.array(values, pa.timestamp("us", "UTC")))


def _refuse(index: int, name: str, value: object, wanted: str) -> NoReturn:
    raise TypeError(f"bars[{index}].{name} is {value!r} ({type(value).__name__}), not {wanted}")

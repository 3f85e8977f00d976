"""The objects that a program holds its bars in, and the frame that they become."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any, Final, NoReturn, Protocol, SupportsFloat, runtime_checkable

import polars as pl
import pyarrow as pa

from loader import bars

#: What one bar says, in the order of `bars.COLUMNS`; and what many say, a sequence for each.
Row = tuple[Any, ...]
Columns = Sequence[Sequence[Any]]

_REQUIRED: Final = (*bars.KEY, *bars.PRICES, "volume")
_required: Final = [attrgetter(name) for name in _REQUIRED]
_PLAIN: Final = frozenset({float, int, type(None)})
_WIDE: Final = 1 << 63


@runtime_checkable
class Bar(Protocol):
    """Any object with these attributes is a bar: a dataclass, a named tuple, a model.

    `ts` is the start of the bar and has a time zone; prices are in quote currency, volume in units
    traded. A number is a float, an int, a Decimal, or what else has `__float__`. Two attributes
    more are read where an object has them: `vwap` (a number) and `trade_count` (an int). None is
    what is not known; a rule rejects the bar where it has to be.
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


def columns(objects: Sequence[object], first: int) -> Columns:
    """What `objects` say at this moment; `first` is the index of the first one.

    Raises:
        TypeError: one has not all attributes of a bar.
    """
    try:  # column by column: a container for each object would be work for the garbage collector
        said = [list(map(get, objects)) for get in _required]
        return [*said, *([getattr(o, n, None) for o in objects] for n in ("vwap", "trade_count"))]
    except AttributeError as error:
        for index, one in enumerate(objects, start=first):
            for name in _REQUIRED:
                if not hasattr(one, name):
                    raise TypeError(
                        f"bars[{index}] ({type(one).__name__}) has no attribute {name!r}"
                    ) from error
        raise


def checked_row(one: object, index: int) -> Row:
    """What one bar says at this moment, of types that `frame` takes.

    Raises:
        TypeError, ValueError: as `columns` and `frame`.
    """
    said = columns([one], index)
    row = tuple(values[0] for values in said)
    if not _is_plain(row):
        frame(said, index)
    return row


def frame(said: Columns, first: int) -> pl.DataFrame:
    """Columns and dtypes of `bars.SCHEMA`, `ts` in UTC; `trade_count` is Float64 where it does not
    hold whole numbers only, which is for validation to judge.

    Raises:
        TypeError: a value is of a type that cannot be one.
        ValueError: a `ts` has no time zone, or a text is no Unicode.
    """
    named = zip(bars.COLUMNS, said, strict=True)
    return pl.DataFrame([_series(name, values, first) for name, values in named])


def _is_plain(row: Row) -> bool:
    """Whether it holds only types that need no closer look, which would take a hundred times as
    long."""
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
    try:
        return pl.Series(name, values, dtype=dtype, strict=True)
    except (TypeError, ValueError, OverflowError) as error:
        for index, value in enumerate(values, start=first):
            try:
                pl.Series([value], dtype=dtype if dtype == pl.String else pl.Float64, strict=True)
            except UnicodeError:
                raise ValueError(f"bars[{index}].{name} is no Unicode: {value!r}") from error
            except OverflowError:
                raise ValueError(f"bars[{index}].{name} is too large a number") from error
            except (TypeError, ValueError):
                _refuse(index, name, value, "text" if dtype == pl.String else "a number")
    return pl.Series(name, values, dtype=pl.Float64)


def _times(values: Sequence[Any], first: int) -> pl.Series:
    try:  # zones are few, and looked at once each
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

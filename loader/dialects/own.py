"""User-defined dialects: a table `[dialects.NAME]` of mdload.toml, without any Python."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, get_args

import polars as pl

from loader import bars
from loader.bars.cells import check_marks
from loader.bars.names import known_convention
from loader.bars.numbers import NumberFormat
from loader.bars.times.plan import check_format
from loader.bars.times.zones import parse_zone
from loader.dialects.dialect import Dialect, Shape, Stamp
from loader.dialects.patterns import expression, is_pattern
from loader.errors import SettingsError
from loader.read.formats.known import container_names
from loader.settings.kinds import FLAG, PAIRS, POWER, TABLE, TEXT, TEXTS, Kind, choice

#: The keys of a table, and what each holds.
KEYS: Final[Mapping[str, Kind]] = {
    "title": TEXT,
    "containers": TEXTS,
    "header": TEXTS,
    "positions": TEXTS,
    "place": TEXT,
    "name": TEXT,
    "values": TABLE,
    "names": TEXTS,
    "columns": TABLE,
    "left_out": TABLE,
    "skip": TABLE,
    "where": PAIRS,
    "short_rows": FLAG,
    "provider": TEXT,
    "symbol_convention": TEXT,
    "stamp": choice(*get_args(Stamp)),
    "time_format": TEXT,
    "timezone": TEXT,
    "interval": TEXT,
    "intervals": TABLE,
    "price_divisor": POWER,
    "volume_factor": POWER,
    "decimal": choice(".", ","),
    "thousands": TEXT,
}
_FIELDS: Final = (*bars.KEY, "time_of_day", *bars.VALUES)


class TableError(SettingsError):
    """A table `[dialects.NAME]` is wrong.

    Attributes:
        path: keys of mdload.toml that lead to what is wrong: of the table, or of a value in it.
    """

    def __init__(self, problem: str, *path: str, hint: str | None = None) -> None:
        super().__init__(f"{'.'.join(path)} {problem}", hint=hint)
        self.path = path


def from_tables(tables: Mapping[str, Mapping[str, Any]]) -> tuple[Dialect, ...]:
    """The dialects of all `tables`, keyed by name; raises as `from_table` does."""
    return tuple(from_table(name, table) for name, table in tables.items())


def from_table(name: str, table: Mapping[str, Any]) -> Dialect:
    """The dialect that `[dialects.NAME]` declares; docs/dialects.md has the keys.

    Raises:
        TableError: a key is unknown, a value is wrong, or nothing says how to know such a file or
            which columns its bars are in.
    """
    for error in wrong(name, table):
        raise error
    named = [table["name"]] if is_pattern(table.get("name", "")) else []
    names = tuple(map(str, map(_path_pattern, [*table.get("names", ()), *named])))
    in_names = any("(?P<provider>" in pattern for pattern in names)
    shape = Shape(
        containers=tuple(table.get("containers", ["csv"])),
        header=tuple(table.get("header", ())),
        positions=tuple(table.get("positions", ())),
        place=table.get("place"),
        name=_path_pattern(table.get("name")),
        values=table.get("values", {}),
    )
    return Dialect(
        name=name,
        title=table.get("title", name),
        columns={field: (column,) for field, column in table["columns"].items()},
        shapes=(shape,),
        names=names,
        left_out=table.get("left_out", {}),
        provider=table.get("provider", "{provider}" if in_names else None),
        symbol_convention=table.get("symbol_convention", "plain"),
        stamp=table.get("stamp", "start"),
        time_format=table.get("time_format"),
        timezone=table.get("timezone"),
        interval=table.get("interval"),
        intervals=table.get("intervals", {}),
        price_exponent=-_zeros(table.get("price_divisor", 1)),
        volume_exponent=_zeros(table.get("volume_factor", 1)),
        numbers=_numbers(table),
        skip={
            f"{column} is {pattern}": _matches(column, pattern)
            for column, pattern in table.get("skip", {}).items()
        },
        where=table.get("where", {}),
        short_rows=table.get("short_rows", False),
        source="mdload.toml",
    )


def wrong(name: str, table: Mapping[str, Any]) -> Iterator[TableError]:
    """Everything that is wrong with the table `[dialects.NAME]`."""
    sound = True
    for key, value in table.items():
        try:
            _check(value, table, "dialects", name, key)
        except TableError as error:
            sound = False
            yield error
    if not sound:  # what is missing may be what is misspelled
        return
    if not any(table.get(key) for key in ("header", "positions", "place")):
        hint = "give its header, its positions (of a file without one), or its place (in JSON)"
        yield TableError("does not say how to know such a file", "dialects", name, hint=hint)
    if not table.get("columns"):
        hint = 'for example columns = {ts = "Date", open = "Open", …}'
        yield TableError("does not say which columns bars are in", "dialects", name, hint=hint)


def _check(value: object, table: Mapping[str, Any], *path: str) -> None:
    """Raises:
    TableError: the value at `path`, in `table`, is wrong.
    """
    key = path[-1]
    if key not in KEYS:
        near = difflib.get_close_matches(key, KEYS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(KEYS)}"
        raise TableError("is not a setting of a dialect", *path, hint=hint)
    try:
        KEYS[key].read(value)
    except ValueError:
        raise TableError(f"must be {KEYS[key].word}, not {value!r}", *path) from None
    if key not in _CHECKS:
        return
    try:
        _CHECKS[key](value, table)
    except SettingsError as error:
        raise TableError(error.problem, *path, hint=error.hint) from error


def _path_pattern(pattern: str | None) -> str | None:
    """A regular expression as it is; that of a pattern such as `{symbol}_{interval}.csv`."""
    return expression(pattern) if pattern is not None and is_pattern(pattern) else pattern


def _patterns(patterns: Iterable[str]) -> None:
    for pattern in patterns:
        try:
            re.compile(_path_pattern(pattern) or "")
        except re.error as error:
            raise SettingsError(f"{pattern!r} is not a valid pattern: {error}") from error


def _containers(found: Iterable[str]) -> None:
    known = sorted(container_names())
    for name in found:
        if name not in known:
            raise _unknown(name, "container", known)


def _fields(columns: Mapping[str, str]) -> None:
    for name in columns:
        if name not in _FIELDS:
            raise _unknown(name, "field of a bar", _FIELDS)


def _interval(word: str, own_words: object) -> None:
    if not (isinstance(own_words, Mapping) and word in own_words):
        _intervals([word])


def _intervals(words: Iterable[str]) -> None:
    for word in words:
        if bars.parse_interval(word) is None:
            raise SettingsError(
                f"{word!r} is not an interval", hint=f"one of {' '.join(bars.INTERVALS)}"
            )


def _unknown(name: str, what: str, known: Iterable[str]) -> SettingsError:
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"one of {', '.join(known)}"
    return SettingsError(f"{name!r} is not a known {what}", hint=hint)


#: What a value of the right kind has to be besides; each may look at the rest of the table.
_CHECKS: Final[Mapping[str, Callable[[Any, Mapping[str, Any]], object]]] = {
    "containers": lambda value, table: _containers(value),
    "place": lambda value, table: _patterns([value]),
    "name": lambda value, table: _patterns([value]),
    "names": lambda value, table: _patterns(value),
    "values": lambda value, table: _patterns(value.values()),
    "skip": lambda value, table: _patterns(value.values()),
    "columns": lambda value, table: _fields(value),
    "symbol_convention": lambda value, table: known_convention(value),
    "time_format": lambda value, table: check_format(value),
    "timezone": lambda value, table: parse_zone(value),
    "thousands": lambda value, table: check_marks(table.get("decimal", "."), value),
    "interval": lambda value, table: _interval(value, table.get("intervals")),
    "intervals": lambda value, table: _intervals(value.values()),
}


def _matches(column: str, pattern: str) -> pl.Expr:
    return pl.col(column).cast(pl.String).str.contains(f"^(?:{pattern})$")


def _numbers(table: Mapping[str, Any]) -> NumberFormat:
    decimal = table.get("decimal", ".")
    other = "," if decimal == "." else "."
    return NumberFormat(
        grouping=table.get("thousands", other if "decimal" in table else ""), decimal=decimal
    )


def _zeros(power_of_ten: int | str) -> int:
    return len(str(power_of_ten)) - 1

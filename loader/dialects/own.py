"""User-defined dialects: a table `[dialects.NAME]` of mdload.toml, without any Python."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Any, Final, get_args

import polars as pl

from loader.dialects.dialect import Dialect, Shape, Stamp
from loader.errors import SettingsError
from loader.read.formats.known import container_names

#: The keys of a table and the kind of value of each, for messages and for `_fits`.
KEYS: Final[dict[str, str]] = {
    "title": "text",
    "containers": "list of text",
    "header": "list of text",
    "positions": "list of text",
    "place": "text",
    "name": "text",
    "values": "table of text",
    "names": "list of text",
    "columns": "table of text",
    "left_out": "table of text",
    "skip": "table of text",
    "short_rows": "true or false",
    "provider": "text",
    "symbol_convention": "text",
    "stamp": "text",
    "time_format": "text",
    "timezone": "text",
    "interval": "text",
    "intervals": "table of text",
    "price_divisor": "power of ten",
    "volume_factor": "power of ten",
}
_PATTERNS: Final = ("place", "name")


class TableError(SettingsError):
    """A table is wrong: the value of `key`, or the whole table if that is None."""

    def __init__(self, message: str, *, key: str | None = None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.key = key


def from_tables(tables: Mapping[str, Mapping[str, Any]]) -> tuple[Dialect, ...]:
    """The dialects of all `tables`, keyed by name; raises as `from_table` does."""
    return tuple(from_table(name, table) for name, table in tables.items())


def from_table(name: str, table: Mapping[str, Any]) -> Dialect:
    """The dialect that `[dialects.NAME]` declares; docs/dialects.md has the keys.

    Raises:
        TableError: a key is unknown, a value has the wrong kind, or the table lacks the keys that
            recognise a file or name the columns of its bars.
    """
    for key, value in table.items():
        _check(f"dialects.{name}.{key}", key, value)
    if not any(table.get(key) for key in ("header", "positions", "place")):
        raise TableError(
            f"dialects.{name} does not say how to recognise such a file",
            hint="give header, or positions (for a file without a header), or place (in JSON)",
        )
    if not table.get("columns"):
        raise TableError(
            f"dialects.{name} does not say which columns hold the bars",
            hint='for example columns = {ts = "Date", open = "Open", …}',
        )
    if table.get("stamp", "start") not in get_args(Stamp):
        said = f"dialects.{name}.stamp must be start or end, not {table['stamp']!r}"
        raise TableError(said, key="stamp")
    containers = tuple(table.get("containers", ["csv"]))
    if unread := set(containers) - container_names():
        raise TableError(
            f"dialects.{name}.containers: no container is called {min(unread)!r}",
            key="containers",
            hint=f"known: {', '.join(sorted(container_names()))}",
        )
    shape = Shape(
        containers=containers,
        header=tuple(table.get("header", ())),
        positions=tuple(table.get("positions", ())),
        place=table.get("place"),
        name=table.get("name"),
        values=table.get("values", {}),
    )
    return Dialect(
        name=name,
        title=table.get("title", name),
        columns={field: (column,) for field, column in table["columns"].items()},
        shapes=(shape,),
        names=tuple(table.get("names", ())),
        left_out=table.get("left_out", {}),
        provider=table.get("provider"),
        symbol_convention=table.get("symbol_convention", "plain"),
        stamp=table.get("stamp", "start"),
        time_format=table.get("time_format"),
        timezone=table.get("timezone"),
        interval=table.get("interval"),
        intervals=table.get("intervals", {}),
        price_exponent=-_zeros(table.get("price_divisor", 1)),
        volume_exponent=_zeros(table.get("volume_factor", 1)),
        skip={
            f"{column} is {pattern}": _matches(column, pattern)
            for column, pattern in table.get("skip", {}).items()
        },
        short_rows=table.get("short_rows", False),
        source="mdload.toml",
    )


def _check(where: str, key: str, value: object) -> None:
    if key not in KEYS:
        near = difflib.get_close_matches(key, KEYS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(KEYS)}"
        raise TableError(f"{where} is not a setting of a dialect", key=key, hint=hint)
    if not _fits(KEYS[key], value):
        raise TableError(f"{where} must be a {KEYS[key]}, not {value!r}", key=key)
    patterns: list[object] = [value] if key in _PATTERNS else []
    if key == "names" and isinstance(value, list):
        patterns = value
    if key in ("values", "skip") and isinstance(value, Mapping):
        patterns = list(value.values())
    for pattern in patterns:
        try:
            re.compile(str(pattern))
        except re.error as error:
            raise TableError(
                f"{where}: {pattern!r} is not a valid pattern: {error}", key=key
            ) from error


def _fits(kind: str, value: object) -> bool:
    match kind:
        case "text":
            return isinstance(value, str) and bool(value)
        case "list of text":
            return isinstance(value, list) and all(isinstance(each, str) for each in value)
        case "table of text":
            return isinstance(value, Mapping) and all(isinstance(v, str) for v in value.values())
        case "true or false":
            return isinstance(value, bool)
    return isinstance(value, int) and re.fullmatch("10{0,18}", str(value)) is not None


def _matches(column: str, pattern: str) -> pl.Expr:
    return pl.col(column).cast(pl.String).str.contains(f"^(?:{pattern})$")


def _zeros(power_of_ten: int) -> int:
    return len(str(power_of_ten)) - 1

"""Tables in JSON that are not rows: the forms that pandas writes, and arrays in several objects.

Each becomes an object of equally long arrays, which `place` finds as columns:

| the object holds | who writes it |
|---|---|
| `columns`, `index` and `data`, an array per row | pandas, `to_json(orient="split")` |
| three or more objects with the same keys, which number or date the rows | pandas, by default |
| an array of times, and in objects or single elements below it three or more as long | Yahoo |

The keys of the rows become column `index`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from loader.lazy import regex
from loader.read.formats.containers.json.place import COLUMNS_OF_A_TABLE, nests, plain_arrays

#: A row's key: its number, a time since 1970, or a date.
_ROW: Final = regex(r"-?[0-9]+|[0-9]{4}-[0-9]{2}-[0-9]{2}.*", re.DOTALL)
_TIME: Final = regex(r"[0-9]{9,19}(\.[0-9]+)?|[0-9]{4}-[0-9]{2}-[0-9]{2}.*", re.DOTALL)
_INDEX: Final = "index"
_DEEP: Final = 6


def as_columns(value: Any, depth: int = _DEEP) -> Any:
    """`value` with each such table in it as an object of arrays; itself where it has none."""
    if not isinstance(value, list | dict) or not depth:
        return value
    if isinstance(value, list):
        items = [as_columns(item, depth - 1) for item in value]
        changed = any(new is not old for new, old in zip(items, value, strict=True))
        return items if changed else value
    for form in (_split, _by_column, _scattered):
        if (table := form(value)) is not None:
            return table
    members = {name: as_columns(child, depth - 1) for name, child in value.items()}
    changed = any(members[name] is not child for name, child in value.items())
    return members if changed else value


def _split(value: Mapping[str, Any]) -> dict[str, Any] | None:
    names, rows, index = (value.get(name) for name in ("columns", "data", _INDEX))
    if not isinstance(names, list) or not isinstance(rows, list) or not names:
        return None
    labels = [_label(name) for name in names]
    width = len(labels)
    fits = all(isinstance(row, list) and len(row) == width and not nests(row) for row in rows)
    if None in labels or len(set(labels)) < width or not fits or not rows:
        return None
    table = {str(label): [row[at] for row in rows] for at, label in enumerate(labels)}
    rest = {name: child for name, child in value.items() if name not in {"columns", "data"}}
    if isinstance(index, list) and len(index) == len(rows) and not nests(index):
        del rest[_INDEX]
        table = {**({_INDEX: index} if _INDEX not in table else {}), **table}
    return {**table, **{name: child for name, child in rest.items() if name not in table}}


def _label(name: Any) -> str | None:
    """The name of a column; of several levels, as pandas has them, the first one that is filled."""
    if isinstance(name, list):
        filled = [part for part in name if isinstance(part, str) and part]
        return "_".join(filled) if filled else None
    return name if isinstance(name, str) else None


def _by_column(value: Mapping[str, Any]) -> dict[str, Any] | None:
    columns = list(value.values())
    if len(columns) < COLUMNS_OF_A_TABLE or not all(isinstance(each, dict) for each in columns):
        return None
    keys = list(columns[0])
    alike = all(list(each) == keys and not nests(each.values()) for each in columns)
    if not keys or not alike or not all(map(_ROW.fullmatch, keys)):
        return None
    if all(map(_ROW.fullmatch, value)):
        return None
    table = {name: list(each.values()) for name, each in value.items()}
    return table if _INDEX in table else {_INDEX: keys, **table}


def _scattered(value: Mapping[str, Any]) -> dict[str, Any] | None:
    """An array of times beside objects that have arrays as long as it further down."""
    beside = plain_arrays(value)
    lengths = {len(column) for column in beside.values()}
    if len(lengths) != 1 or not (length := lengths.pop()) or len(beside) >= COLUMNS_OF_A_TABLE:
        return None
    if not any(map(_are_times, beside.values())):
        return None
    below = {
        path: column
        for name, child in value.items()
        if name not in beside
        for path, column in _arrays(child, name)
        if len(column) == length
    }
    if len(below) < COLUMNS_OF_A_TABLE:
        return None
    short = {path: path.rpartition(".")[2] for path in below}
    names = list(short.values())
    unique = len({*names, *beside}) == len(names) + len(beside)
    table = {**beside, **{short[path] if unique else path: below[path] for path in below}}
    return {**{name: _without(child) for name, child in value.items()}, **table}


def _are_times(column: list[Any]) -> bool:
    return all(isinstance(cell, str) and _TIME.fullmatch(cell) for cell in column)


def _arrays(value: Any, path: str, depth: int = _DEEP) -> Iterator[tuple[str, list[Any]]]:
    """The arrays of plain values in the objects in `value`, by their dotted paths; an array of one
    object counts as that object."""
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict):
        value = value[0]
    if not isinstance(value, dict) or not depth:
        return
    arrays = plain_arrays(value)
    for name, child in value.items():
        if name in arrays:
            yield f"{path}.{name}", child
        else:
            yield from _arrays(child, f"{path}.{name}", depth - 1)


def _without(value: Any) -> Any:
    """`value` without what nests in arrays in it, which would be another table."""
    if isinstance(value, dict):
        return {
            name: _without(child) for name, child in value.items() if not isinstance(child, list)
        }
    return value

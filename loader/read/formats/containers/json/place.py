"""Where the rows stand in a JSON value of undeclared structure.

| the value holds | the rows | place |
|---|---|---|
| an array of arrays | these, by position | `[]`, `result.list[]` |
| an array of objects | these, by name | `[]`, `results[]` |
| objects, each with an array of rows | the inner rows | `[].priceData[]` |
| names, each with an array of rows | all of these; the name is column `key` | `bars.*[]`, `*[]` |
| names that look like keys, each with a flat object | these; the name is column `key` | `bars.*` |
| three or more arrays of plain values, equally long | one per position | `.`, `candles.` |
| an object with four numbers or more | this one | (blank), `history.day` |

A name is a key, written `*`, where several names of one object lead to rows of one form, or where
it looks like one: capitals or digits, no two lower-case letters in a row (`AAPL`, `2024-01-02`).

Of several places, those with rows of more than three columns matter, and of these the ones that the
fewest steps lead to; where no place has such rows, the one with the most cells does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import chain
from typing import Any, Final, Literal

from loader.lazy import dataclass, regex

Step = str  # a name, "*" for any name, "[]" for any element
_KEY: Final = regex(r"(?!.*[a-z]{2})(?=.*[A-Z0-9])", re.DOTALL)
_NUMBER: Final = regex(r"\s*[-+]?[0-9.]+(e[-+]?[0-9]+)?\s*", re.IGNORECASE)
_TIME: Final = regex(r"[0-9]{4}-?[01][0-9]-?[0-3][0-9]([T ].*)?|[0-9]{9,19}")
_NESTED: Final = frozenset({dict, list})
#: Rows with at most this many columns do not count as bars beside wider ones.
COLUMNS_OF_A_TABLE: Final = 3
_NUMBERS_OF_A_BAR: Final = 4
_CELLS_OF_A_BAR: Final = 50


@dataclass(frozen=True, slots=True)
class Place:
    """Where rows stand: `steps` lead from the value to them.

    Attributes:
        form: `arrays` and `objects` are rows; `columns` is an object of arrays; `uneven` is one
            whose arrays differ in length; `nothing` is an empty array, where rows may have been.
        names: the columns of rows by name, by first appearance.
        width: how many columns.
        cells: rows times columns.
    """

    steps: tuple[Step, ...]
    form: Literal["arrays", "objects", "columns", "uneven", "nothing"]
    names: tuple[str, ...] = ()
    width: int = 0
    cells: int = 0

    def __str__(self) -> str:
        text = ".".join(self.steps).replace(".[]", "[]")
        return f"{text}." if self.form in {"columns", "uneven"} else text

    def after(self, step: Step) -> Place:
        return replace(self, steps=(step, *self.steps))

    def like(self, other: Place) -> bool:
        """Whether both are rows of one form."""
        if (self.steps, self.form) != (other.steps, other.form) or self.form == "nothing":
            return False
        if self.form == "arrays":
            return self.width == other.width
        shared = set(self.names) & set(other.names)
        return 2 * len(shared) >= max(self.width, other.width)

    def plus(self, other: Place) -> Place:
        names = _union(self.names, other.names)
        width = len(names) or max(self.width, other.width)
        return replace(self, names=names, width=width, cells=self.cells + other.cells)


def find(value: Any) -> tuple[list[Place], list[Place]]:
    """The places of rows in `value`: those that matter, more than one if they are equally good, and
    others with rows of more than three columns. No place at all where it holds no rows and no empty
    array either."""
    found = list(_places(value))
    filled = [place for place in found if place.cells]
    wide = [place for place in filled if place.width > COLUMNS_OF_A_TABLE]
    if wide:
        fewest = min(len(place.steps) for place in wide)
        best = [place for place in wide if len(place.steps) == fewest]
        return best, [place for place in wide if place not in best]
    if filled:
        return [max(filled, key=lambda place: place.cells)], []
    if isinstance(value, dict) and _is_bar(value):
        return [_of_bar(value)], []
    empty = [place for place in found if place.form in {"nothing", "columns"}]
    if isinstance(value, dict) and _is_empty(value):
        empty.insert(0, Place((), "nothing"))
    return sorted(empty, key=lambda place: (place.form == "columns", len(place.steps)))[-1:], []


def _places(value: Any, *, element: bool = False) -> Iterator[Place]:
    if isinstance(value, list):
        yield from _in_array(value)
    elif isinstance(value, dict):
        yield from _in_object(value, element=element)


def _in_array(items: list[Any]) -> Iterator[Place]:
    objects = [item for item in items if isinstance(item, dict)]
    arrays = [item for item in items if isinstance(item, list)]
    if not any(item is not None for item in items):
        yield Place(("[]",), "nothing")
    if objects:
        nested = [item for item in objects if nests(item.values())]
        inner = _joined(place for item in nested for place in _places(item, element=True))
        if any(place.cells for place in inner) or (inner and not any(map(_is_bar, objects))):
            yield from (place.after("[]") for place in inner)
        elif any(objects):
            names = _union(*objects)
            yield Place(("[]",), "objects", names, len(names), sum(map(len, objects)))
    if arrays:
        first = next((cell for row in arrays for cell in row if cell is not None), None)
        if isinstance(first, list | dict):
            inner = _joined(place for item in arrays for place in _places(item))
            yield from (place.after("[]") for place in inner)
        else:
            width = max(map(len, arrays))
            form: Literal["arrays", "nothing"] = "arrays" if width else "nothing"
            yield Place(("[]",), form, width=width, cells=sum(map(len, arrays)))


def _in_object(value: dict[str, Any], *, element: bool) -> Iterator[Place]:
    columns = plain_arrays(value)
    lengths = {len(column) for column in columns.values()}
    if len(columns) >= COLUMNS_OF_A_TABLE and (len(lengths) == 1 or not element):
        form: Literal["columns", "uneven"] = "columns" if len(lengths) == 1 else "uneven"
        cells = sum(map(len, columns.values()))
        yield Place((), form, tuple(columns), len(columns), cells)
        return
    keyed = {} if element else _keyed(value)
    if keyed:
        names = _union(*keyed.values())
        yield Place(("*",), "objects", names, len(names), sum(map(len, keyed.values())))
    groups: list[tuple[list[str], Place]] = []
    for name, child in value.items():
        for place in _places(child) if name not in keyed else ():
            for index, (members, whole) in enumerate(groups):
                if place.like(whole):
                    groups[index] = ([*members, name], whole.plus(place))
                    break
            else:
                groups.append(([name], place))
    for members, place in groups:
        several = len(members) > 1 or (place.cells and is_key(members[0]))
        yield place.after("*" if several else members[0])


def _joined(places: Iterable[Place]) -> list[Place]:
    """One for all that stand at the same place in different elements."""
    joined: dict[tuple[tuple[Step, ...], str], Place] = {}
    for place in places:
        at = (place.steps, place.form)
        joined[at] = joined[at].plus(place) if at in joined else place
    return list(joined.values())


def _keyed(value: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The flat objects in `value` that are rows, each under its key."""
    flat = {
        name: child
        for name, child in value.items()
        if isinstance(child, dict) and child and is_key(name) and not nests(child.values())
    }
    first = next(iter(flat.values()), {})
    alike = all(2 * len(first.keys() & row) >= max(len(first), len(row)) for row in flat.values())
    return flat if alike else {}


def is_key(name: str) -> bool:
    """Whether a name looks like a symbol or a time, rather than a word of a format."""
    return bool(_KEY.match(name))


def plain_arrays(value: Mapping[str, Any]) -> dict[str, list[Any]]:
    """The arrays in an object that hold nothing but plain values; empty ones if all are."""
    arrays = {
        name: child for name, child in value.items() if isinstance(child, list) and not nests(child)
    }
    return {name: child for name, child in arrays.items() if child} or arrays


def nests(values: Iterable[Any]) -> bool:
    """Whether there is an object or an array among them."""
    return not _NESTED.isdisjoint(map(type, values))


def _union(*names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(chain.from_iterable(names)))


def _of_bar(value: dict[str, Any]) -> Place:
    """The place of one bar: below the objects around it, if it has its own time and these no
    prices."""
    inner = [name for name, child in value.items() if isinstance(child, dict)]
    if len(inner) == 1:
        child = value[inner[0]]
        rest = {name: cell for name, cell in value.items() if name != inner[0]}
        if _is_bar(child) and not _is_bar(rest) and any(map(_is_time, _leaves(child))):
            return _of_bar(child).after(inner[0])
    return Place((), "objects", tuple(value), len(value), len(value))


def _is_time(cell: Any) -> bool:
    return isinstance(cell, str) and bool(_TIME.fullmatch(cell))


def _is_bar(value: dict[str, Any]) -> bool:
    """Whether an object has as many numbers as a bar has prices, and no more than one may have."""
    cells = list(_leaves(value))
    numbers = sum(isinstance(cell, str) and bool(_NUMBER.fullmatch(cell)) for cell in cells)
    return numbers >= _NUMBERS_OF_A_BAR and len(cells) <= _CELLS_OF_A_BAR


def _is_empty(value: Any) -> bool:
    if isinstance(value, dict):
        value = list(value.values())
    return all(map(_is_empty, value)) if isinstance(value, list) else value is None


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for child in value.values():
            yield from _leaves(child)
    elif not isinstance(value, list):
        yield value

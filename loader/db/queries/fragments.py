"""Pieces of SQL that derive from the columns of a bar, expanded where a query says `@name(…)`.

An argument is what stands before each column's name: `@values(b.)` is `b."open", b."high", …`, and
`@values(old_)` is `"old_open", "old_high", …`. Without one the names stand alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Final

from loader.bars.columns import COLUMNS, KEY, OPTIONAL, PRICES, TYPES, VALUES
from loader.errors import MdloadError

_USE: Final = re.compile(r"@([a-z_]+)(?:\(([\w., ]*)\))?")
#: How the server writes a value in the binary protocol.
_SEND: Final = {
    "timestamptz": "timestamptz_send", "double precision": "float8send", "bigint": "int8send",
}  # fmt: skip


def expand(sql: str) -> str:
    """`sql` with every fragment in place of its name.

    Raises:
        MdloadError: there is no such fragment, or it takes other arguments.
    """
    return _USE.sub(_expanded, sql)


def _expanded(use: re.Match[str]) -> str:
    name, given = use[1], use[2]
    arguments = [word.strip() for word in given.split(",")] if given else []
    try:
        return _FRAGMENTS[name](*arguments)
    except KeyError:
        known = ", ".join(f"@{each}" for each in _FRAGMENTS)
        raise MdloadError(f"there is no fragment {use[0]}; there are {known}") from None
    except TypeError:
        raise MdloadError(f"the fragment {use[0]} takes another number of arguments") from None


def _name(prefix: str, column: str) -> str:
    """`b."open"` for the prefix `b.`, `"old_open"` for `old_`."""
    table, dot, start = prefix.rpartition(".")
    return f'{table}{dot}"{start}{column}"'


def _list(columns: Iterable[str]) -> Callable[..., str]:
    names = tuple(columns)

    def listed(prefix: str = "", renamed: str | None = None) -> str:
        if renamed is None:
            return ", ".join(_name(prefix, column) for column in names)
        return ", ".join(f"{_name(prefix, c)} AS {_name(renamed, c)}" for c in names)

    return listed


def _same_key(left: str, right: str) -> str:
    return " AND ".join(f"{_name(left, column)} = {_name(right, column)}" for column in KEY)


def _differ(left: str, right: str) -> str:
    values = _list(VALUES)
    return f"({values(left)}) IS DISTINCT FROM ({values(right)})"


def _set(prefix: str) -> str:
    return ", ".join(f"{_name('', column)} = {_name(prefix, column)}" for column in VALUES)


def _typed() -> str:
    return ", ".join(f"{_name('', column)} {TYPES[column]}" for column in COLUMNS)


def _defined() -> str:
    return ", ".join(
        _name("", column)
        + f" {TYPES[column]}"
        + (' COLLATE "C"' if TYPES[column] == "text" else "")
        + ("" if column in OPTIONAL else " NOT NULL")
        for column in COLUMNS
    )


def _packed(prefix: str) -> str:
    """As `loader.store.packed` reads it: of each column the values without NULLs, the four prices
    of a bar together, and the times of the NULLs."""

    def joined(bytes_: str, name: str, condition: str = "") -> str:
        return f"string_agg({bytes_}, '') {condition}AS {_name('', name)}"

    points = (f"point({', '.join(_name(prefix, p) for p in PRICES[at : at + 2])})" for at in (0, 2))
    ts = f"timestamptz_send({_name(prefix, 'ts')})"
    pieces = [joined(ts, "ts"), joined(f"lseg_send(lseg({', '.join(points)}))", "prices")]
    for column in OPTIONAL:
        pieces.append(joined(f"{_SEND[TYPES[column]]}({_name(prefix, column)})", column))
    for column in OPTIONAL:
        null = f"FILTER (WHERE {_name(prefix, column)} IS NULL) "
        pieces.append(joined(ts, f"no_{column}", null))
    return ", ".join(pieces)


#: By name. `key`, `values` and `columns` are lists, with two arguments of the form `b.open AS
#: old_open`; `same_key(a., b.)` and `differ(a., b.)` are conditions on two bars; `set(a.)` assigns
#: all values; `typed` is a list of columns for json_to_recordset, `defined` one for a table;
#: `packed(a.)` is a stretch of bars as bytes.
_FRAGMENTS: Final[dict[str, Callable[..., str]]] = {
    "key": _list(KEY),
    "values": _list(VALUES),
    "columns": _list(COLUMNS),
    "same_key": _same_key,
    "differ": _differ,
    "set": _set,
    "typed": _typed,
    "defined": _defined,
    "packed": _packed,
}

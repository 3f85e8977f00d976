"""The columns that the person names."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Final

import polars as pl

from loader import bars
from loader.dialects.dialect import fold
from loader.errors import ColumnMismatch, SettingsError

#: Fields of a bar, and the time of day that completes a `ts` that is a date.
_FIELDS: Final = (*bars.KEY, "time_of_day", *bars.VALUES)


def check_fields(asked: Mapping[str, str]) -> None:
    """Raises:
    SettingsError: `asked` names a field that bars do not have.
    """
    for field, name in asked.items():
        if field in _FIELDS:
            continue
        near = difflib.get_close_matches(field, _FIELDS, n=3)
        fields = ", ".join(_FIELDS)
        raise SettingsError(
            f"{field}={name}: a bar has no field {field!r}",
            option="--column",
            hint=f"did you mean {' or '.join(near)}?" if near else f"its fields are {fields}",
        )


def column_for(frame: pl.DataFrame, name: str, option: str, where: str) -> str:
    """The column that the person calls `name`, in `option` as it is typed.

    Raises:
        ColumnMismatch: the file has none.
    """
    if name in frame.columns:
        return name
    folded = [column for column in frame.columns if fold(column) == fold(name)]
    if len(folded) == 1:
        return folded[0]
    near = difflib.get_close_matches(name, frame.columns, n=3, cutoff=0.5)
    raise ColumnMismatch.at(
        where,
        f"there is no column {name!r} for {option}",
        hint=f"did you mean {listed(near, ' or ')}?" if near else f"it has {listed(frame.columns)}",
    )


def listed(names: Iterable[str], last: str = ", ") -> str:
    """Names of columns, the first twenty."""
    found = [shown(name) for name in names]
    if len(found) > 20:
        return ", ".join(found[:20]) + f" and {len(found) - 20} more"
    return last.join(found)


def shown(name: str) -> str:
    """The name of a column in a sentence."""
    return repr(name) if name.strip() else "a column without a name"

"""Files of which `--where` wants no row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import polars as pl

from loader.check.instruments.asked import column_for
from loader.check.instruments.lacks import MAYBE_SYMBOL
from loader.check.instruments.next_steps import quoted
from loader.dialects.dialect import fold
from loader.errors import ColumnMismatch

#: Values of a column that are kept, and that a message has.
_KEPT: Final = 20
_SHOWN: Final = 8


def unknown_symbol(frame: pl.DataFrame, wanted: str, where: str) -> ColumnMismatch:
    """For `--where symbol=…` where nothing gives the symbol of the rows in `frame`."""
    held = next((name for name in frame.columns if fold(name) in MAYBE_SYMBOL), "NAME")
    column, where_it = quoted(held), quoted(f"{held}={wanted}")
    return ColumnMismatch.at(
        where,
        f"the symbol of the bars is not known, so that no row can be selected by --where "
        f"symbol={wanted}: the file has no column for it",
        hint=f"if all rows are of {wanted}: --symbol {quoted(wanted)}; if a column holds the "
        f"symbols: --column symbol={column} --where {where_it}",
    )


class Unwanted:
    """The values that the columns of `conditions` have instead, in rows that nobody asked for."""

    def __init__(self, where: str, conditions: Mapping[str, str]) -> None:
        self._where = where
        self._conditions = conditions
        self._values: dict[str, dict[str, None]] = {}

    def add(self, frame: pl.DataFrame) -> None:
        """Raises:
        ColumnMismatch: the file has no such column.
        """
        for asked, wanted in self._conditions.items():
            name = column_for(frame, asked, f"--where {asked}={wanted}", self._where)
            cells = frame.get_column(name).cast(pl.String).str.strip_chars().drop_nulls()
            known = self._values.setdefault(name, {})
            for cell in cells.unique(maintain_order=True).head(_KEPT - len(known)):
                known[cell] = None

    def error(self) -> ColumnMismatch | None:
        """For a file that has rows, and none of them was asked for; None if it has none at all."""
        if not self._values:
            return None
        asked = " and ".join(f"{name}={value}" for name, value in self._conditions.items())
        first, values = next(iter(self._values.items()))
        shown = ", ".join([*map(repr, list(values)[:_SHOWN]), *["…"][: len(values) > _SHOWN]])
        step = quoted(f"{first}={next(iter(values), '')}")
        return ColumnMismatch.at(
            self._where,
            f"no row has {asked}, and column {first!r} has {shown or 'no values'}",
            column=first,
            hint=f"name one of its values: --where {step}" if values else None,
        )

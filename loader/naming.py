"""How symbols are made of a file's spellings: by a person's map, else by a convention."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Final

import polars as pl

from loader import keys
from loader.distinct import Words, constant
from loader.errors import SettingsError
from loader.renames import SymbolMap
from loader.symbols import CONVENTIONS

#: Stands where the name of a convention does, for spellings that the map has.
MAP: Final = "map"


@dataclass(frozen=True, slots=True)
class Naming:
    """`convention` is a name in `loader.symbols.CONVENTIONS`; `renames` go before it."""

    convention: str = "plain"
    renames: SymbolMap | None = None

    def symbols(self, provider: Words, spelled: Words, ts: pl.Series) -> Words:
        """The symbol of each row; `ts` is UTC, its date the bar's session."""
        symbols = keys.symbols(spelled, self.convention)
        if self.renames is None:
            return symbols
        return Words.of(self.renames.symbols(provider.rows, spelled, ts, symbols.rows))

    def origins(self, spellings: pl.DataFrame) -> pl.Series:
        """For rows of provider, source_symbol and symbol: `map`, or else the convention."""
        if self.renames is None:
            return constant(self.convention, spellings.height, pl.String())
        says = spellings.select(pl.when(self.renames.says(spellings)).then(pl.lit(MAP)))
        return says.to_series().fill_null(self.convention)


def known_convention(name: str) -> str:
    """Raises:
    SettingsError: there is no convention of that name.
    """
    if name not in CONVENTIONS:
        near = difflib.get_close_matches(name.strip().lower(), CONVENTIONS, n=3)
        raise SettingsError(
            f"there is no symbol convention {name!r}",
            hint=f"did you mean {' or '.join(near)}?"
            if near
            else f"one of {', '.join(CONVENTIONS)}",
        )
    return name

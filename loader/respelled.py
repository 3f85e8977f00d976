"""What became of the spellings of a file's symbols, told to the person."""

from __future__ import annotations

from typing import Final

import polars as pl

from loader.naming import MAP

#: Spellings that a note names; all are counted.
_SHOWN: Final = 5


def notes(spellings: pl.DataFrame) -> tuple[str, ...]:
    """`spellings` are distinct rows of `source_symbol`, `symbol` and `convention` (String)."""
    source, symbol, origin = pl.col("source_symbol"), pl.col("symbol"), pl.col("convention")
    by_map = origin == MAP
    plain = source.str.strip_chars().str.to_uppercase()
    kinds = {
        "by the symbol map": by_map & (source != symbol),
        "by the convention {convention}": ~by_map & (plain != symbol),
        "for their blanks or lower case": ~by_map & (plain == symbol) & (source != symbol),
    }
    told = []
    for why, which in kinds.items():
        found = spellings.filter(which).unique(["source_symbol", "symbol"]).sort("source_symbol")
        if found.height:
            shown = [
                f"{_visible(row['source_symbol'])} as {row['symbol']}"
                for row in found.head(_SHOWN).iter_rows(named=True)
            ]
            more = f" and {found.height - _SHOWN:,} more" if found.height > _SHOWN else ""
            what = "1 symbol is" if found.height == 1 else f"{found.height:,} symbols are"
            by = why.format(convention=found["convention"][0])
            told.append(f"{what} stored under another spelling {by}: {', '.join(shown)}{more}")
    return tuple(told)


def _visible(name: str) -> str:
    return name if name.isprintable() and name == name.strip() else repr(name)

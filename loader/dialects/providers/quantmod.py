"""quantmod: the tables of R's getSymbols, whose columns are called by the symbol."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from loader.dialects.dialect import Dialect, Opening, Shape, Words
from loader.lazy import regex

_FIELDS: Final = ("Open", "High", "Low", "Close")
_NAME: Final = regex(r"(?P<symbol>.+)\.(?P<field>Open|High|Low|Close|Volume|Adjusted)")


def _symbols(opening: Opening) -> set[str]:
    found = (_NAME.fullmatch(name) for name in opening.first.columns)
    return {match["symbol"] for match in found if match}


def _is_one_symbol(opening: Opening) -> bool:
    symbols = _symbols(opening)
    if len(symbols) != 1:
        return False
    [symbol] = symbols
    return {f"{symbol}.{field}" for field in _FIELDS} <= set(opening.first.columns)


def _facts(opening: Opening) -> Mapping[str, str]:
    [symbol] = _symbols(opening)
    return {**opening.facts, "symbol": symbol}


def _naming(opening: Opening) -> Words:
    [symbol] = _symbols(opening)
    return {field.lower(): (f"{symbol}.{field}",) for field in (*_FIELDS, "Volume")}


DIALECT = Dialect(
    name="quantmod",
    title="quantmod tables of R",
    columns={"ts": ("index", "date", "")},
    shapes=(
        Shape(
            containers=("csv", "parquet", "arrow", "json"),
            named=r".*\.(?:Open|High|Low|Close|Volume|Adjusted)|(?i:index|date|column_\d+|)",
            accept=_is_one_symbol,
        ),
    ),
    facts=_facts,
    naming=_naming,
    provider="{provider}",
    volume="shares",
    adjusted="splits, of Yahoo's prices; not dividends (only Adjusted is)",
    traps=(
        "the columns are called by the symbol: AAPL.Open; several symbols in one table are refused",
        "getSymbols reads Yahoo by default, and the file does not tell: say --provider",
        "R changes symbols in names: ^GSPC is GSPC, BRK-B may be BRK.B",
    ),
    source="quantmod's names of columns (AAPL.Open … AAPL.Adjusted) in scripts of public code",
)

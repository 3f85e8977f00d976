"""What to type where columns of a file tell rows of one symbol apart."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

import polars as pl

from loader import bars
from loader.dialects.dialect import fold
from loader.lazy import regex

#: Stands between the columns in `--column symbol=SYMBOL+SERIES`.
PLUS: Final = "+"
ADJUSTMENT: Final = regex(r"(?:is)?(?:un)?adj(?:usted|ustment|ust)?(?:flag|type|factor|mode)?")
#: Names of columns that hold whole symbols or contracts.
_SYMBOLS: Final = regex(
    r"(?:trading|currency|ccy|fx)?pair(?:name|symbol|code)?|crypto(?:currency)?|token|asset"
    r"|(?:coin|stock|share|scrip|company|fund|instrument|security|product|contract|underlying|index)"
    r"(?:name|symbol|ticker|code|id|key)?|(?:local|root|future|futures|option)?symbol|currency|name"
    r"|market|isin|cusip|sedol|figi|ric|wkn|permno|conid|osi|commodity|basecurrency"
)


def next_step(told: pl.DataFrame, columns: Mapping[str, str]) -> str:
    """The hint for rows that the columns of `told` tell apart; `columns` are those of the bars. The
    rows of one can be loaded, or all under symbols of their own."""
    words = {name: told.get_column(name).cast(pl.String).drop_nulls() for name in told.columns}
    where = " ".join(
        f"--where {quoted(f'{name}={cells[0].strip()}')}" for name, cells in words.items()
    )
    one = f"load the rows of one: {where}"
    alone = told.columns[0] if told.width == 1 else None
    symbol = columns.get("symbol")
    if alone is not None and "interval" not in columns:
        intervals = map(bars.parse_interval, words[alone].unique())
        if all(intervals):
            return f"if it is the interval: --column interval={quoted(alone)}; else {one}"
    if symbol is None and alone is not None and _SYMBOLS.fullmatch(fold(alone)):
        return f"if it holds the symbols: --column symbol={quoted(alone)}; or {one}"
    parts = [symbol or "symbol", *(name for name in told.columns if name != symbol)]
    made = f"--column symbol={quoted(PLUS.join(parts))}"
    if alone is not None and (ADJUSTMENT.fullmatch(fold(alone)) or symbol is None):
        return f"{one}; or keep them apart: {made}"
    return f"make it part of the symbol: {made}; or {one}"


def both(names: Sequence[str]) -> str:
    return f"{', '.join(map(repr, names[:-1]))} and {names[-1]!r}"


def quoted(text: str) -> str:
    """As a shell takes it."""
    if re.fullmatch(r"[\w=.,:@%-]+", text):
        return text
    return "'" + text.replace("'", "'\\''") + "'"

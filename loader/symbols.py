"""Symbol conventions: one expression each, from a spelling in a file to the symbol stored."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import polars as pl


def _plain(spelling: pl.Expr) -> pl.Expr:
    """The provider's own spelling, trimmed and in upper case (Unicode's full mapping: ß is SS)."""
    return spelling.str.strip_chars().str.to_uppercase()


CONVENTIONS: Final[dict[str, Callable[[pl.Expr], pl.Expr]]] = {"plain": _plain}

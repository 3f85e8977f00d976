"""How a provider spells its symbols: remembered, so that two securities cannot merge."""

from __future__ import annotations

import json

import polars as pl

from loader.db import Executor
from loader.errors import SymbolCollision

#: The rule of rows whose symbol is another one's already, where they are kept out one by one.
COLLISION = "symbol_collision"
SCHEMA = {"provider": pl.String(), "source_symbol": pl.String(), "symbol": pl.String()}


def keep(writer: Executor, spellings: pl.DataFrame, convention: str, run_id: int | None) -> int:
    """Adds the spellings (columns of `SCHEMA`) that are new, and gives their number.

    Raises:
        SymbolCollision: two spellings that differ in more than case and blanks come to one symbol.
    """
    if not spellings.height:
        return 0
    listed = spellings.select(*SCHEMA).write_json()
    (stored,) = writer.one("spellings_stored", listed)
    # Upper case is made here: what a server's upper() does depends on its locale.
    plain = pl.col("source_symbol").str.strip_chars().str.to_uppercase()
    alike = pl.concat([spellings.select(*SCHEMA), pl.DataFrame(json.loads(stored), SCHEMA)])
    differing = alike.group_by("provider", "symbol").agg(
        n=plain.n_unique(), one=pl.col("source_symbol").min(), other=pl.col("source_symbol").max()
    )
    collisions = differing.filter(pl.col("n") > 1).sort("provider", "symbol")
    for provider, symbol, _, one, other in collisions.head(1).iter_rows():
        raise _collision(provider, symbol, one, other)
    (kept,) = writer.one("spellings_keep", listed, convention, run_id)
    return int(kept)


def _collision(provider: str, symbol: str, one: str, other: str) -> SymbolCollision:
    return SymbolCollision(
        f"two symbols of {provider} come to {symbol}: {one!r} and {other!r}",
        provider=provider,
        symbol=symbol,
        hint="load one of them under another name with --symbol, or from a file of its own",
    )

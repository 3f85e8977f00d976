"""How a provider spells its symbols: remembered, so that two securities cannot merge."""

from __future__ import annotations

import json

import polars as pl

from loader.db import Executor
from loader.errors import SymbolCollision
from loader.naming import MAP
from loader.symbols import is_lowered

#: The rule of rows whose symbol is another one's already, where they are kept out one by one.
COLLISION = "symbol_collision"
SCHEMA = {
    "provider": pl.String(),
    "source_symbol": pl.String(),
    "symbol": pl.String(),
    "convention": pl.String(),
}


def keep(writer: Executor, spellings: pl.DataFrame, run_id: int | None) -> int:
    """Adds the spellings (columns of `SCHEMA`) that are new, and gives their number.

    Raises:
        SymbolCollision: two spellings come to one symbol, other than by a person's map, that differ
            in more than blanks and in being in lower case: ALpA and ALPA do, aapl and AAPL do not.
    """
    if not spellings.height:
        return 0
    listed = spellings.select(*SCHEMA).write_json()
    (stored,) = writer.one("spellings_stored", listed)
    alike = pl.concat([spellings.select(*SCHEMA), pl.DataFrame(json.loads(stored), SCHEMA)])
    # Upper case is made here: what a server's upper() does depends on its locale.
    text = pl.col("source_symbol").str.strip_chars()
    alike = alike.filter(pl.col("convention") != MAP).with_columns(
        plain=pl.when(is_lowered(text)).then(text.str.to_uppercase()).otherwise(text)
    )
    differing = alike.group_by("provider", "symbol").agg(
        n=pl.col("plain").n_unique(),
        one=pl.col("source_symbol").sort_by("plain").first(),
        other=pl.col("source_symbol").sort_by("plain").last(),
    )
    collisions = differing.filter(pl.col("n") > 1).sort("provider", "symbol")
    for provider, symbol, _, one, other in collisions.head(1).iter_rows():
        raise _collision(provider, symbol, one, other)
    (kept,) = writer.one("spellings_keep", listed, run_id)
    return int(kept)


def _collision(provider: str, symbol: str, one: str, other: str) -> SymbolCollision:
    by_case = "--symbol-convention cqs, if case tells them apart; or " * (
        one.strip().upper() == other.strip().upper()
    )
    return SymbolCollision(
        f"two symbols of {provider} come to {symbol}: {one!r} and {other!r}",
        provider=provider,
        symbol=symbol,
        hint=f"say what they are: {by_case}--symbol-map FILE, with a line for each that is meant",
    )

"""How a provider spells its symbols: remembered, so that two securities cannot merge."""

from __future__ import annotations

import json

import polars as pl

from loader.check.spellings import SCHEMA, refuse_collisions
from loader.db.executor import Executor

__all__ = ["SCHEMA", "check", "keep", "others"]


def check(session: Executor, spellings: pl.DataFrame) -> None:
    """Compares the spellings (columns of `SCHEMA`) with each other and with the stored ones.

    Raises:
        SymbolCollision: see `loader.check.spellings.refuse_collisions`.
    """
    if spellings.height:
        (stored,) = session.one("spellings_stored", spellings.select(*SCHEMA).write_json())
        _refuse_collisions(spellings, stored)


def others(session: Executor, spellings: pl.DataFrame) -> set[tuple[str, str]]:
    """Those of the symbols, each with its provider, of which other spellings are stored."""
    (stored,) = session.one("spellings_stored", spellings.select(*SCHEMA).write_json())
    return {(each["provider"], each["symbol"]) for each in json.loads(stored)}


def keep(writer: Executor, spellings: pl.DataFrame, run_id: int | None) -> int:
    """Stores the spellings (columns of `SCHEMA`) that are new. Returns their number.

    Raises:
        SymbolCollision: see `check`; the transaction must be rolled back.
    """
    if not spellings.height:
        return 0
    kept, stored = writer.one("spellings_keep", spellings.select(*SCHEMA).write_json(), run_id)
    _refuse_collisions(spellings, stored)
    return int(kept)


def _refuse_collisions(spellings: pl.DataFrame, stored: str) -> None:
    """`stored` are others of the same symbols, as a JSON array of objects."""
    ours = spellings.select(*SCHEMA)
    others = json.loads(stored)
    refuse_collisions(pl.concat([ours, pl.DataFrame(others, SCHEMA)]) if others else ours)

"""Keeps bars out of a batch if their symbol already belongs to another security."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import polars as pl

from loader import bars
from loader.check import rawjson
from loader.check.reasons import SYMBOL_COLLISION
from loader.check.unique import UniqueBatch
from loader.check.validate import with_keys
from loader.errors import SymbolCollision


def keep_out(batch: UniqueBatch, collision: SymbolCollision) -> UniqueBatch:
    """The batch with the bars of the collision's symbol turned into rejects."""
    assert batch.bad is not None
    assert batch.spellings is not None
    pair = ["provider", "symbol"]
    theirs = (pl.col("provider") == collision.provider) & (pl.col("symbol") == collision.symbol)
    lost = batch.bars.filter(theirs).join(
        batch.spellings.unique(pair), on=pair, how="left", maintain_order="left"
    )
    raw = lost.with_columns(symbol="source_symbol").select(bars.COLUMNS)
    bad = lost.select(
        "row_number", pl.lit([SYMBOL_COLLISION], dtype=pl.List(pl.String)).alias("rules")
    ).with_columns(rawjson.encode(raw))
    bad = with_keys(bad)  # without a key: the bar there is another security's
    return replace(
        batch,
        bars=batch.bars.filter(~theirs),
        series=batch.series.filter(~theirs),
        spellings=batch.spellings.filter(~theirs),
        bad=pl.concat([batch.bad, bad]),
        rejected=Counter(batch.rejected) + Counter({SYMBOL_COLLISION: bad.height}),
    )

"""The spellings of a file's symbols: what was renamed, and what must not be."""

from __future__ import annotations

from typing import Final

import polars as pl

from loader.bars.conventions import is_lowered
from loader.bars.names import MAP
from loader.errors import SymbolCollision
from loader.results import Note, noted
from loader.text import counted

#: A spelling as read, the symbol that it became, and the convention (or `map`) responsible.
SCHEMA: Final = {
    "provider": pl.String(),
    "source_symbol": pl.String(),
    "symbol": pl.String(),
    "convention": pl.String(),
}
#: Spellings that a note names; all are counted.
_SHOWN: Final = 5


def notes(spellings: pl.DataFrame) -> tuple[Note, ...]:
    """How many symbols were renamed, why, and the first few. `spellings` has the `SCHEMA`."""
    source, symbol, origin = pl.col("source_symbol"), pl.col("symbol"), pl.col("convention")
    by_map = origin == MAP
    plain = source.str.strip_chars().str.to_uppercase()
    if spellings.select(((source == symbol) & (plain == symbol)).all()).item():
        return ()
    kinds = {
        "renamed by the symbol map": by_map & (source != symbol),
        "converted by the convention {convention}": ~by_map & (plain != symbol),
        "trimmed/upper-cased": ~by_map & (plain == symbol) & (source != symbol),
    }
    told = []
    for how, which in kinds.items():
        found = spellings.filter(which).unique(["source_symbol", "symbol"]).sort("source_symbol")
        if found.height:
            shown = [
                f"{_visible(row['source_symbol'])} -> {row['symbol']}"
                for row in found.head(_SHOWN).iter_rows(named=True)
            ]
            more = f" and {found.height - _SHOWN:,} more" if found.height > _SHOWN else ""
            done = how.format(convention=found["convention"][0])
            told.append(f"{counted(found.height, 'symbol')} {done}: {', '.join(shown)}{more}")
    return noted("symbols", told)


def refuse_collisions(spellings: pl.DataFrame) -> None:
    """`spellings` has the `SCHEMA`.

    Raises:
        SymbolCollision: two spellings that differ in more than blanks and lower case become one
            symbol, and no map of the person's says so. ALpA and ALPA collide, aapl and AAPL do not.
    """
    if spellings.height < 2:
        return
    text = pl.col("source_symbol").str.strip_chars()
    # Upper case is made here: what a server's upper() does depends on its locale.
    alike = spellings.filter(pl.col("convention") != MAP).with_columns(
        plain=pl.when(is_lowered(text)).then(text.str.to_uppercase()).otherwise(text)
    )
    differing = alike.group_by("provider", "symbol").agg(
        n=pl.col("plain").n_unique(),
        one=pl.col("source_symbol").sort_by("plain").first(),
        other=pl.col("source_symbol").sort_by("plain").last(),
    )
    collisions = differing.filter(pl.col("n") > 1).sort("provider", "symbol")
    for provider, symbol, _, one, other in collisions.head(1).iter_rows():
        by_case = one.strip().upper() == other.strip().upper()
        convention = "--symbol-convention cqs, if case tells them apart; or " if by_case else ""
        raise SymbolCollision(
            f"two symbols of {provider} become {symbol}: {one!r} and {other!r}",
            provider=provider,
            symbol=symbol,
            hint=f"tell them apart: {convention}--symbol-map FILE, with a line for each",
        )


def brought_together(spellings: pl.DataFrame) -> pl.DataFrame:
    """`provider` and `symbol` of those that a symbol map makes from several spellings."""
    by_name = spellings.group_by("provider", "symbol").agg(
        several=pl.col("source_symbol").n_unique() > 1, by_map=(pl.col("convention") == MAP).any()
    )
    return by_name.filter("several", "by_map").select("provider", "symbol")


def refuse_meeting(bars: pl.DataFrame, together: pl.DataFrame) -> None:
    """Spellings that a map brings together are one security only if they have one bar at a time.

    `bars` has the columns of `loader.bars.SCHEMA`, and `source_symbol` as spelled in the file.

    Raises:
        SymbolCollision: two spellings of one symbol have different bars at one time.
    """
    name = ["provider", "symbol"]
    rows = bars.join(together, on=name, how="semi")
    met = rows.group_by(*name, "interval", "ts").agg(
        sources=pl.col("source_symbol").unique().sort(),
        bars=pl.struct("open", "high", "low", "close", "volume").n_unique(),
    )
    met = met.filter(pl.col("sources").list.len() > 1, pl.col("bars") > 1).sort("ts", *name)
    for provider, symbol, _, ts, sources, _ in met.head(1).iter_rows():
        one, other, *_ = sources
        raise SymbolCollision(
            f"the symbol map turns both {one!r} and {other!r} of {provider} into {symbol}, but "
            f"they have different bars at {ts:%Y-%m-%d %H:%M}Z: they are two securities",
            provider=provider,
            symbol=symbol,
            hint="give each its dates in the map: valid_from, valid_to",
        )


def _visible(name: str) -> str:
    return name if name.isprintable() and name == name.strip() else repr(name)

"""What became of the spellings of a file's symbols: told to the person, or refused."""

from __future__ import annotations

from typing import Final

import polars as pl

from loader.bars.conventions import is_lowered
from loader.bars.names import MAP
from loader.errors import SymbolCollision

#: Of spellings: what was read, what it came to, and `map` or the convention that made it so.
SCHEMA: Final = {
    "provider": pl.String(),
    "source_symbol": pl.String(),
    "symbol": pl.String(),
    "convention": pl.String(),
}
#: Spellings that a note names; all are counted.
_SHOWN: Final = 5


def notes(spellings: pl.DataFrame) -> tuple[str, ...]:
    """What was renamed: how many, why, and the first few; `spellings` have the `SCHEMA`."""
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


def refuse_collisions(spellings: pl.DataFrame) -> None:
    """`spellings` have the `SCHEMA`.

    Raises:
        SymbolCollision: two spellings come to one symbol, other than by a person's map, that differ
            in more than blanks and in being in lower case: ALpA and ALPA do, aapl and AAPL do not.
    """
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
            f"two symbols of {provider} come to {symbol}: {one!r} and {other!r}",
            provider=provider,
            symbol=symbol,
            hint=f"say what they are: {convention}--symbol-map FILE, with a line for each that "
            "is meant",
        )


def brought_together(spellings: pl.DataFrame) -> pl.DataFrame:
    """`provider` and `symbol` of those that a person's map makes of several spellings."""
    by_name = spellings.group_by("provider", "symbol").agg(
        several=pl.col("source_symbol").n_unique() > 1, by_map=(pl.col("convention") == MAP).any()
    )
    return by_name.filter("several", "by_map").select("provider", "symbol")


def refuse_meeting(bars: pl.DataFrame, together: pl.DataFrame) -> None:
    """What a map brings together is one security only where it has one bar at a time.

    `bars` have the columns of `loader.bars.SCHEMA` and `source_symbol`, their spellings.

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
            f"by the symbol map {one!r} and {other!r} of {provider} are both {symbol}, but have "
            f"different bars at {ts:%Y-%m-%d %H:%M}Z: they are two securities",
            provider=provider,
            symbol=symbol,
            hint="say in the map from when to when each is meant: valid_from, valid_to",
        )


def _visible(name: str) -> str:
    return name if name.isprintable() and name == name.strip() else repr(name)

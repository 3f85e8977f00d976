"""What a person calls symbols, from which day to which: an answer for each row of a batch."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

import polars as pl

from loader.distinct import Words


@dataclass(frozen=True, slots=True)
class Rename:
    """`spelling` becomes `symbol`; on sessions from `valid_from` until before `valid_to`."""

    spelling: str
    symbol: str
    provider: str | None = None
    valid_from: date | None = None
    valid_to: date | None = None

    @property
    def begins(self) -> date:
        return self.valid_from or date.min

    @property
    def ends(self) -> date:
        return self.valid_to or date.max


@dataclass(frozen=True, slots=True)
class SymbolMap:
    """Renames, of which no two of one provider and spelling overlap in time."""

    renames: tuple[Rename, ...]
    _table: pl.DataFrame = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        rows = [(r.spelling, r.symbol, r.provider, r.begins, r.ends) for r in self.renames]
        names = {"spelling": pl.String, "to": pl.String, "of": pl.String}
        schema = {**names, "begins": pl.Date, "ends": pl.Date}
        object.__setattr__(self, "_table", pl.DataFrame(rows, schema=schema, orient="row"))

    def meaning(self) -> list[tuple[object, ...]]:
        """What the map says, whatever the order and the place of the file."""
        return sorted(
            (r.spelling, r.symbol, r.provider or "", r.begins, r.ends) for r in self.renames
        )

    def symbols(
        self, provider: pl.Series, spelled: Words, ts: pl.Series, otherwise: pl.Series
    ) -> pl.Series:
        """The symbols (String) of rows spelled `spelled`; `otherwise` where the map is silent.

        `ts` is a Datetime in UTC whose date is the bar's session.
        """
        known = self._table["spelling"].unique()
        trimmed = spelled.to(lambda words: words.str.strip_chars())
        concerned = trimmed.each(lambda words: words.is_in(known.implode()))
        if not concerned.any():
            return otherwise
        rows = pl.DataFrame({"provider": provider, "spelling": trimmed.rows, "day": ts.dt.date()})
        found = (
            self._found(rows.with_row_index("row").filter(concerned))
            .filter((pl.col("day") >= pl.col("begins")) & (pl.col("day") < pl.col("ends")))
            .sort(pl.col("of").is_not_null())
            .unique("row", keep="last")
        )
        return (
            otherwise.to_frame("symbol")
            .with_row_index("row")
            .join(found.select("row", "to"), on="row", how="left", maintain_order="left")
            .select(pl.coalesce("to", "symbol").alias("symbol"))
            .to_series()
        )

    def says(self, spellings: pl.DataFrame) -> pl.Series:
        """Which rows of (provider, source_symbol, symbol) are what the map says, on some day."""
        rows = spellings.with_columns(spelling=pl.col("source_symbol").str.strip_chars())
        found = self._found(rows.with_row_index("row")).filter(pl.col("to") == pl.col("symbol"))
        return pl.int_range(spellings.height, eager=True).is_in(found["row"].unique().implode())

    def _found(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The rows with each rename of their spelling and provider."""
        both = rows.join(self._table, on="spelling")
        return both.filter(pl.col("of").is_null() | (pl.col("of") == pl.col("provider")))

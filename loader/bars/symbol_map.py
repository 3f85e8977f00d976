"""A symbol map: a CSV file of renames, each with the days on which it holds.

    from,to,provider,valid_from,valid_to
    FB,META,polygon,,2022-06-09

`from` is the provider's spelling, except blanks around it; `to` is the symbol to store. The
other columns may be absent or empty: any provider, always. `valid_to` is the first day that no
longer counts. A row that names the provider goes before one that names none.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import field
from datetime import date
from difflib import get_close_matches
from io import StringIO
from itertools import pairwise
from pathlib import Path
from typing import Final

import polars as pl

from loader.bars.words import Words
from loader.errors import SettingsError
from loader.lazy import dataclass


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
        """The renames, independent of the order and the place of the file."""
        return sorted(
            (r.spelling, r.symbol, r.provider or "", r.begins, r.ends) for r in self.renames
        )

    def symbols(
        self, provider: pl.Series, spelled: Words, ts: pl.Series, otherwise: pl.Series
    ) -> pl.Series:
        """The symbols (String) of rows spelled `spelled`; `otherwise` where the map has none.

        `ts` is a Datetime in UTC; its date is the bar's session.
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
        """Which rows of (provider, source_symbol, symbol) the map makes, on some day."""
        rows = spellings.with_columns(spelling=pl.col("source_symbol").str.strip_chars())
        found = self._found(rows.with_row_index("row")).filter(pl.col("to") == pl.col("symbol"))
        return pl.int_range(spellings.height, eager=True).is_in(found["row"].unique().implode())

    def _found(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The rows with each rename of their spelling and provider."""
        both = rows.join(self._table, on="spelling")
        return both.filter(pl.col("of").is_null() | (pl.col("of") == pl.col("provider")))


_COLUMNS: Final = ("from", "to", "provider", "valid_from", "valid_to")
_EXAMPLE: Final = "the first line names the columns: from,to,provider,valid_from,valid_to"


def read(path: str) -> SymbolMap:
    """The map in a file.

    Raises:
        SettingsError: the file cannot be read or is not such a map; the message names the line.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise SettingsError(
            f"{path} cannot be read: {error.strerror}", option="--symbol-map", hint=_EXAMPLE
        ) from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path} is not UTF-8 text: {error}", hint=_EXAMPLE) from error
    return parse(text, path)


def parse(text: str, place: str) -> SymbolMap:
    """Parses a map; `place` names it in errors.

    Raises:
        SettingsError: the text is not such a map; the message names the line.
    """
    lines = csv.reader(StringIO(text, newline=""), strict=True)
    found: list[tuple[int, Rename]] = []
    try:
        names = _header(next(lines, []), place)
        for cells in lines:
            if any(cell.strip() for cell in cells):
                where = f"{place}, line {lines.line_num}"
                found.append((lines.line_num, _rename(names, cells, where)))
    except csv.Error as error:
        raise SettingsError(f"{place}, line {lines.line_num}: {error}", hint=_EXAMPLE) from error
    _refuse_overlaps(found, place)
    return SymbolMap(tuple(rename for _, rename in found))


def _header(cells: list[str], place: str) -> list[str]:
    names = [cell.strip() for cell in cells]
    for name in names:
        if name not in _COLUMNS:
            near = get_close_matches(name, _COLUMNS, 1, 0.6 if len(names) > 1 else 1.0)
            raise SettingsError(
                f"{place}, line 1: {name!r} is not a column of a symbol map",
                hint=f"did you mean {near[0]}?" if near else _EXAMPLE,
            )
        if names.count(name) > 1:
            raise SettingsError(f"{place}, line 1: column {name!r} is there twice")
    for name in ("from", "to"):
        if name not in names:
            raise SettingsError(f"{place}, line 1: there is no column {name!r}", hint=_EXAMPLE)
    return names


def _rename(names: list[str], cells: list[str], where: str) -> Rename:
    if len(cells) > len(names):
        raise SettingsError(f"{where}: {len(cells)} cells under {len(names)} names", hint=_EXAMPLE)
    row = {name: cell.strip() for name, cell in zip(names, cells, strict=False) if cell.strip()}
    for name in ("from", "to"):
        if name not in row:
            raise SettingsError(f"{where}: {name!r} is empty, a symbol was expected")
    symbol = row["to"]
    if symbol != symbol.upper() or not symbol.isprintable():
        raise SettingsError(
            f"{where}: {symbol!r} is not a symbol as it is stored, which is in upper case",
            hint=f"write {symbol.upper()}" if symbol.isprintable() else None,
        )
    begins, ends = (_day(row.get(name), name, where) for name in ("valid_from", "valid_to"))
    if begins and ends and begins >= ends:
        raise SettingsError(
            f"{where}: valid_from {begins} is not before valid_to {ends}",
            hint="valid_to is the first day that no longer counts",
        )
    return Rename(row["from"], symbol, row.get("provider"), begins, ends)


def _day(text: str | None, name: str, where: str) -> date | None:
    if text is None:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or day.isoformat() != text:
        raise SettingsError(f"{where}: {name} {text!r} is not a date like 2022-06-09")
    return day


def _refuse_overlaps(found: Iterable[tuple[int, Rename]], place: str) -> None:
    def series(one: tuple[int, Rename]) -> tuple[str, str]:
        return one[1].provider or "", one[1].spelling

    ordered = sorted(found, key=lambda one: (*series(one), one[1].begins))
    for one, other in pairwise(ordered):
        (before, earlier), (line, later) = one, other
        if series(one) == series(other) and later.begins < earlier.ends:
            raise SettingsError(
                f"{place}, line {line}: {later.spelling} is {earlier.symbol} by line {before} "
                f"{_span(earlier)}, which overlaps {_span(later)}",
                hint="valid_to is the first day that no longer counts",
            )


def _span(rename: Rename) -> str:
    if rename.valid_from is None and rename.valid_to is None:
        return "always"
    begins = f"from {rename.valid_from}" if rename.valid_from else "from the beginning"
    return begins + (f" until before {rename.valid_to}" if rename.valid_to else " on")

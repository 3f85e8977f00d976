"""Annual and quarterly figures, in one file or in several: those that end on one day have one
key."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

import polars as pl

from loader.dialects.dialect import fold
from loader.errors import ColumnMismatch, HistoryRefused
from loader.ingest.guard.findings import HINTS
from loader.ingest.ways.tenants.layout import Layout
from loader.lazy import regex
from loader.settings.datasets import Dataset

#: How vendors call the column that says how long a period is.
_NAMES: Final = frozenset(map(fold, (
    "period", "fiscal_period", "period_type", "fp", "form", "form_type", "report_type", "dimension",
    "frequency", "freq", "timeframe", "interval", "statement_type", "duration", "period_length",
)))  # fmt: skip
_KINDS: Final = tuple(
    (kind, regex(words))
    for kind, words in (
        ("annual", "FY|A|1?Y|ANN|ANNUAL(LY)?|YEAR(LY)?|12 ?M(ONTHS?)?|(10-K|[24]0-F)(/A)?|[AM]RY"),
        ("quarterly", "[1-4]?Q[1-4]?|QTR|QUARTER(LY)?|3 ?M(ONTHS?)?|10-Q(/A)?|[AM]RQ"),
        ("half-year", "[HS][12]|[12][HS]|6 ?M(ONTHS?)?|(HALF|SEMI)[- ]?(YEAR|ANNUAL)?(LY)?"),
        ("trailing", "[TL]TM|[AM]RT"),
    )
)
#: Distinct words of a column that are looked at; one with more does not say how long periods are.
_MOST: Final = 40


class Periods:
    """Whether the figures of a file are of periods of several lengths under one vendor.

    Args:
        chosen: columns by which the person has selected rows; these are not asked about.
        where: names the file in errors.
    """

    def __init__(self, of: Dataset, chosen: Collection[str], where: str) -> None:
        self._of = of
        self._chosen = {fold(name) for name in chosen}
        self._where = where
        self._found: dict[tuple[str, str | None], dict[str, str]] = {}

    def look(self, frame: pl.DataFrame, layout: Layout) -> None:
        """Raises:
        ColumnMismatch: there are several.
        """
        if self._of.name != "fundamentals":
            return
        vendor = layout.columns.get("vendor")
        for name in frame.columns:
            if fold(name) not in _NAMES - self._chosen or name in layout.columns.values():
                continue
            words = frame.select(
                pl.col(name).cast(pl.String, strict=False).str.strip_chars().alias("word"),
                (pl.col(vendor).cast(pl.String) if vendor else pl.lit(None, pl.String)).alias("of"),
            ).unique(maintain_order=True)
            if words["word"].n_unique() > _MOST:
                continue
            for word, of in words.drop_nulls("word").iter_rows():
                kind = _kind(word)
                if kind is not None:
                    self._add(name, of, kind, word)

    def _add(self, name: str, vendor: str | None, kind: str, word: str) -> None:
        kinds = self._found.setdefault((name, vendor), {})
        kinds.setdefault(kind, word)
        if len(kinds) == 1:
            return
        (one, first), (other, second) = list(kinds.items())[:2]
        raise ColumnMismatch.at(
            self._where,
            f"column {name!r} has {one} and {other} figures ({first!r}, {second!r}), and those "
            "that end on one day have one key",
            column=name,
            hint=f"load each under a vendor of its own: --where {name}={first} --provider "
            f"NAME-{one}; or name all that belong together: --where '{name}={first}|{second}'",
        )


def _kind(word: str) -> str | None:
    upper = word.upper()
    return next((kind for kind, pattern in _KINDS if pattern.fullmatch(upper)), None)


def refuse_other_periods(growth: pl.DataFrame, where: str) -> None:
    """What a column of the file does not say, the amounts do: those of a year are about four times
    a quarter's. `growth` is the result of `stage_growth`; `where` names the rows in errors.

    Raises:
        HistoryRefused: at least half of the amounts that are stored would become twice as large or
            half, of all symbols together or of one with two of them or more.
    """
    if growth.is_empty():
        return
    doubled, met = int(growth["doubled"].sum()), int(growth["all_met"][0])
    if 2 * doubled < met:
        growth = growth.filter((pl.col("doubled") >= 2) & (2 * pl.col("doubled") >= pl.col("met")))
        if growth.is_empty():
            return
        doubled, met = int(growth["doubled"].sum()), int(growth["met"].sum())
    first = growth.sort("first", "symbol").row(0, named=True)
    lowest, highest = growth.select(pl.col("lowest").min(), pl.col("highest").max()).row(0)
    raise HistoryRefused.at(
        where,
        f"the amounts of {doubled:,} of {met:,} periods that are stored already would be "
        f"{lowest:.3g} to {highest:.3g} times as large, the first of {first['symbol']} at "
        f"{first['first']}: figures of periods of another length, or in another unit; nothing of "
        "it was merged",
        hint=f"{HINTS['period']}; or, if they are right: --accept period",
    )

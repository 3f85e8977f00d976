"""Annual and quarterly figures of one file: those that end on one day have one key."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

import polars as pl

from loader.dialects.dialect import fold
from loader.errors import ColumnMismatch
from loader.ingest.ways.tenants.layout import Layout
from loader.settings.datasets import Dataset

#: How vendors call the column that says how long a period is.
_NAMES: Final = frozenset(map(fold, (
    "period", "fiscal_period", "period_type", "fp", "form", "form_type", "report_type", "dimension",
    "frequency", "freq", "timeframe", "interval", "statement_type", "duration", "period_length",
)))  # fmt: skip
_KINDS: Final = tuple(
    (kind, re.compile(words))
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

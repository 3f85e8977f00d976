"""Files with symbols, and columns that show that the rows of one symbol are of several series."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import polars as pl

from loader.bars.words import changes
from loader.check.instruments.next_steps import ADJUSTMENT, next_step, quoted
from loader.check.instruments.one_symbol import VENUES
from loader.dialects.dialect import fold
from loader.errors import ColumnMismatch
from loader.lazy import regex

#: Names of columns that hold one value for all rows of a series: strikes, currencies, kinds of
#: prices. Names of companies and numbers of securities are not among them: they change in time.
_FIXED: Final = regex(
    r"strike(?:price)?|(?:option)?right|callput|putcall|cp(?:flag)?|optiontype|osi|optionsymbol"
    r"|(?:base|quote|price|trad(?:e|ing))?(?:currency|ccy)|(?:base|quote)(?:asset|coin)"
    r"|(?:price|quote)type|bid/?ask|whattoshow"
)
#: Of these, those that name one option of an underlying.
_OPTION: Final = regex(
    r"strike(?:price)?|(?:option)?right|callput|putcall|cp(?:flag)?|optiontype|osi|optionsymbol"
)
#: Names of columns of contracts, which follow each other in a continuous series.
_ROLLING: Final = regex(
    r"(?:delivery|expiry|expiration|maturity)(?:date|month)?|expires?|(?:future|local)s?symbol"
    r"|contract(?:month|date|code|id|name|symbol)?"
)
#: Of the symbols, so many have to be traded at several venues, one after the other.
_OF_SYMBOLS: Final = 0.5
#: Of the time that two contracts have, so much more than a roll takes may be common to both.
_OF_TIME: Final = 0.5
_FEWEST: Final = 2
_PAIR: Final = ("provider", "symbol", "cell")


class PerSymbol:
    """Looks through the rows of a file that has a column of symbols.

    Args:
        names: the columns that no bar is read from.
        columns: bar field to column, as in the layout.
        asked: whether the person named the column of symbols: then only options are told apart.
    """

    def __init__(
        self, names: Iterable[str], columns: Mapping[str, str], where: str, asked: bool = False
    ) -> None:
        self._columns = columns
        self._where = where
        self._asked = asked
        if asked:
            names = [name for name in names if _OPTION.fullmatch(fold(name))]
        self._seen: dict[str, pl.DataFrame] = {
            name: _NONE
            for name in names
            if _is_fixed(name) or any(words.fullmatch(fold(name)) for words in (_ROLLING, VENUES))
        }

    def look(self, frame: pl.DataFrame, good: pl.DataFrame, start: int) -> None:
        """Looks at the `good` bars (with `row_number`) of a batch: `frame` has its rows, from
        `start`.

        Raises:
            ColumnMismatch: a column shows that the bars of one symbol are of several series.
        """
        if not self._seen or good.is_empty():
            return
        rows = good["row_number"] - start
        for name, known in self._seen.items():
            cells = frame.get_column(name).gather(rows).cast(pl.String).str.strip_chars()
            table = good.select("provider", "symbol", "ts").with_columns(cells.alias("cell"))
            table = table.filter(pl.col("cell").fill_null("") != "")
            if not table.height:
                continue
            if _is_fixed(name):
                table = table.filter(changes([table[key] for key in _PAIR]))
            found = pl.concat([known, _spans(table)]).group_by(_PAIR, maintain_order=True).agg(_ADD)
            self._seen[name] = found
            if _is_fixed(name) and found.height > found.select("provider", "symbol").n_unique():
                raise self._refused(name, found)

    def finish(self) -> None:
        """To be called once all rows were looked at; raises as `look`."""
        for name, found in self._seen.items():
            symbols, follows = found.select("provider", "symbol").n_unique(), _follow(found)
            if VENUES.fullmatch(fold(name)):
                apart = follows.filter((pl.col("fewest") >= _FEWEST) & (pl.col("common") <= 0))
                several = apart.height >= max(1, _OF_SYMBOLS * symbols)
            else:
                several = (follows["common"] >= _OF_TIME).any()
            if several:
                raise self._refused(name, found)

    def _refused(self, name: str, found: pl.DataFrame) -> ColumnMismatch:
        several = found.filter(pl.len().over("provider", "symbol") > 1)
        symbol = several["symbol"][0]
        values = several.filter(pl.col("symbol") == symbol)["cell"].unique(maintain_order=True)
        shown = ", ".join(map(repr, values.head(3))) + (", …" if len(values) > 3 else "")
        step = next_step(pl.DataFrame({name: values}), self._columns)
        column = quoted(self._columns["symbol"])
        way_out = f"; or if all rows of a symbol are of one series: --column symbol={column}"
        return ColumnMismatch.at(
            self._where,
            f"rows of one symbol have several values in column {name!r} ({symbol}: {shown}): they "
            "may be of several series",
            column=name,
            hint=step if self._asked else f"{step}{way_out}",
        )


def _is_fixed(name: str) -> bool:
    folded = fold(name)
    return bool(_FIXED.fullmatch(folded) or ADJUSTMENT.fullmatch(folded))


def _spans(table: pl.DataFrame) -> pl.DataFrame:
    return table.group_by(_PAIR, maintain_order=True).agg(
        lo=pl.col("ts").min(), hi=pl.col("ts").max(), rows=pl.len().cast(pl.Int64)
    )


_ADD: Final = (pl.col("lo").min(), pl.col("hi").max(), pl.col("rows").sum())
#: Written out: a query here would start Polars' threads in every program that imports mdload.
_NONE: Final = pl.DataFrame(
    schema={
        **dict.fromkeys(_PAIR, pl.String()),
        **dict.fromkeys(("lo", "hi"), pl.Datetime("us", "UTC")),
        "rows": pl.Int64(),
    }
)


def _follow(found: pl.DataFrame) -> pl.DataFrame:
    """Of each symbol with several values: the `fewest` rows that one has, and which part of the
    time of the shorter of two neighbours is `common` to both, at most."""
    own = ["provider", "symbol"]
    lo, hi = pl.col("lo"), pl.col("hi")
    common = pl.min_horizontal(hi, hi.shift()) - lo
    span = pl.min_horizontal(hi - lo, hi.shift() - lo.shift())
    part = common.dt.total_microseconds() / span.dt.total_microseconds().clip(1)
    part = pl.when(hi.shift().is_not_null()).then(part)
    return (
        found.sort("lo")
        .with_columns(common=part.over(own))
        .group_by(own)
        .agg(pl.len().alias("values"), pl.col("rows").min().alias("fewest"), pl.col("common").max())
        .filter(pl.col("values") > 1)
    )

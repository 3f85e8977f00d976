"""The number format of a file, read off its cells: which mark is the decimal one, which groups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import polars as pl

from loader.bars.numbers import NumberFormat, to_float
from loader.lazy import dataclass

#: What people write between thousands, besides a point and a comma: blanks and apostrophes.
_MARKS: Final = " \u00a0\u202f'\u2019"
_SIGN: Final = "^[+-]?"
#: 1.234 and 1,234: one mark before three digits may group as well as start a fraction.
_EITHER: Final = _SIGN + "[1-9][0-9]{0,2}%s[0-9]{3}$"
_FRACTION: Final = _SIGN + "[0-9]+%s[0-9]+(?:[eE][+-]?[0-9]+)?$"
#: A count of less than a thousand, or with points between thousands.
_COUNT: Final = "^[0-9]{1,3}$|" + _EITHER % r"\."
#: 1,234.50 and 1,234,567; Indian files write 12,34,567.
_GROUPED: Final = (
    _SIGN + "(?:[0-9]{1,3}(?:%s[0-9]{3})+%s[0-9]*|[0-9]{1,3}(?:%s[0-9]{3}){2,}"
    "|[0-9]{1,2}(?:%s[0-9]{2})+%s[0-9]{3}(?:%s[0-9]*)?)$"
)
_POINT, _COMMA = r"\.", ","
#: Without any of these a cell is a plain number, or none.
_SUSPECT: Final = rf"[,{_MARKS}]|\.[0-9]+\."
#: Cells of each column that show its currency.
_SAMPLE: Final = 1_000
#: A share of cells in the other format that is dirt, not doubt.
_DIRT: Final = 0.01


#: Codes of currencies, and of their hundredths that exchanges quote.
_CODES: Final = (
    "USD|EUR|GBP|JPY|CHF|CAD|AUD|NZD|CNY|CNH|RMB|HKD|SGD|INR|KRW|TWD|SEK|NOK|DKK|ISK|PLN|CZK|HUF"
    "|RON|RUB|TRY|UAH|ZAR|BRL|MXN|ARS|CLP|COP|PEN|ILS|AED|SAR|QAR|KWD|EGP|NGN|KES|THB|IDR|MYR|PHP"
    "|VND|PKR|KZT|GBX|GBp|ZAc|ZAC|ILA|USDT|USDC|BTC|ETH"
)
#: Currencies as people write them beside a price.
_CURRENCY: Final = rf"(?:[A-Z]{{1,3}}\p{{Sc}}|\p{{Sc}}|{_CODES}|kr\.?|zł|Kč|Ft|Rs\.?|Fr\.|元|円|원)"
_BLANKS: Final = "[ \u00a0\u202f]*"
#: The share of filled cells that have a currency, where the file writes one.
_MOSTLY: Final = 0.5


def currencies(columns: Sequence[pl.Series]) -> tuple[list[str], list[str]]:
    """The currencies that stand before the numbers in the text `columns`, and those behind them, by
    their first cells; none where most of these have none."""
    heads = [column.head(_SAMPLE).cast(pl.String).alias("c") for column in columns]
    filled = sum(len(head) - head.null_count() for head in heads)
    plain = sum(len(head) - to_float(head).null_count() for head in heads)
    if plain >= (1 - _MOSTLY) * filled:  # nearly every file, and much faster than patterns
        return [], []
    cells = pl.concat(heads).str.strip_chars()
    cells = cells.filter((cells != "").fill_null(False))
    before = cells.str.extract(f"^[+-]?({_CURRENCY}){_BLANKS}[0-9]")
    behind = cells.str.extract(f"[0-9]{_BLANKS}({_CURRENCY})$")
    marked = before.is_not_null() | behind.is_not_null()
    if not len(cells) or float(marked.mean() or 0) <= _MOSTLY:  # type: ignore[arg-type]
        return [], []
    return (
        before.drop_nulls().unique(maintain_order=True).to_list(),
        behind.drop_nulls().unique(maintain_order=True).to_list(),
    )


@dataclass(frozen=True, slots=True)
class Evidence:
    """`comma` and `point` count the cells that can only have that decimal mark, `either` the cells
    in which a comma may be it or may stand between thousands. `grouping` is the mark between
    thousands where it is neither of the two, or empty. `samples` has a cell of each kind."""

    comma: int
    point: int
    either: int
    commas: bool
    grouping: str
    samples: tuple[str, ...]

    @property
    def mixed(self) -> bool:
        """Whether the cells contradict each other: both decimal marks, and not by a few slips."""
        return min(self.comma, self.point) > _DIRT * max(self.comma, self.point)

    @property
    def written(self) -> NumberFormat | None:
        """The format; None where the cells contradict each other or can be read in two ways."""
        if self.mixed:
            return None
        if self.comma > self.point or (not self.point and self.grouping and self.either):
            return NumberFormat(grouping=self.grouping or ".", decimal=",")
        if self.either and not self.point:
            return None
        return NumberFormat(grouping=self.grouping or ("," if self.commas else ""))


def evidence(columns: Sequence[pl.Series]) -> Evidence | None:
    """What the cells of the text `columns` show; None where no cell has a mark but a point."""
    if all(to_float(column).null_count() == column.null_count() for column in columns):
        return None  # nearly every file, and much faster than patterns
    texts = [column.cast(pl.String).str.strip_chars() for column in columns]
    if not any(text.str.contains(_SUSPECT).any() for text in texts):
        return None
    cells = pl.concat([text.alias("cell").drop_nulls() for text in texts])
    spaced = _spaced(cells)
    grouping = spaced.str.extract(f"([{_MARKS}])").drop_nulls().mode()
    comma = _shows(cells, _COMMA, _POINT) | _matches(spaced, ",[0-9]+$")
    point = _shows(cells, _POINT, _COMMA) | _matches(spaced, r"\.[0-9]+$")
    either = _matches(cells, _EITHER % _COMMA)
    kinds = (cells.filter(kind).head(1) for kind in (comma, point, either))
    return Evidence(
        comma=int(comma.sum()),
        point=int(point.sum()),
        either=int(either.sum()),
        commas=bool(cells.str.contains(_COMMA, literal=True).any()),
        grouping=str(grouping[0]) if len(grouping) else "",
        samples=tuple(text for kind in kinds for text in kind),
    )


def may_be_thousands(counts: Sequence[pl.Series], others: Sequence[pl.Series]) -> str | None:
    """A cell such as 1.500 if all `counts` (columns of text) may have points between thousands, and
    no cell of the `others` shows that a point is the decimal mark; else None."""
    texts = [column.cast(pl.String).str.strip_chars() for column in (*counts, *others)]
    filled = [text.filter((text != "").fill_null(False)) for text in texts]
    either = [text.filter(_matches(text, _EITHER % _POINT)) for text in filled[: len(counts)]]
    grouped = next((str(found[0]) for found in either if len(found)), None)
    if grouped is None or not all(_matches(t, _COUNT).all() for t in filled[: len(counts)]):
        return None
    return None if any(_shows(text, _POINT, _COMMA).any() for text in filled) else grouped


def _shows(cells: pl.Series, decimal: str, other: str) -> pl.Series:
    """Where a cell can have no decimal mark but `decimal`: by its fraction, or because `other`
    stands between its thousands."""
    grouped = _GROUPED % (other, decimal, other, other, other, decimal)
    fraction = _matches(cells, _FRACTION % decimal) & ~_matches(cells, _EITHER % decimal)
    return fraction | _matches(cells, grouped)


def _spaced(cells: pl.Series) -> pl.Series:
    """The cells with blanks or apostrophes between thousands; the others null."""
    fits = _matches(cells, _SIGN + f"[0-9]{{1,3}}(?:[{_MARKS}][0-9]{{3}})+(?:[.,][0-9]+)?$")
    return cells.set(~fits, None)


def _matches(cells: pl.Series, pattern: str) -> pl.Series:
    return cells.str.contains(pattern).fill_null(False)

"""Provider, symbol and interval for files that lack them. Values in the file always win."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import polars as pl

from loader import bars
from loader.bars import names
from loader.bars.times import spacing
from loader.dialects.dialect import fold
from loader.errors import ColumnMismatch, ProviderUnknown, SettingsError

_NO_WORDS: Final[Mapping[str, str]] = MappingProxyType({})
_VOCABULARY: Final = " ".join(bars.INTERVALS)
_EXAMPLES: Final = {"provider": "yahoo", "symbol": "AAPL"}
#: The source of an interval that the person gave.
ASKED: Final = "--interval"
#: Names of columns that may hold symbols; suggested in a hint, never assumed.
_MAYBE_SYMBOL: Final = (
    "name", "code", "stock", "stocksymbol", "pair", "coin", "asset", "product", "contract",
    "market", "ric", "isin", "cusip", "figi", "permno",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fill:
    """`value` fills empty cells, or every row of a file without the column."""

    value: str | None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Hint:
    """A word about all bars of a file and its origin: the person's option, or the file's name."""

    word: str
    by: str

    def __str__(self) -> str:
        return f"{self.by} {self.word}"


def word(
    frame: pl.DataFrame,
    columns: Mapping[str, str],
    field: str,
    hint: str | None,
    where: str,
    by_name: str | None = None,
) -> Fill:
    """The fill of `provider` or `symbol`: the `hint`, else from the file's name.

    Raises:
        SettingsError: the hint is blank.
        ProviderUnknown: neither the file nor the hint names the provider.
        ColumnMismatch: neither names the symbol.
    """
    check_word(field, hint)
    column = columns.get(field)
    said = _said(frame, column)
    if hint is not None:
        overruled = said and said != [hint.strip()]
        note = _overruled(field, str(column), said, f"--{field} {hint}")
        return Fill(hint, (note,) if overruled else ())
    if by_name is not None:
        if not said:
            return Fill(by_name)
        overruled = field == "symbol" and {w.upper() for w in said} != {by_name.upper()}
        note = _overruled(field, str(column), said, f"{by_name}, as the file's name says")
        return Fill(None, (note,) if overruled else ())
    if said or (column is not None and not frame.height):
        return Fill(None)
    why = f"column {column!r} is empty" if column is not None else "the file has no column for it"
    fault = f"the {field} of the bars is not known, {why}"
    if field == "provider":
        hint = f"name it: --provider {_EXAMPLES[field]}"
        raise ProviderUnknown.at(where, fault, column=column, hint=hint)
    maybe = [name for name in frame.columns if fold(name) in _MAYBE_SYMBOL]
    or_column = f"; or if they stand there: --column symbol={maybe[0]!r}" if maybe else ""
    hint = f"name it: --symbol {_EXAMPLES[field]}{or_column}"
    raise ColumnMismatch.at(where, fault, column=column, hint=hint)


def refuse_several_symbols(
    frame: pl.DataFrame, columns: Mapping[str, str], times: pl.Series, where: str
) -> None:
    """Refuses a table without symbols if another column distinguishes rows of one time.

    Raises:
        ColumnMismatch: the table holds several symbols, which one `--symbol` would merge.
    """
    rows = frame.height
    if "symbol" in columns or times.n_unique() > 0.9 * rows:
        return
    for name in frame.columns:
        column = frame.get_column(name)
        if name in columns.values() or not names.is_word(column.dtype):
            continue
        with_times = pl.DataFrame([times.alias("time"), column.alias("other")])
        if column.n_unique() * 3 <= rows and with_times.n_unique() > 0.99 * rows:
            raise ColumnMismatch.at(
                where,
                f"the rows have only {times.n_unique():,} times in {rows:,}, which column "
                f"{name!r} tells apart: they are not of one symbol",
                hint=f"if it holds the symbols: --column symbol={name!r}; else load its values as "
                "files of their own",
            )


def interval(
    frame: pl.DataFrame,
    columns: Mapping[str, str],
    hint: Hint | None,
    times: pl.Series,
    where: str,
    words: Mapping[str, str],
) -> Fill:
    """The fill of `interval`: the hint, or what the steps between `times` (Datetime us) show.

    `words` are the dialect's own for intervals.

    Raises:
        SettingsError: the hint is not an interval.
        ColumnMismatch: the column holds no interval, the steps do not show one, or they show
            several bars a day where the hint says one.
    """
    known = parse_interval(hint, words) if hint is not None else None
    column = columns.get("interval")
    if said := _said(frame, column):
        parsed = {words.get(text) or bars.parse_interval(text) for text in said} - {None}
        if not parsed:
            raise ColumnMismatch.at(
                where,
                f"column {column!r} says {said[0]!r}, which is not an interval",
                column=column,
                hint=f"intervals are {_VOCABULARY}; another column: --column interval=NAME",
            )
        overruled = known is not None and parsed != {known}
        return Fill(
            known, (_overruled("interval", str(column), said, str(hint)),) if overruled else ()
        )
    if not frame.height:
        return Fill(known)
    series = [frame.get_column(columns[k]) for k in ("provider", "symbol") if k in columns]
    shown = spacing.infer(times, series)
    if known is not None:
        if shown.interval in (None, known):
            return Fill(known)
        if bars.is_daily(known) and not bars.is_daily(str(shown.interval)):
            raise ColumnMismatch.at(
                where,
                f"{hint} is one bar a day at most, but the spacing of the bars "
                f"is {shown.interval} ({shown.evidence})",
                hint=f"say --interval {shown.interval}, or leave it out",
            )
        doubt = f"bars are loaded as {known}, but their spacing is {shown.interval}"
        return Fill(known, (f"{doubt} ({shown.evidence})",))
    if shown.interval is None:
        raise ColumnMismatch.at(
            where,
            f"the interval of the bars is not known, {shown.evidence}",
            hint=f"name it: --interval {shown.likely or '1m'}",
        )
    note = f"interval {shown.interval} inferred from the spacing: {shown.evidence}"
    return Fill(shown.interval, (note,))


def check_word(field: str, word: str | None) -> None:
    """Raises:
    SettingsError: the `word` given for `field` is blank.
    """
    if word is not None and not word.strip():
        hint = f"for example {_EXAMPLES[field]}"
        raise SettingsError("is blank", option=f"--{field}", hint=hint)


def parse_interval(hint: Hint, words: Mapping[str, str] = _NO_WORDS) -> str:
    """The interval that a hint names.

    Raises:
        SettingsError: it is none.
    """
    known = words.get(hint.word) or bars.parse_interval(hint.word)
    if known is None:
        problem, vocabulary = f"{hint.word!r} is not an interval", f"one of {_VOCABULARY}"
        if hint.by == ASKED:
            raise SettingsError(problem, option=ASKED, hint=vocabulary)
        raise SettingsError(f"{hint.by} {problem}", hint=vocabulary)
    return known


def _said(frame: pl.DataFrame, column: str | None) -> list[str]:
    """The distinct words in a column, trimmed, in order of appearance; none without a column."""
    if column is None:
        return []
    text = names.trimmed(names.spelled(frame, column, None)).rows
    return [w for w in text.unique(maintain_order=True) if w]


def _overruled(field: str, column: str, said: list[str], hint: str) -> str:
    shown = ", ".join(word if word.isprintable() else repr(word) for word in said[:3])
    shown += f" and {len(said) - 3} more" if len(said) > 3 else ""
    return f"{field} is what column {column!r} says ({shown}), not {hint}"

"""Provider, symbol and interval: words that repeat, from columns or from options."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import polars as pl

from loader import bars
from loader.bars.conventions import CONVENTIONS
from loader.bars.numbers import is_text
from loader.bars.symbol_map import SymbolMap
from loader.bars.words import Words, constant, unprotected
from loader.errors import SettingsError
from loader.lazy import dataclass, regex

_NO_WORDS: Final[Mapping[str, str]] = MappingProxyType({})
#: Characters that nobody can see in a name, and the one that stands for those that were lost.
_UNREADABLE: Final = r"[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\x{FFFD}]"
#: A word that needs nothing done to it.
_PLAIN: Final = regex(r"[\w.:/^+@$*&#=-]+", re.ASCII)
#: So many words Python reads sooner than a query begins.
_FEW: Final = 500


def is_word(dtype: pl.DataType) -> bool:
    """Whether a column of `dtype` can hold names: text, or whole numbers such as 600000.

    Floats and booleans cannot: a reader guessed their type, and what the file said is lost.
    """
    return is_text(dtype) or dtype.is_integer() or dtype == pl.Null


def spelled(frame: pl.DataFrame, column: str | None, fill: str | None) -> Words:
    """The cells of `column` as text; `fill` where they are empty, or everywhere without one."""
    if column is None:
        return Words.all(fill, frame.height)
    text = Words.of(frame.get_column(column).cast(pl.String))
    return text.to(lambda words: _spelled(words, fill), ("spelled", fill))


def _spelled(words: pl.Series, fill: str | None) -> pl.Series:
    return words if _are_plain(words) else _filled(unprotected(words), fill)


def _are_plain(words: pl.Series) -> bool:
    """Whether the words are few, and nothing but letters, digits and usual marks: most are, and
    each look of a query at them takes longer."""
    return len(words) <= _FEW and all(word is not None and _PLAIN.fullmatch(word) for word in words)


def trimmed(text: Words) -> Words:
    return text.to(lambda words: words if _are_plain(words) else words.str.strip_chars(), "trimmed")


def symbols(source_symbols: Words, convention: str) -> Words:
    """The symbol (String) of each spelling under `convention`, a name in `bars.conventions`."""
    convert = CONVENTIONS[convention]
    return source_symbols.to(
        lambda words: words.to_frame("word").select(convert(pl.col("word"))).to_series(),
        ("symbols", convention),
    )


def unreadable(text: Words) -> pl.Series:
    """Where a name holds characters that cannot be seen, such as NUL, or U+FFFD. Null does not."""
    return text.each(_unreadable, "unreadable")


def _unreadable(words: pl.Series) -> pl.Series:
    if _are_plain(words):
        return constant(False, len(words), pl.Boolean())
    return words.str.contains(_UNREADABLE).fill_null(False)


def too_long(text: Words, most: int) -> pl.Series:
    """Where a name has more than `most` characters. Null does not."""
    return text.each(lambda words: _too_long(words, most), ("too_long", most))


def _too_long(words: pl.Series, most: int) -> pl.Series:
    if len(words) <= _FEW:
        lengths = (len(word or "") for word in words)
        return pl.Series([length > most for length in lengths], dtype=pl.Boolean)
    return (words.str.len_chars() > most).fill_null(False)


def intervals(text: Words, own: Mapping[str, str] = _NO_WORDS) -> Words:
    """The text as words of the interval vocabulary, null where it is not one of them.

    `own` are a dialect's words for intervals; they go first.
    """

    def known(word: str | None) -> str | None:
        return word and (own.get(word.strip()) or bars.parse_interval(word))

    key = ("intervals", *sorted(own.items()))
    return text.to(lambda words: pl.Series(map(known, words), dtype=pl.String), key)


def daily(interval: Words) -> pl.Series | bool:
    """Which bars of `interval` are daily or longer: one bool if all agree. Null is not daily."""
    words = [word for word in interval.distinct if word is not None]
    long = [word for word in words if bars.is_daily(word)]
    if len(long) in (0, len(words)):
        return bool(long)
    return interval.rows.is_in(long).fill_null(False)


def _filled(words: pl.Series, fill: str | None) -> pl.Series:
    blank = words.is_null() | (words.str.strip_chars() == "")
    return words.set(blank, fill)


#: Stands where the name of a convention does, for spellings that the map has.
MAP: Final = "map"


@dataclass(frozen=True, slots=True)
class Naming:
    """`convention` is a name in `loader.bars.conventions.CONVENTIONS`; `renames` go before it."""

    convention: str = "plain"
    renames: SymbolMap | None = None

    def symbols(self, provider: Words, spelled: Words, ts: pl.Series) -> Words:
        """The symbol of each row; `ts` is UTC, its date the bar's session."""
        converted = symbols(spelled, self.convention)
        if self.renames is None:
            return converted
        return Words.of(self.renames.symbols(provider.rows, spelled, ts, converted.rows))

    def origins(self, spellings: pl.DataFrame) -> pl.Series:
        """For rows of provider, source_symbol and symbol: `map`, or else the convention."""
        if self.renames is None:
            return constant(self.convention, spellings.height, pl.String())
        says = spellings.select(pl.when(self.renames.says(spellings)).then(pl.lit(MAP)))
        return says.to_series().fill_null(self.convention)


def known_convention(name: str) -> str:
    """Raises:
    SettingsError: no convention has that name.
    """
    if name not in CONVENTIONS:
        near = difflib.get_close_matches(name.strip().lower(), CONVENTIONS, n=3)
        raise SettingsError(
            f"{name!r} is not a symbol convention that mdload knows",
            option="--symbol-convention",
            hint=f"did you mean {' or '.join(near)}?"
            if near
            else f"one of {', '.join(CONVENTIONS)}",
        )
    return name

"""Symbol conventions: one expression each, from a spelling in a file to the symbol stored.

A US-listed equity is stored as its root, a dot and the suffix of the Consolidated Message System:
BRK.B, ABR.PRA, AIG.WS. A suffix that a convention does not know stays as it is spelled,
trimmed and in upper case: nothing is guessed. There is no convention for ACT/CTCI, where `.A`,
`.W`, `.V` and `$` have several meanings each, nor for the fifth letter of Nasdaq's own issues.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from string import ascii_uppercase
from typing import Final

import polars as pl

# Nasdaq's table of suffixes; Yahoo's and Bloomberg's are patterns that third parties found. `{}`
# is the letter of a class or series. If two rows have the same spelling, the later one counts.
_KINDS: Final = (
    # CMS      CQS       INET   Yahoo    Tiingo   Bloomberg
    ("{}",     ".{}",    ".{}", "-{}",   "-{}",   "/{}"),     # class
    ("PR",     "p",      "-",   "-P",    "-P",    ""),        # preferred
    ("PR{}",   "p{}",    "-{}", "-P{}",  "-P-{}", ""),
    ("WS",     ".WS",    "+",   "-WT",   "",      "/WS"),     # warrant
    ("WS{}",   ".WS.{}", "+{}", "-WT{}", "",      "/WS/{}"),
    ("U",      ".U",     "=",   "-UN",   "",      "/U"),      # unit
    ("RT",     "r",      "^",   "-RI",   "",      "-R"),      # right
    ("WI",     "w",      "#",   "-WI",   "",      "-W"),      # when issued
    ("RTWI",   "rw",     "^#",  "-RIWI", "",      "-R-W"),
    ("PRWI",   "pw",     "-#",  "",      "",      ""),
    ("PR{}WI", "p{}w",   "-{}#", "",     "",      ""),
    ("{}WI",   ".{}w",   ".{}#", "",     "",      ""),
    ("WSWI",   ".WSw",   "+#",  "",      "",      ""),
    ("WD",     ".WD",    "$",   "-WD",   "",      "/WD"),     # when distributed
    ("PRWD",   "p.WD",   "-$",  "",      "",      ""),
    ("PR{}WD", "p{}.WD", "-{}$", "",     "",      ""),
    ("CL",     ".CL",    "*",   "",      "",      ""),        # called
    ("{}CL",   ".{}.CL", ".{}*", "",     "",      ""),
    ("PRCL",   "p.CL",   "-*",  "",      "",      ""),
    ("PR{}CL", "p{}.CL", "-{}*", "",     "",      ""),
    ("CV",     ".CV",    "%",   "",      "",      ""),        # convertible
    ("CVCL",   ".CV.CL", "%*",  "",      "",      ""),
    ("{}CV",   ".{}.CV", ".{}%", "",     "",      ""),
    ("PR{}CV", "p{}.CV", "-{}%", "",     "",      ""),
    ("EC",     ".EC",    "!",   "",      "",      ""),        # emerging company marketplace
    ("PP",     ".PP",    "@",   "",      "",      ""),        # partly paid
    ("TEST",   ".TEST",  "~",   "",      "",      ""),
)  # fmt: skip


def _suffixes(spelled: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Each suffix that such pairs of spelling and CMS stand for, and what it is stored as."""
    return {
        suffix.format(letter): cms.format(letter)
        for suffix, cms in spelled
        if suffix
        for letter in (ascii_uppercase if "{}" in cms else ("",))
    }


_CQS, _INET, _YAHOO, _TIINGO, _BLOOMBERG = (
    _suffixes((row[column], row[0]) for row in _KINDS) for column in range(1, 6)
)
_CMS: Final = _suffixes((f" {row[0]}", row[0]) for row in _KINDS)
#: EODHD and Stooq; what `-P` is there is not known.
_CLASSES: Final = {f"-{letter}": letter for letter in ascii_uppercase if letter != "P"}


def plain(spelling: pl.Expr) -> pl.Expr:
    """The provider's own spelling, trimmed and in upper case (Unicode's full mapping: ß is SS)."""
    return spelling.str.strip_chars().str.to_uppercase()


def cqs(spelling: pl.Expr) -> pl.Expr:
    """Consolidated Quotation System, as Polygon and Massive: BRK.B, ABRpA, VNTw (Nasdaq's table).

    Lower case is significant: ALpA and ALPA are two symbols. In a spelling without any upper-case
    letter somebody has lowered all of them, so that case means nothing.
    """
    text = spelling.str.strip_chars()
    return _equity(pl.when(is_lowered(text)).then(text.str.to_uppercase()).otherwise(text), _CQS)


def cms(spelling: pl.Expr) -> pl.Expr:
    """Consolidated Message System, as Interactive Brokers: BRK B, ABR PRA (Nasdaq's table)."""
    return _equity(plain(spelling), _CMS)


def inet(spelling: pl.Expr) -> pl.Expr:
    """Nasdaq's integrated platform: BRK.B, ABR-A, AIG+, ACND= (Nasdaq's table)."""
    return _equity(plain(spelling), _INET)


def yahoo(spelling: pl.Expr) -> pl.Expr:
    """Yahoo: BRK-B, ABR-PA, AIG-WT (third parties); BTC-USD, RACE.MI and CL=F stay (files)."""
    return _equity(plain(spelling), _YAHOO)


def tiingo(spelling: pl.Expr) -> pl.Expr:
    """Tiingo: BRK-B, ABR-P-A (tiingo.com/documentation/appendix/symbology)."""
    return _equity(plain(spelling), _TIINGO)


def bloomberg(spelling: pl.Expr) -> pl.Expr:
    """Bloomberg: BRK/B, AIG/WS, BMY-R (third parties)."""
    return _equity(plain(spelling), _BLOOMBERG)


def eodhd(spelling: pl.Expr) -> pl.Expr:
    """EODHD: AAPL.US, BRK-B.US (eodhd.com); other exchanges stay: BTC-USD.CC, EURUSD.FOREX."""
    return _in_us(plain(spelling))


def stooq(spelling: pl.Expr) -> pl.Expr:
    """Stooq: AAPL.US, brk-b.us (its files); other countries and kinds stay: ^SPX, CL.F."""
    return _in_us(plain(spelling))


CONVENTIONS: Final[dict[str, Callable[[pl.Expr], pl.Expr]]] = {
    convention.__name__: convention
    for convention in (plain, cqs, cms, inet, yahoo, tiingo, bloomberg, eodhd, stooq)
}


def is_lowered(text: pl.Expr) -> pl.Expr:
    """Whether no letter of the text is in upper case, so that case means nothing in it."""
    return text == text.str.to_lowercase()


def _equity(text: pl.Expr, suffixes: dict[str, str]) -> pl.Expr:
    """Root and suffix in canonical form where the suffix is a known one, else the text."""
    root_and_suffix = text.str.extract_groups(r"^([A-Z]{1,5})([^A-Z].*)$").struct
    suffix = root_and_suffix["2"].replace_strict(suffixes, default=None, return_dtype=pl.String)
    known = pl.concat_str(root_and_suffix["1"], suffix, separator=".")
    return pl.coalesce(known, text.str.to_uppercase())


def _in_us(text: pl.Expr) -> pl.Expr:
    is_of_us = text.str.ends_with(".US") & (text != ".US")
    return pl.when(is_of_us).then(_equity(text.str.strip_suffix(".US"), _CLASSES)).otherwise(text)

"""Which files of one load may be of different instruments, by their names."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import Final

from loader import bars
from loader.lazy import regex
from loader.read.formats.known import suffixes

_MONTH: Final = (
    "jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
    "|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?"
)
#: What of a path tells when its bars are, or which part of them it has: dates (also as folders),
#: numbers of parts, and the names that engines make up.
WHEN: Final = regex(
    r"(?<![0-9a-z])(?:"
    r"(?:19|20)\d\d(?:([-_./]?)(?:0[1-9]|1[0-2])"
    r"(?:\1[0-3]\d(?:[-_ t]?\d\d(?:[-_:]?\d\d){0,2}z?)?)?)?"
    rf"|\d{{1,2}}[-_ ]?(?:{_MONTH})[-_ ]?(?:19|20)?\d\d|(?:{_MONTH})[-_ ]?(?:19|20)\d\d"
    rf"|(?:19|20)\d\d[-_ /]?(?:{_MONTH}|q[1-4]|w\d\d)"
    r"|(?:part|chunk|page|batch|split|file)[-_ ]?\d+"
    r"|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{16,}"
    r"|(?:daily|hourly|weekly|monthly|minutes?|hours?|days?|1440|10080)"
    r")(?![0-9a-z])",
    re.IGNORECASE,
)
_WORD: Final = regex("[A-Za-z0-9]+")
#: A word that is a symbol by itself.
_TICKER: Final = regex(r"[A-Z]{1,12}\d{0,4}")
#: Words that tell series of one symbol apart: months of contracts, sides, adjustments, sessions.
_NO_SYMBOL: Final = regex(
    r"[fghjkmnquvxz]\d{1,2}|c\d{1,2}|\d{1,4}|raw|unadj(?:usted)?|adj(?:usted|ust)?|split|div|bid|ask"
    r"|mid(?:point)?|last|trades?|quotes?|rth|eth|front|back|near|far|cont(?:inuous)?|spot|perp|swap"
    r"|futures?",
    re.IGNORECASE,
)
_NAMED: Final = {"hourly": "1h", "daily": "1d", "weekly": "1w", "monthly": "1mo"}
#: Words that say which edition of a series a file is, unless they are in capitals.
_SAME: Final = frozenset(
    re.findall(
        r"\w+",
        """
    full update updates updated upd latest recent hist history historical correction corrections
    corrected final backfill incremental delta snapshot dump archive copy patch revised export
    download downloaded new old prelim preliminary daily hourly weekly monthly nightly
    """,
    )
)
#: A number beside a name counts copies or parts, if it is short.
_FEW_DIGITS: Final = 3


class Siblings:
    """The files of one load, by their paths (see `Source.full_path`)."""

    def __init__(self, paths: Iterable[str] = ()) -> None:
        self._first: dict[tuple[tuple[str, ...], ...], str] = {}
        for path in paths:
            self._first.setdefault(_subject(path), path)
            if len(self._first) > 1:  # two are enough to name another one to each
                break

    def unlike(self, path: str) -> str | None:
        """Another file that, by its name, may be of another instrument than `path`: more than
        dates, numbers of parts and intervals is different. None if there is none."""
        own = _subject(path)
        return next((other for subject, other in self._first.items() if subject != own), None)


def pattern_for(path: str, other: str) -> str:
    """A pattern (see `loader.dialects.patterns`) that gives each of the two its symbol."""
    one, two = re.split("[/!]", path), re.split("[/!]", other)
    words, others = _words(WHEN.sub(" ", one[-1])), _words(WHEN.sub(" ", two[-1]))
    if words == others:
        depth = min(len(one), len(two))
        apart = [at for at in range(2, depth + 1) if one[-at] != two[-at]]
        folders = [at for at in apart if _words(WHEN.sub(" ", one[-at]))]
        place = (folders or apart or [2])[0]
        if _NO_SYMBOL.fullmatch(one[-place]):
            stem = without_suffix(one[-1])
            name = "{symbol}" + one[-1][len(stem) :] if _TICKER.fullmatch(stem) else "*"
            return "/".join(["{provider}", *["*"] * (place - 2), name])
        key, equals, value = one[-place].partition("=")
        what = "{provider}" if equals and _NO_SYMBOL.fullmatch(value) else "{symbol}"
        return "/".join([f"{key}={what}" if equals else what, *["*"] * (place - 1)])
    suffix = re.search(_suffix(), one[-1], re.IGNORECASE)
    end = suffix.start() if suffix else len(one[-1])
    stem = one[-1][:end]
    if stem.isalpha() and _NO_SYMBOL.fullmatch(stem):
        folder = "{symbol}/" if _TICKER.fullmatch(one[-2]) else ""
        return folder + "{provider}" + one[-1][end:]
    parts = re.split("(_)", stem) if "_" in stem else [stem]
    made: list[str] = []
    named = False
    for at, part in enumerate(parts):
        telling = set(_words(WHEN.sub(" ", part)))
        if made and made[-1] == "{symbol}" and (part == "_" or telling):
            continue  # the symbol goes on: BTC_USDT
        differs = bool(telling - set(others))
        if not named and (differs or _goes_on(parts[at:], others)):
            made.append("{symbol}")
            named = True
        elif part == "_":
            made.append(part)
        else:
            word = "{interval}" if bars.parse_interval(part) is not None else "*"
            word = "{provider}" if differs else word
            made += ["_", word] if made and made[-1] == "{symbol}" else [word]
    return ("".join(made) if named else "{symbol}") + one[-1][end:]


def _goes_on(parts: list[str], others: tuple[str, ...]) -> bool:
    """Whether the first of `parts` is a symbol that a later one completes: a ticker, or a name
    before what cannot be a symbol: `ES_H4`, `es_h4`, `kilo_raw`."""
    if not _words(parts[0]):
        return False
    rest = [part for part in parts[1:] if set(_words(WHEN.sub(" ", part))) - set(others)]
    ticker = _TICKER.fullmatch(parts[0])
    return bool(rest) and (ticker is not None or _NO_SYMBOL.fullmatch(rest[0]) is not None)


def _subject(path: str) -> tuple[tuple[str, ...], ...]:
    *folders, name = re.split("[/!]", WHEN.sub(" ", without_suffix(path)))
    found = [words for part in folders if not _SAME.issuperset(words := _words(part))]
    return (*found, _words(name))


def _words(name: str) -> tuple[str, ...]:
    """The words of a file's or folder's name that may tell its instrument."""
    name = without_suffix(name)
    words = [word.lower() for word in _WORD.findall(name)]
    written = set(_WORD.findall(name))
    kept = [word for word in words if not _is_interval(word)]
    named = [word for word in kept if word not in _SAME or word.upper() in written]
    kept = named or kept
    if all(word.isdecimal() for word in kept):
        return tuple(kept)
    return tuple(word for word in kept if not (word.isdecimal() and len(word) <= _FEW_DIGITS))


def intervals_in(path: str) -> set[str]:
    """The intervals that a file's name has words for: `1h`, `daily`; and its folder, but not for
    `daily`, which may be when it comes, nor beside anything but a word (`tmpysg0t_3d`), nor in a
    folder for a while, which programs name at random (`tmp_5t__vwh`)."""
    *_, folder, name = ["", *re.split("[/!]", without_suffix(path))]
    words = re.split(r"[\W_]+", folder)
    random = folder.lower().startswith(("tmp", "temp"))
    if random or not all(not word or word.isalpha() or _is_interval(word) for word in words):
        folder = ""
    named = [bars.parse_interval(word) for word in _WORD.findall(f"{folder} {name}")
             if _is_interval(word)]  # fmt: skip
    named += [_NAMED.get(word.lower()) for word in _WORD.findall(name)]
    return {interval for interval in named if interval is not None}


def _is_interval(word: str) -> bool:
    return word[0].isdigit() and not word.isdecimal() and bars.parse_interval(word) is not None


def without_suffix(path: str) -> str:
    """The path without the ends of its names that say what kind of files they are."""
    return re.sub(_suffix(), "", path, flags=re.IGNORECASE)


@cache
def _suffix() -> str:
    """A pattern of what stands behind a name: what kind of file it is, and how it is compressed."""
    known = "|".join(sorted(re.escape(suffix) for suffix in (*suffixes(), ".zip")))
    return rf"(?:\.c\d+|\.snappy|\.zstd|{known}|\.gz|\.zst|\.xz|\.bz2)+(?=$|!)"

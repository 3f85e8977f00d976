"""Whether two files may be editions of one series, by their names: dumps of several days, parts,
corrections, copies. Where more is different, one may be of raw prices and one of adjusted ones."""

from __future__ import annotations

import re
from collections import Counter
from datetime import datetime
from typing import Final

from loader.dialects.dialect import fold
from loader.dialects.siblings import WHEN, without_suffix
from loader.lazy import dataclass, regex

#: Words that say which edition of a series a file is, or how it came here.
_EDITION: Final = frozenset(
    re.findall(
        r"\w+",
        """
    correction corrections corrected correct fix fixes fixed hotfix patch patches patched revised
    revise revision revisions rev restated restate restatement amended amendment override overrides
    update updates updated upd new newer old older final latest last recent current full complete
    completed all whole history historical hist archive archived backfill delta incremental incr
    increment diff snapshot snapshots snap dump dumps export exports exported download downloads
    downloaded copy copies backup backups bak bkp orig original tmp temp reload reloaded rerun retry
    resend redelivery redelivered late early today yesterday nightly eod prelim preliminary
    provisional morning evening noon am pm mon tue wed thu fri sat sun monday tuesday wednesday
    thursday friday saturday sunday version ver v part parts chunk page batch file files run
    load seq no num vol number data import imported incoming inbox
    outbox in out processed done ok clean cleaned merged day days week weeks month months year years
    quarter h1 h2 to from until since as of asof vintage pit window and live realtime
    """,
    )
)
#: `part1`, `v2`, `rev03`, `q1`; a number alone that is padded, or too long for a small count.
_COUNTED: Final = regex(
    r"(?:v|ver|version|rev|revision|part|chunk|page|batch|run|seq|no|copy|upd|update|file|dump"
    r"|snapshot|snap|export|load|q|w|wk|week|day|month|y|fy|year)\d+|0\d+|\d{5,}|\d{8}t\d+z?"
    r"|(?=.*\d)[0-9a-f]{7,}"
)
#: A month and a day, a day and a month, or a time of day.
_SHORT_TIME: Final = regex(
    r"(?:0[1-9]|1[0-2])(?:[0-2]\d|3[01])|(?:[0-2]\d|3[01])(?:0[1-9]|1[0-2])|(?:[01]\d|2[0-3])[0-5]\d"
)
#: A month without a day: 202404, 2024-04, 2404.
_MONTH: Final = regex(
    r"(?<![0-9A-Za-z])(?:20)?(2\d|1\d)[-.]?(0[1-9]|1[0-2])(?![-.]?[0-9])(?![A-Za-z])"
)
_NUMBER: Final = regex(r"\d{1,3}")
_COPIES: Final = regex(r"\(\d+\)")
_WORD: Final = regex("[A-Za-z0-9]+")
#: Words before a number that is a count.
_COUNTS: Final = regex(
    r"(?:part|chunk|page|batch|split|file|run|load|seq|no|num|vol|number|version|ver|v|rev|revision"
    r"|copy|update|upd|dump|snapshot|snap|export|download|backup)s?"
)
#: Keys of folders that say when bars are, or which part of a table they are.
PARTS: Final = frozenset(
    [
        "date", "day", "dt", "year", "month", "week", "quarter", "hour", "minute", "y", "m", "d",
        "h", "part", "bucket", "batch", "shard", "chunk", "partition", "version", "run", "load",
    ]
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Difference:
    """The words in which one name differs from another, in order: its `own` and the `others`.

    `numbers` says that all of them are small numbers, or differ in capitals: such names may be of
    parts and copies as well as of other series.
    """

    own: tuple[str, ...]
    others: tuple[str, ...]
    numbers: bool


def difference(one: str, other: str) -> Difference | None:
    """How two paths (see `Source.full_path`) differ in more than editions; None if they do not."""
    mine, theirs = Counter(_words(one)), Counter(_words(other))
    own, others = tuple((mine - theirs).elements()), tuple((theirs - mine).elements())
    if not own and not others:
        return _capitals(one, other)
    numbers = all(_NUMBER.fullmatch(word) for word in (*own, *others))
    return Difference(own, others, numbers)


def _capitals(one: str, other: str) -> Difference | None:
    """How two paths with the same words differ in capitals: `AAPL.csv` and `aapl.csv`."""
    mine, theirs = (_WORD.findall(without_suffix(path)) for path in (one, other))
    if list(map(str.lower, mine)) != list(map(str.lower, theirs)):
        return None
    pairs = [(a, b) for a, b in zip(mine, theirs, strict=True) if a != b]
    pairs = [(a, b) for a, b in pairs if not _is_edition(a.lower())]
    own, others = (tuple(pair[at] for pair in pairs) for at in (0, 1))
    return Difference(own, others, numbers=True) if pairs else None


def contracts(one: str, other: str, first: datetime, last: datetime) -> Difference | None:
    """How two paths differ in one month, without a day, if that may be when contracts expire: the
    bars of `one`, from `first` to `last`, go beyond it. A dump of a month has only its bars."""
    mine, theirs = _months(one), _months(other)
    if len(mine) != 1 or len(theirs) != 1 or mine == theirs:
        return None
    (name, month), (others, _) = mine[0], theirs[0]
    if month <= f"{first:%Y%m}" and f"{last:%Y%m}" <= month:
        return None
    return Difference((name,), (others,), numbers=True)


def _months(path: str) -> list[tuple[str, str]]:
    """The months in a file's name, as it has them and as YYYYMM."""
    stem = re.split("[/!]", without_suffix(path))[-1]
    return [(found[0], f"20{found[1]}{found[2]}") for found in _MONTH.finditer(stem)]


def _words(path: str) -> list[str]:
    found: list[str] = []
    for part in re.split("[/!]", WHEN.sub(" ", without_suffix(path))):
        key, equals, _ = part.partition("=")
        if equals:
            found += [] if fold(key) in PARTS else [part.lower()]
            continue
        before = ""
        for word in map(str.lower, _WORD.findall(_COPIES.sub(" ", part))):
            counted = word.isdecimal() and _COUNTS.fullmatch(before)
            if not (counted or _is_edition(word)):
                found.append(word)
            before = word
    return found


def _is_edition(word: str) -> bool:
    return (
        word in _EDITION
        or _COUNTED.fullmatch(word) is not None
        or _SHORT_TIME.fullmatch(word) is not None
    )

"""The parts of a path that decide a file's bars: equal bytes can belong to two symbols."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import field
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from loader.dialects.dialect import Dialect, fold
from loader.dialects.editions import PARTS
from loader.dialects.known import dialects
from loader.dialects.patterns import in_folders, in_name
from loader.dialects.recognition import PLAIN
from loader.errors import ColumnMismatch, SettingsError
from loader.lazy import dataclass, regex
from loader.settings import Meaning

#: A folder's key in a pattern that reads its value: `contract={symbol}/*`.
_KEY: Final = regex(r"([^/!=]+)=[^/!]*\{")
_DATE: Final = regex(r"\d{4}(?:[-_]?\d\d){1,2}(?:[T _-].*)?")
#: Keys of folders that name contracts, also by their dates.
_CONTRACTS: Final = regex("expir|matur|deliver|contract|settle|strike|tenor|series")
#: Fields of a bar that a path can give.
_GIVEN: Final = ("provider", "symbol", "interval")


@dataclass(frozen=True, slots=True)
class PathFacts:
    """What folders such as `symbol=AAPL` and the person's pattern give for one file.

    Attributes:
        words: `provider`, `symbol`, `interval` and `date`, where they are given.
        origin: for each of them, what gives it, as the subject of a sentence.
        columns: all keys of folders, which can be named like columns of the file.
        free: whether the person's pattern fits and leaves the symbol to an option.
    """

    words: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    origin: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    columns: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    free: bool = False


def read_path(path: str, name: str, pattern: str | None) -> PathFacts:
    """The facts of the file at `path` (see `Opening.path`), called `name` in messages.

    Raises:
        ColumnMismatch: the path does not fit the `pattern`.
    """
    columns = in_folders(path)
    words, origin = {}, {}
    for each in _GIVEN:
        for key, value in columns.items():
            if fold(key) in map(fold, dialects()[PLAIN].columns[each]):
                words[each], origin[each] = value, f"the folder {key}={value}"
    for key in ("date", "day", "dt"):
        if key in columns and "date" not in words and len(columns[key]) > len("31"):
            words["date"], origin["date"] = columns[key], f"the folder {key}={columns[key]}"
    if pattern is None:
        return PathFacts(words, origin, columns)
    given = in_name(path, pattern)
    if given is None:
        raise ColumnMismatch.at(
            name,
            f"its name does not fit --name {pattern!r}",
            hint="a pattern fits whole names, from the first letter to the suffix: "
            "'{symbol}_*.csv', '{symbol}/*.csv'",
        )
    by = dict.fromkeys(given, f"its name, by {pattern},")
    return PathFacts(words | given, origin | by, columns, free="symbol" not in given)


def path_columns(path: str, meaning: Meaning) -> Mapping[str, str]:
    """Those facts of `read_path` that decide a file's bars, for its fingerprint. Empty where
    neither folders nor a pattern give any."""
    columns = in_folders(path)
    used = _parts(meaning.columns.values()) | _parts(meaning.where)
    keys = {fold(word) for each in _GIVEN for word in dialects()[PLAIN].columns[each]}
    keys |= {"date", "day", "dt"} | used
    found = {key: value for key, value in columns.items() if fold(key) in keys}
    return found | ((meaning.name_pattern and in_name(path, meaning.name_pattern)) or {})


def _parts(names: Collection[str]) -> set[str]:
    return {fold(part) for name in names for part in (name, *name.split("+"))}


def path_facts(path: str, candidates: Iterable[Dialect]) -> Mapping[str, object]:
    """The facts that distinguish `path` (see `Opening.path`) from another path with equal bytes.
    Empty if no dialect reads anything from such a name.

    They are the facts that each dialect reads from the path, and the bare name, because a dialect's
    own code may read more from it: the contract of `es_trade.zip!es_trade_201312.csv`.
    """
    found: dict[str, object] = {}
    searched: dict[str, re.Match[str] | None] = {}  # dialects share half of their patterns

    def search(pattern: str, path: str) -> re.Match[str] | None:
        if pattern not in searched:
            searched[pattern] = _compiled(pattern).search(path)
        return searched[pattern]

    for dialect in candidates:
        facts = dialect.facts_from_path(path, search)
        names = (shape.name for shape in dialect.shapes if shape.name)
        if facts is not None or any(search(name, path) for name in names):
            found[dialect.name] = facts or {}
    archive, _, member = path.partition("!")
    return {"name": [archive.rpartition("/")[2], member], "said": found} if found else {}


#: Found sooner than by `re` itself, which looks at the type of each pattern first.
_compiled: Final = lru_cache(512)(re.compile)


def wanted(path: str, where: Mapping[str, str]) -> bool:
    """Whether the folders of `path` do not contradict the rows that the person asked for."""
    folders = {fold(key): value for key, value in in_folders(path).items()}
    return all(
        fold(name) not in folders or folders[fold(name)] in map(str.strip, values.split("|"))
        for name, values in where.items()
    )


def refuse_unread_folders(paths: Iterable[str], meaning: Meaning) -> None:
    """Refuses files of one load that lie in folders such as `adjusted=false` and `adjusted=true`,
    where nothing reads that key: they may be of different instruments, and would be laid over one
    another. Keys of time and of parts are not meant.

    Raises:
        SettingsError: two files have different values of such a key.
    """
    known = {fold(word) for each in _GIVEN for word in dialects()[PLAIN].columns[each]}
    known |= PARTS | _parts(meaning.columns.values()) | _parts(meaning.where)
    known |= {fold(key) for key in _KEY.findall(meaning.name_pattern or "")}
    first: dict[str, str] = {}
    for path in paths:
        for key, value in in_folders(path).items():
            dated = _DATE.fullmatch(value) and not _CONTRACTS.search(fold(key))
            if fold(key) in known or dated:
                continue
            if first.setdefault(key, value) != value:
                raise SettingsError(
                    f"folders are named {key}={first[key]} and {key}={value}, and nothing says "
                    "what that means for the bars",
                    hint=f"load one of them: --where {key}={value}; "
                    f"or keep them apart: --column symbol='symbol+{key}'",
                )

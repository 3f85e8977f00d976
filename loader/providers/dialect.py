"""What can be said of a dump as data: its columns, its times, its symbols."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one kind of file says what a bar is.

    Attributes:
        columns: for each bar field, the names that it goes by in such files, best first; compared
            folded (see `fold`). `time_of_day` is no field of a bar: it completes a `ts` that is a
            date only.
        left_out: names of columns that are known and are no part of a bar, each with the reason.
        symbol_convention: a name in `loader.symbols.CONVENTIONS`.
        timezone: IANA zone of naive stamps, or None where the file or the person must say.
        source: where the facts come from.
    """

    name: str
    title: str
    columns: Mapping[str, tuple[str, ...]]
    left_out: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    symbol_convention: str = "plain"
    timezone: str | None = None
    source: str = ""


def fold(name: str) -> str:
    """A column name as it is compared: `Adj Close`, `adj_close` and `AdjClose` are one."""
    return "".join(c for c in name.strip().lower() if c not in " _-.\ufeff")

"""What a dataset is: a table, its key, its values with their exact types, and how files spell them.

The statements of the merge, the stage, the checks of a table and the reading of files all derive
from such a description.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from types import MappingProxyType
from typing import Final, Literal

from loader.lazy import dataclass, regex

_NUMERIC: Final = regex(r"numeric\((\d+),(\d+)\)")
#: A moment, or a day.
Time = Literal["timestamptz", "date"]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Attributes:
        type: as PostgreSQL spells it: `text`, `timestamptz`, `date`, `bigint`, `uuid`,
            `double precision`, `numeric(20,8)`.
        optional: whether it may be NULL.
        words: how files spell its name; compared without case, blanks and underscores.
        upper: whether its text is stored in upper case.
        choices: the words that it may have, by what files write (in upper case) for them.
    """

    type: str
    optional: bool = False
    words: tuple[str, ...] = ()
    upper: bool = False
    choices: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def numeric(self) -> tuple[int, int] | None:
        """Precision and scale of an exact number; None for other types."""
        match = _NUMERIC.fullmatch(self.type)
        return (int(match[1]), int(match[2])) if match else None


@dataclass(frozen=True, slots=True)
class Rule:
    """A row breaks the rule `name` unless `holds`, an SQL condition in terms of its columns. NULL
    holds, as in a CHECK constraint."""

    name: str
    holds: str
    description: str


@dataclass(frozen=True, slots=True)
class Dataset:
    """A table that files are loaded into.

    Attributes:
        name: what people call it.
        table: its table.
        columns: the columns that a load writes, in the order of the table.
        key: the columns of its unique index, in that order; among them may be `made` ones.
        time: the column of the key that orders a series.
        revisions: the table that keeps old values; None if they are not kept.
        tenant: the column of the tenant, which has the value of `app.tenant_id`; None without one.
        known: the column that says when a row was known; None if the time of the load does.
        flows: columns with amounts of a whole period: of a year about four times a quarter's.
        made: columns that the table makes of the others, with the expressions.
        rules: what every row must satisfy, besides its types.
    """

    name: str
    table: str
    columns: Mapping[str, Column]
    key: tuple[str, ...]
    time: str
    revisions: str | None
    tenant: str | None = None
    known: str | None = None
    flows: tuple[str, ...] = ()
    made: Mapping[str, tuple[Column, str]] = field(default_factory=lambda: MappingProxyType({}))
    rules: tuple[Rule, ...] = ()

    @property
    def values(self) -> tuple[str, ...]:
        """The columns outside of the key: these are compared and updated."""
        return tuple(name for name in self.columns if name not in self.key)

    @property
    def read(self) -> Mapping[str, Column]:
        """The columns that a file gives: all but the tenant's."""
        return {name: each for name, each in self.columns.items() if name != self.tenant}

    def column(self, name: str) -> Column:
        """The column of that name, also if it is a made one."""
        return self.columns[name] if name in self.columns else self.made[name][0]

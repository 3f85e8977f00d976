"""Whether the tables of bars are still as the migrations made them, and keep what is written.

The drivers encode a bar by mdload's own types, not by the table's: a column of another type of the
same length would take the bits of a number for another number.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from loader.db.executor import Executor
from loader.errors import Contended, DatabaseError, MergeFailed
from loader.lazy import dataclass, regex
from loader.settings.datasets import BARS_OHLCV, Dataset

_BARS: Final = "bars_ohlcv"
_REVISIONS: Final = "bars_ohlcv_revisions"
_NAMES: Final = {"timestamptz": "timestamp with time zone"}
_COLLATED: Final = regex(r"^text .*")


@dataclass(frozen=True, slots=True)
class TableState:
    """The tables at the beginning of a transaction.

    Attributes:
        triggers: names of triggers of others that can keep a row out.
        inserted: rows that the session has inserted lately; None if the server does not count.
    """

    triggers: tuple[str, ...]
    inserted: int | None


def held(session: Executor, of: Dataset = BARS_OHLCV) -> TableState:
    """As `check`; nobody can alter a column until the transaction ends."""
    session.run("bars_hold")
    return check(session, of)


def check(session: Executor, of: Dataset = BARS_OHLCV) -> TableState:
    """The state of the tables of a dataset, if a merge can rely on it.

    Raises:
        DatabaseError: a column has another type, or the key is not unique any more; or the server
            refused.
    """
    columns, keys, triggers, inserted = session.one("bars_state")
    if (faults := altered(columns, keys, of)) is not None:
        what, mend = faults
        raise DatabaseError(what, hint=mend)
    return TableState(tuple((triggers or "").splitlines()), inserted)


def altered(
    columns: str | None, keys: str | None, of: Dataset = BARS_OHLCV
) -> tuple[str, str] | None:
    """What is wrong with the tables, and SQL that mends it; None if nothing is. `columns` and
    `keys` are those of the query `bars_state`."""
    found = dict(line.split(" ", 1) for line in (columns or "").splitlines())
    if of.tenant is not None:
        found = {name: _COLLATED.sub("text", kind) for name, kind in found.items()}
    wrong = [
        (name, found.get(name), needed)
        for name, needed in _needed(of)
        if found.get(name) != needed and found  # without tables the next query says so
    ]
    if wrong:
        name, has, needed = wrong[0]
        table, _, column = name.partition(".")
        if has is None:
            mend = f"ALTER TABLE {table} ADD {column} {_sql(needed)};"
            return f"the column {name} is missing", mend
        others = f" (and {len(wrong) - 1} more columns have another type)" if wrong[1:] else ""
        return (
            f"the column {name} was altered: it is {_sql(has)}, and mdload needs {_sql(needed)}"
            + others,
            "\n".join(_mended(*each) for each in wrong),
        )
    if found and " ".join(sorted(of.key)) not in (keys or "").splitlines():
        key, rows = ", ".join(of.key), "bars" if of is BARS_OHLCV else "rows"
        return (
            f"the table {of.table} has no unique key ({key}) any more: {rows} would be stored "
            "twice",
            f"ALTER TABLE {of.table} ADD CONSTRAINT {of.table}_pk PRIMARY KEY ({key});",
        )
    return None


def _needed(of: Dataset) -> Iterator[tuple[str, str]]:
    """The columns that mdload writes, with their types as the query spells them. A table that was
    taken over may sort its texts in another way."""
    collation = " C" if of.tenant is None else ""

    def spelled(column: str) -> str:
        kind = of.column(column).type
        kind = _NAMES.get(kind, kind)
        return f"{kind}{collation}" if kind == "text" else kind

    yield from ((f"{of.table}.{name}", spelled(name)) for name in (*of.key, *of.values))
    yield from ((f"{of.revisions}.{name}", spelled(name)) for name in of.key)
    for value in of.values:
        yield from ((f"{of.revisions}.{age}_{value}", spelled(value)) for age in ("old", "new"))


def _mended(name: str, has: str | None, needed: str) -> str:
    table, _, column = name.partition(".")
    return f"ALTER TABLE {table} ALTER {column} TYPE {_sql(needed)};"


def _sql(kind: str) -> str:
    """A type and its collation, as the query gives them, in SQL."""
    return kind.removesuffix(" default").replace(" C", ' COLLATE "C"')


def insist_stored(session: Executor, before: TableState, inserted: int, *, staged: bool) -> None:
    """Asks the server for the rows that it has stored, where a trigger may have kept some out.

    Args:
        before: the state before the first row was written, in this transaction.
        inserted: how many rows mdload counts as inserted.
        staged: whether there is a stage, each bar of which has to be stored now.

    Raises:
        MergeFailed: there are fewer.
    """
    if not before.triggers:
        return
    if staged and (missing := session.one("stage_unmet")[0]):
        raise kept_out(before.triggers, missing)
    after: Any = session.one("bars_state")[3]
    if before.inserted is not None and after is not None:
        stored = after - before.inserted
        if stored < inserted:
            raise kept_out(before.triggers, inserted - stored)


def kept_out(triggers: tuple[str, ...], missing: int) -> MergeFailed:
    """For bars that triggers of others have dropped or changed."""
    named = ", ".join(repr(name) for name in triggers)
    return MergeFailed(
        f"{missing:,} bars did not reach {_BARS} as they were sent: a trigger there keeps rows out "
        f"or changes them ({named}); nothing of this transaction was kept",
        hint=f"drop the trigger, or disable it: ALTER TABLE {_BARS} DISABLE TRIGGER NAME",
    )


def insist_kept(session: Executor, changed: int, kept: int) -> None:
    """Compares the bars that a transaction has changed or taken away with the revisions that it
    has written.

    Raises:
        MergeFailed: a trigger or a rule of others has dropped revisions.
        Contended: another writer was in the way; run the transaction again.
    """
    if changed == kept:
        return
    missing = abs(changed - kept)
    (guards,) = session.one("revisions_guards")
    if guards and kept < changed:
        named = ", ".join(repr(name) for name in guards.splitlines())
        raise MergeFailed(
            f"the old values of {missing:,} bars did not reach {_REVISIONS}: a trigger or rule "
            f"there keeps rows out ({named}); nothing of this transaction was kept",
            hint=f"drop it, or disable it: ALTER TABLE {_REVISIONS} DISABLE TRIGGER NAME",
        )
    raise Contended(
        f"another writer changed {missing:,} of the bars meanwhile",
        hint="run the same command again",
    )

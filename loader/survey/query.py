"""Answers to a person's own SQL: one statement, read-only, every value as the server writes it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from loader.db.rows import Field, Texts, connect
from loader.errors import DatabaseError, SettingsError
from loader.lazy import dataclass

_ONLY_READS: Final = "mdload query only reads; to change something: mdload db psql"
#: Classes of errors that the statement itself causes: its syntax and names, its values, what the
#: server does not support.
_OF_THE_STATEMENT: Final = ("42", "22", "21", "0A", "25006", "3F")


@dataclass(frozen=True, slots=True)
class Answer:
    """The result of a statement.

    Attributes:
        fields: its columns, each with a name of its own: a second `a` is `a_2`.
        rows: as they arrive; a value is the server's text (times in UTC), None for NULL.
    """

    fields: tuple[Field, ...]
    rows: Iterator[Texts]


@contextmanager
def answer(url: str, statement: str) -> Iterator[Answer]:
    """Runs one `statement` in a read-only transaction, which ends with the block.

    Raises:
        SettingsError: the server refused the statement: its syntax, a name, or that it writes; or
            it is one that gives no rows, or has parameters.
        DatabaseError: the server failed.
    """
    if not statement.strip():
        raise SettingsError("there is no SQL to run", hint="mdload query 'SELECT …'")
    try:
        with connect(url, doing="running the query") as session:
            session.run("session_for_people")
            with session.read_only(), session.streamed(statement) as (fields, rows):
                if not fields:
                    raise SettingsError("the statement gives no rows", hint=_ONLY_READS)
                yield Answer(_distinct(fields), rows)
    except DatabaseError as error:
        state = error.sqlstate or ""
        if not state.startswith(_OF_THE_STATEMENT):
            raise
        raise SettingsError(f"the server refused the SQL: {error.reason}", hint=_hint(state)) from (
            error
        )


def _hint(state: str) -> str:
    if state in ("25006", "42601"):
        return _ONLY_READS if state == "25006" else "give one statement; quote it for the shell"
    if state in ("42P01", "42703"):
        return "the tables and columns are in docs/schema.md; mdload db psql -c '\\d bars_ohlcv'"
    return "correct the statement, then run it again"


def _distinct(fields: tuple[Field, ...]) -> tuple[Field, ...]:
    taken: set[str] = set()
    found = []
    for field in fields:
        name, number = field.name, 1
        while name in taken:
            number += 1
            name = f"{field.name}_{number}"
        taken.add(name)
        found.append(Field(name, field.type))
    return tuple(found)

"""Functions and operators that others put where mdload's statements would find them.

PostgreSQL takes the function whose arguments fit best, in whichever schema of the search_path it
is: `concat(text, text)` in `public` goes before `pg_catalog.concat(VARIADIC "any")`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any, Final

from loader.db.queries import queries
from loader.errors import DatabaseError

_CALL: Final = re.compile(r"\b([a-z_][a-z0-9_]*)\s*\(")
#: Called by the migrations and by the triggers that they make.
_MIGRATIONS: Final = ("now", "upper", "format", "substring", "array_agg", "count", "sum", "concat")


@cache
def _called() -> str:
    """The names of functions in mdload's SQL, and of what looks like one, between blanks."""
    names = {name for sql in queries().values() for name in _CALL.findall(sql)}
    return " ".join(sorted(names.union(_MIGRATIONS)))


def refuse(row: Callable[..., tuple[Any, ...] | None]) -> None:
    """Asks a session by its method `row`.

    Raises:
        DatabaseError: its search_path has such a function or operator.
    """
    if found := row("planted", _called()):
        signature, owner = found
        raise DatabaseError(
            f"the role {owner!r} has put {signature} where mdload's statements would run it with "
            "this role's rights: nothing was done",
            hint="drop it, and let nobody else create there: REVOKE CREATE ON SCHEMA public FROM "
            "PUBLIC; or give mdload a schema of its own",
        )

"""A database where nobody has rights by default, and docs/roles.sql gives them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import psycopg

from tests.conftest import CITUS, ROOT

_SQL: Final = re.sub("^--.*\n", "", (ROOT / "docs" / "roles.sql").read_text(), flags=re.MULTILINE)
#: As psql sends them: Citus does not take several in one message.
_STATEMENTS: Final = re.findall(r"\s*((?:\$\$.*?\$\$|[^;$])+);", _SQL, re.DOTALL)
ROLES = ("mdload_owner", "mdload_loader", "mdload_reader")
#: Who logs in, and as what.
PEOPLE = {"keeper": "mdload_owner", "nightly": "mdload_loader", "analyst": "mdload_reader",
          "stranger": None}  # fmt: skip


def run_roles_sql(superuser: psycopg.Connection[Any]) -> None:
    """Runs docs/roles.sql statement by statement. On a cluster, whoever works as one of its roles
    logs in as it on the other servers."""
    for statement in _STATEMENTS:
        superuser.execute(statement.encode())
    for role in ROLES if CITUS else ():
        superuser.execute(f"ALTER ROLE {role} LOGIN".encode())


@contextmanager
def granted(database_url: str) -> Iterator[Callable[[str], str]]:
    """Gives the URL for a person of `PEOPLE`. The tests' server lets everybody in by name."""
    everybody = ", ".join((*ROLES, *PEOPLE))
    with psycopg.connect(database_url, autocommit=True) as superuser:
        superuser.execute(f"REVOKE ALL ON DATABASE {superuser.info.dbname} FROM PUBLIC")
        superuser.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
        run_roles_sql(superuser)
        for person, role in PEOPLE.items():
            superuser.execute(f"CREATE ROLE {person} LOGIN")
            if role:
                superuser.execute(f"GRANT {role} TO {person}")
        superuser.execute(f"GRANT CONNECT ON DATABASE {superuser.info.dbname} TO stranger")
        try:
            yield lambda person: database_url.replace("//postgres@", f"//{person}@")
        finally:
            superuser.execute(f"DROP OWNED BY {everybody} CASCADE")
            superuser.execute(f"DROP ROLE {everybody}")

"""A database where nobody has rights by default, and docs/roles.sql gives them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg

from tests.conftest import ROOT

ROLES_SQL = (ROOT / "docs" / "roles.sql").read_text()
ROLES = ("mdload_owner", "mdload_loader", "mdload_reader")
#: Who logs in, and as what.
PEOPLE = {"keeper": "mdload_owner", "nightly": "mdload_loader", "analyst": "mdload_reader",
          "stranger": None}  # fmt: skip


@contextmanager
def granted(database_url: str) -> Iterator[Callable[[str], str]]:
    """Gives the URL for a person of `PEOPLE`. The tests' server lets everybody in by name."""
    everybody = ", ".join((*ROLES, *PEOPLE))
    with psycopg.connect(database_url, autocommit=True) as superuser:
        superuser.execute(f"REVOKE ALL ON DATABASE {superuser.info.dbname} FROM PUBLIC")
        superuser.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
        superuser.execute(ROLES_SQL)
        for person, role in PEOPLE.items():
            superuser.execute(f"CREATE ROLE {person} LOGIN")
            if role:
                superuser.execute(f"GRANT {role} TO {person}")
        superuser.execute(f"GRANT CONNECT ON DATABASE {superuser.info.dbname} TO stranger")
        try:
            yield lambda person: database_url.replace("//postgres@", f"//{person}@")
        finally:
            superuser.execute(f"DROP OWNED BY {everybody} CASCADE; DROP ROLE {everybody}")

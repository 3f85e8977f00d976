"""What a session offers to those who run named queries, whichever driver does the work."""

from __future__ import annotations

from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, Protocol

Param = int | str | float | datetime | None


class Executor(Protocol):
    """`loader.db.arrow.Connection` over ADBC, `loader.db.rows.Session` over psycopg.

    Every method raises DatabaseError or one of its kinds when the server refuses or is lost.
    """

    def run(self, name: str, *params: Param) -> None:
        """Executes query `name` and ignores its rows."""

    def last(self, name: str, *params: Param) -> None:
        """Executes query `name`, after which the transaction does nothing that depends on it: the
        session may do it together with the commit. Ignores its rows."""

    def row(self, name: str, *params: Param) -> tuple[Any, ...] | None:
        """The first row of query `name`, or None."""

    def one(self, name: str, *params: Param) -> tuple[Any, ...]:
        """The first row of a query that always has one.

        Raises:
            MdloadError: it had none.
        """

    def transaction(self) -> AbstractContextManager[None]:
        """Commits at the end of the block; rolls back if the block raises."""

    def cancel(self) -> None:
        """Asks the server to stop what this session is doing. For another thread to call."""

    def close(self) -> None:
        """Closes the session; what was not committed is rolled back. Never raises."""

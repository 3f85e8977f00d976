"""What it takes to run named queries, whichever driver does it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Protocol

Param = int | str | float | datetime | None


class Executor(Protocol):
    """A session with a transaction open, or none: `loader.db.Connection` is one."""

    def run(self, name: str, *params: Param) -> None:
        """Executes query `name`, whose rows (if any) are of no interest."""

    def row(self, name: str, *params: Param) -> tuple[Any, ...] | None:
        """The first row of query `name`, or None."""

    def one(self, name: str, *params: Param) -> tuple[Any, ...]:
        """The row of a query that always has one."""

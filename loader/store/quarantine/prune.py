"""Retention of rejected rows."""

from __future__ import annotations

from loader.db.arrow import connect


def prunable(url: str, days: int) -> tuple[int, int]:
    """How many rejects are older than so many days, and how many of these wait."""
    with connect(url, autocommit=True) as connection:
        connection.run("past_set", None, None)
        rejects, waiting = connection.one("rejects_prunable", days)
    return int(rejects), int(waiting)


def prune(url: str, days: int) -> int:
    """Deletes rejects that are older than so many days, whatever became of them; gives how many.

    Raises:
        DatabaseError: the server failed, or the role may not delete.
    """
    with connect(url) as connection, connection.transaction():
        connection.run("past_set", None, None)
        (gone,) = connection.one("rejects_prune", days)
    return int(gone)

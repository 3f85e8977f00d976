"""Retention: old revisions and loads go, unless a pin needs them."""

from __future__ import annotations

from datetime import datetime

from loader.db.arrow import Connection, connect
from loader.lazy import dataclass


@dataclass(frozen=True, slots=True)
class Prunable:
    """What would go, of how many.

    `unreadable_before` is when the newest of those changes was known (UTC): the bars as of a time
    before it are no longer what they were. None where no revision goes.
    """

    revisions: int
    all_revisions: int
    unreadable_before: datetime | None
    all_loads: int


@dataclass(frozen=True, slots=True)
class Pruned:
    """`files` count as new when they are met again, for their history went with the revisions."""

    revisions: int = 0
    files: int = 0
    loads: int = 0


def prunable(url: str, days: int) -> Prunable:
    """What `prune` would remove of changes that were known more than `days` ago."""
    with connect(url) as reader, reader.transaction():
        reader.run("undo_session")
        _find(reader, days)
        (row,) = reader.frame("prune_counts").to_dicts()
    return Prunable(**row)


def prune(url: str, revisions_days: int | None, loads_days: int | None) -> Pruned:
    """Removes revisions and folds loads that are older than so many days (None: none), in one
    transaction. What a pin reads, and what is asked for a time since, does not change.

    Raises:
        DatabaseError: the server failed, or the role may not delete.
    """
    files = revisions = loads = 0
    with connect(url) as writer, writer.transaction():
        writer.run("undo_session")
        writer.run("undo_alone")
        if revisions_days is not None:
            _find(writer, revisions_days)
            (files,) = writer.one("prune_forget")
            (revisions,) = writer.one("prune_revisions")
        if loads_days is not None:
            (loads,) = writer.one("prune_loads", loads_days)
    return Pruned(int(revisions), int(files), int(loads))


def _find(session: Connection, days: int) -> None:
    session.run("prunable_create")
    session.run("prunable_fill", days)

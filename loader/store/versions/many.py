"""Many bars taken away at once: their revisions are written without the key and the index of the
revisions, which are made again in the same transaction. A crash or a cancel leaves them as they
were."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from loader.db.arrow import Connection

#: With fewer bars, both are kept up in the time that it takes to make them.
FEWEST: Final = 100_000
#: The rows are nearly in the order of the bars' key: sorted in small pieces, most of them need
#: nothing. The revisions' key is in order: with this much memory, a second process helps.
_SMALL, _SHARED = "16MB", "64MB"


@contextmanager
def indexes_made_after(writer: Connection, *, wanted: bool) -> Iterator[None]:
    """For the statements that write the revisions of the loads to be undone. Where it is `wanted`,
    and pays, the session has the revisions for itself until its transaction ends.

    Raises:
        Contended: somebody else uses them; the transaction cannot go on.
        DatabaseError: the server refused, or went away.
    """
    fits = wanted and bool(writer.one("undo_many_fits", FEWEST)[0])
    if fits:
        writer.run("undo_many_hold")
        writer.run("undo_many_key_drop")
        writer.run("undo_many_index_drop")
    yield
    if fits:
        writer.run("undo_many_session", _SMALL)
        writer.run("undo_many_index_make")
        writer.run("undo_many_session", _SHARED)
        writer.run("undo_many_key_make")

"""The first load into an empty table: COPY without the key, which is made again in the same
transaction. A crash or a cancel leaves the empty table with its key."""

from __future__ import annotations

from typing import Final

from loader.db.arrow import Connection
from loader.errors import Contended

#: Fewer bars are copied beside the key in the time that it takes to make it.
FEWEST: Final = 50_000


def hold(writer: Connection) -> bool:
    """Takes the table until the transaction of `writer` ends, if it is empty and nothing but bars
    hangs on its key. Others that read or write it wait then: ask it nothing over another session.

    Raises:
        Contended: somebody else uses the table; the transaction cannot go on.
        DatabaseError: the server refused, or went away.
    """
    if not (_fits(writer) and writer.one("first_load_announce")[0]):
        return False
    writer.run("first_load_hold")
    if not _fits(writer):
        raise Contended("another writer was faster")
    return True


def _fits(writer: Connection) -> bool:
    """Citus takes the key of all shards away, and gives it back, by the same statements. The bars
    are in them, so that the table on the coordinator is always empty."""
    if not writer.one("first_load_fits")[0]:
        return False
    return writer.shards is None or not writer.one("bars_any")[0]


def drop_key(writer: Connection) -> None:
    """Raises:
    DatabaseError: the server refused, or went away.
    """
    writer.run("first_load_key_drop")


def make_key(writer: Connection) -> None:
    """Raises:
    Contended: two bars have one key.
    DatabaseError: the server refused, or went away.
    """
    writer.run("first_load_key_make")

"""Several files that change few stored bars: staged together, and each committed by a statement of
its own."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import fields
from datetime import datetime
from typing import Final

import polars as pl

from loader import bars
from loader.db.arrow import Connection
from loader.errors import DatabaseError, MergeFailed
from loader.lazy import dataclass
from loader.results import Counts
from loader.store import shape
from loader.store.runs.counts import add_counts

#: `changed` says whether the bar is stored with other values; the others are new.
STAGE: Final = {"file": pl.Int64(), "changed": pl.Boolean(), **bars.SCHEMA}


@dataclass(frozen=True, slots=True)
class Booking:
    """What a file leaves in the books.

    Attributes:
        file: its number in the stage.
        fingerprint: of the settings.
        began: when its load did, by the clock of the server, before the look at what is stored:
            what others change after it counts as later.
        provider, interval: the one of all of its bars, if there is one.
        are_listed: whether the ledger lists the symbols.
        spellings: `spellings.SCHEMA`, as objects.
        rows, inserted, updated, skipped: its rows; the new bars among them, and those that change
            a stored one; and the rows without a bar.
        inserted_between: how many of the new bars come between stored ones.
        series: the series that have some, or change stored bars, as objects
            (`loader.results.history.SeriesHistory`).
        deferred: whether its commit does not wait for the disk.
    """

    file: int
    run_id: int
    path: str
    size_bytes: int
    content_hash: str
    fingerprint: str
    began: datetime
    dialect: str
    provider: str | None
    interval: str | None
    symbols: tuple[str, ...]
    are_listed: bool
    spellings: Sequence[Mapping[str, str]]
    rows: int
    inserted: int
    updated: int
    skipped: int
    inserted_between: int
    series: Sequence[Mapping[str, object]]
    min_ts: datetime
    max_ts: datetime
    deferred: bool
    notes: tuple[str, ...]


_GIVEN: Final = tuple(each.name for each in fields(Booking))
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, default=str)


def may_stage(session: Connection) -> bool:
    """Whether the bars are in one plain table of this server, with no trigger of others that could
    keep some out.

    Raises:
        DatabaseError: the table was altered; or the server refused, or went away.
    """
    return (
        session.shards is None
        and not session.one("bars_partitioned")[0]
        and not shape.check(session).triggers
    )


def add_unlisted(session: Connection, bookings: Sequence[Booking]) -> None:
    """Adds the symbols that the ledger does not list to those of the run, before their files are
    booked.

    Raises:
        DatabaseError: the server refused, or went away.
    """
    found = {symbol for each in bookings if not each.are_listed for symbol in each.symbols}
    if found:
        with suppress(MergeFailed):  # the run is over: no file can be booked either
            add_counts(
                session, bookings[0].run_id, Counts(), symbols=found, min_ts=None, max_ts=None
            )


@contextmanager
def staged(session: Connection, found: pl.DataFrame) -> Iterator[None]:
    """Copies the bars (`STAGE`, `file` an int of any size) into the stage, which is there until the
    block ends; without bars there is none. `session` commits each statement.

    Raises:
        DatabaseError: the server refused, or went away.
    """
    if not found.height:
        yield
        return
    session.run("together_drop")
    session.run("together_create")
    bare = found.cast({"file": pl.Int64}).select(*STAGE)
    session.ingest("mdload_together", STAGE, [bare], temporary=True)
    session.run("together_index")
    try:
        yield
    finally:
        with suppress(DatabaseError):  # it goes with the session, too
            session.run("together_drop")


def booked(session: Connection, bookings: Sequence[Booking]) -> list[int]:
    """Commits the files one after the other; gives the ids of their rows in the ledger. If they
    write bars, these are `staged`.

    Raises:
        DatabaseError: one could not be committed; those before it are, see `booked_by`.
    """
    texts = (_ENCODER.encode({name: getattr(each, name) for name in _GIVEN}) for each in bookings)
    writes = any(each.inserted or each.updated for each in bookings)
    session.run("together_given", f"[{','.join(texts)}]")
    session.run("together_book" if writes else "together_book_same")
    ids, *_ = session.one("together_ids")
    return list(json.loads(ids))


def booked_by(session: Connection, bookings: Sequence[Booking]) -> dict[str, int]:
    """The ids of those of the files that are committed, by their paths. Waits for a transaction
    that is under way.

    Raises:
        DatabaseError: the server refused, or went away.
    """
    first = bookings[0]
    session.row("job_run_wait", first.run_id)
    paths = json.dumps([each.path for each in bookings], ensure_ascii=False)
    return dict(session.rows("together_booked", first.run_id, paths, first.began))
